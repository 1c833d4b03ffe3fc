using System.Collections.Concurrent;
using System.Text;
using Datasette.Permissions;

namespace Datasette.Plugins;

/// <summary>
/// Answers to questions about rights that follow from the rules alone. Most rules read no table; then the same rules about the same resource have
/// the same answer for ever, and SQLite need not be asked again.
/// </summary>
internal sealed class ConstantAnswers
{
    private const int Capacity = 2000;
    private readonly ConcurrentDictionary<string, bool> answers = new(StringComparer.Ordinal);
    private int count;

    /// <summary>Everything that the answer depends on; null when a rule may read what changes.</summary>
    public static string? KeyOf(IReadOnlyList<PermissionRequirement> requirements, Resource resource)
    {
        var key = new StringBuilder();
        Append(key, resource.Parent);
        Append(key, resource.Child);
        foreach (var requirement in requirements)
        {
            key.Append('|');
            foreach (var rule in requirement.Rules)
            {
                if (!rule.IsConstant)
                {
                    return null;
                }
                Append(key, rule.Sql);
                Append(key, rule.RestrictionSql);
                foreach (var (name, value) in rule.Parameters)
                {
                    Append(key, name);
                    Append(key, value as string);
                }
            }
        }
        return key.ToString();
    }

    public bool TryGet(string key, out bool answer) => answers.TryGetValue(key, out answer);

    public void Keep(string? key, bool answer)
    {
        if (key is null || !answers.TryAdd(key, answer))
        {
            return;
        }
        if (Interlocked.Increment(ref count) > Capacity)
        {
            answers.Clear();
            Volatile.Write(ref count, 0);
        }
    }

    // With its length, so that no text can look like two.
    private static void Append(StringBuilder key, string? text) =>
        _ = text is null ? key.Append("-;") : key.Append(text.Length).Append(':').Append(text).Append(';');
}
