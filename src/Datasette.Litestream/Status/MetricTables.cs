using System.Globalization;

namespace Datasette.Litestream.Status;

/// <summary>One sample of the metrics text.</summary>
/// <param name="Name">The metric.</param>
/// <param name="Labels">Its labels.</param>
/// <param name="Value">Its value.</param>
internal sealed record MetricSample(string Name, IReadOnlyDictionary<string, string> Labels, double Value);

/// <summary>One row of the tables about replica operations.</summary>
/// <param name="Operation">PUT, GET, LIST, DELETE.</param>
/// <param name="ReplicaType">Backend.</param>
/// <param name="Value">Bytes or number.</param>
internal sealed record OperationRow(string Operation, string ReplicaType, double Value);

/// <summary>The samples of one database.</summary>
/// <param name="Name">Its name in the host.</param>
/// <param name="Rows">Key and value.</param>
internal sealed record DatabaseMetrics(string Name, IReadOnlyList<KeyValuePair<string, double>> Rows);

/// <summary>The engine's counters as the status page shows them. Immutable.</summary>
/// <param name="OperationBytes">Table "Replica operation bytes".</param>
/// <param name="OperationCounts">Table "Replica total operations".</param>
/// <param name="Databases">One table for each database of the host.</param>
internal sealed record MetricTables(
    IReadOnlyList<OperationRow> OperationBytes,
    IReadOnlyList<OperationRow> OperationCounts,
    IReadOnlyList<DatabaseMetrics> Databases
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
            .Select(pair => new DatabaseMetrics(
                pair.Value,
                [.. samples.Where(sample => IsOf(sample, pair.Key)).Select(sample => new KeyValuePair<string, double>(Key(sample), sample.Value))]
            ))
            .Where(database => database.Rows.Count > 0);
        return new MetricTables(Operations(samples, Bytes), Operations(samples, Count), [.. databases]);
    }

    /// <summary>Reads the Prometheus text form; lines that are none are skipped.</summary>
    public static IReadOnlyList<MetricSample> Parse(string text)
    {
        var samples = new List<MetricSample>();
        foreach (var line in text.AsSpan().EnumerateLines())
        {
            if (!line.IsEmpty && line[0] != '#' && ParseLine(line) is { } sample)
                samples.Add(sample);
        }
        return samples;
    }

    private static bool IsOf(MetricSample sample, string path) =>
        sample.Labels.GetValueOrDefault("db") == path
        && sample.Name.StartsWith("litestream_", StringComparison.Ordinal)
        && Bare(sample.Name) is not (Bytes or Count or Validation);

    private static string Bare(string name) => name.EndsWith("_total", StringComparison.Ordinal) ? name[..^"_total".Length] : name;

    private static string Key(MetricSample sample)
    {
        var others = sample.Labels.Where(label => label.Key != "db").Select(label => $"{label.Key}=\"{label.Value}\"").ToList();
        return others.Count == 0 ? sample.Name : $"{sample.Name}{{{string.Join(",", others)}}}";
    }

    private static IReadOnlyList<OperationRow> Operations(IReadOnlyList<MetricSample> samples, string name) =>
        [
            .. samples
                .Where(sample => Bare(sample.Name) == name)
                .Select(sample => new OperationRow(
                    sample.Labels.GetValueOrDefault("operation", ""),
                    sample.Labels.GetValueOrDefault("replica_type", ""),
                    sample.Value
                )),
        ];

    private static MetricSample? ParseLine(ReadOnlySpan<char> line)
    {
        var end = line.IndexOfAny('{', ' ');
        if (end <= 0)
            return null;
        var name = line[..end].ToString();
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        var rest = line[end..];
        if (rest[0] == '{' && !ParseLabels(ref rest, labels))
            return null;
        rest = rest.Trim();
        var space = rest.IndexOf(' ');
        if (space > 0)
            rest = rest[..space];
        return double.TryParse(rest, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) ? new MetricSample(name, labels, value) : null;
    }

    private static bool ParseLabels(ref ReadOnlySpan<char> rest, Dictionary<string, string> labels)
    {
        rest = rest[1..];
        var value = new System.Text.StringBuilder();
        while (!rest.IsEmpty && rest[0] != '}')
        {
            var equals = rest.IndexOf("=\"");
            if (equals <= 0)
                return false;
            var key = rest[..equals].Trim(", ").ToString();
            rest = rest[(equals + 2)..];
            value.Clear();
            var at = 0;
            for (; at < rest.Length && rest[at] != '"'; at++)
            {
                if (rest[at] == '\\' && at + 1 < rest.Length)
                    value.Append(rest[++at] == 'n' ? '\n' : rest[at]);
                else
                    value.Append(rest[at]);
            }
            if (at == rest.Length)
                return false;
            labels[key] = value.ToString();
            rest = rest[(at + 1)..].TrimStart(',');
        }
        if (rest.IsEmpty)
            return false;
        rest = rest[1..];
        return true;
    }
}
