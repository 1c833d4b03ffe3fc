using Litestream.Replicas;

namespace Litestream.Replication;

/// <summary>Names of replicas: as configured, else the scheme, numbered when several share it. Pure.</summary>
internal static class ReplicaNames
{
    internal static IReadOnlyList<string> Assign(IReadOnlyList<ReplicaOptions> replicas)
    {
        var taken = new HashSet<string>(replicas.Select(r => r.Name).OfType<string>(), StringComparer.Ordinal);
        var names = new List<string>();
        foreach (var replica in replicas)
        {
            var name = replica.Name ?? replica.Url.Scheme;
            for (var n = 2; replica.Name is null && !taken.Add(name); n++)
                name = $"{replica.Url.Scheme}{n}";
            names.Add(name);
        }
        return names;
    }
}
