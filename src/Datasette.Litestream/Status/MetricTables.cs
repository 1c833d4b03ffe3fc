using Litestream.Diagnostics;

namespace Datasette.Litestream.Status;

/// <summary>One row of the tables about replica operations.</summary>
/// <param name="Operation">PUT, GET, LIST, DELETE.</param>
/// <param name="ReplicaType">Backend.</param>
/// <param name="Value">Bytes or number.</param>
internal sealed record OperationRow(string Operation, string ReplicaType, double Value);

/// <summary>The samples of one database.</summary>
/// <param name="Name">Its name in the host.</param>
/// <param name="Rows">Key and value.</param>
internal sealed record MetricsOfDatabase(string Name, IReadOnlyList<KeyValuePair<string, double>> Rows);

/// <summary>The engine's counters as the status page shows them. Immutable.</summary>
/// <param name="OperationBytes">Table "Replica operation bytes".</param>
/// <param name="OperationCounts">Table "Replica total operations".</param>
/// <param name="Databases">One table for each database of the host.</param>
internal sealed record MetricTables(
    IReadOnlyList<OperationRow> OperationBytes,
    IReadOnlyList<OperationRow> OperationCounts,
    IReadOnlyList<MetricsOfDatabase> Databases
)
{
    private const string Bytes = "litestream_replica_operation_bytes";
    private const string Count = "litestream_replica_operation";
    private const string Validation = "litestream_replica_validation";

    /// <summary>No samples.</summary>
    public static MetricTables Empty { get; } = new([], [], []);

    /// <summary>Sorts samples into tables. Samples of databases that the host does not know are left out.</summary>
    /// <param name="samples">The samples.</param>
    /// <param name="names">The host's names by absolute path, in attach order.</param>
    public static MetricTables From(IReadOnlyList<MetricSample> samples, IReadOnlyList<KeyValuePair<string, string>> names)
    {
        var databases = names
            .Select(pair => new MetricsOfDatabase(
                pair.Value,
                [
                    .. samples
                        .Where(sample => IsOf(sample, pair.Key))
                        .Select(sample => new KeyValuePair<string, double>(Key(sample), sample.Value)),
                ]
            ))
            .Where(database => database.Rows.Count > 0);
        return new MetricTables(Operations(samples, Bytes), Operations(samples, Count), [.. databases]);
    }

    private static bool IsOf(MetricSample sample, string path) =>
        Label(sample, "db") == path
        && sample.Name.StartsWith("litestream_", StringComparison.Ordinal)
        && Bare(sample.Name) is not (Bytes or Count or Validation);

    private static string Bare(string name) => name.EndsWith("_total", StringComparison.Ordinal) ? name[..^"_total".Length] : name;

    private static string Key(MetricSample sample)
    {
        var others = sample.Labels.Where(label => label.Name != "db").Select(label => $"{label.Name}=\"{label.Value}\"").ToList();
        var name = sample.Name + sample.Suffix;
        return others.Count == 0 ? name : $"{name}{{{string.Join(",", others)}}}";
    }

    private static string? Label(MetricSample sample, string name) => sample.Labels.FirstOrDefault(label => label.Name == name).Value;

    private static IReadOnlyList<OperationRow> Operations(IReadOnlyList<MetricSample> samples, string name) =>
        [
            .. samples
                .Where(sample => Bare(sample.Name) == name)
                .Select(sample => new OperationRow(Label(sample, "operation") ?? "", Label(sample, "replica_type") ?? "", sample.Value)),
        ];
}
