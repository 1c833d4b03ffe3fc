using System.Globalization;

namespace Litestream.Diagnostics;

/// <summary>One sample of a metric.</summary>
/// <param name="Name">Metric name.</param>
/// <param name="Type">Prometheus type: <c>counter</c>, <c>gauge</c> or <c>histogram</c>.</param>
/// <param name="Help">One line for people.</param>
/// <param name="Labels">Labels in order.</param>
/// <param name="Value">The value.</param>
/// <param name="Suffix">For a histogram <c>_bucket</c>, <c>_sum</c> or <c>_count</c>; else empty.</param>
public sealed record MetricSample(
    string Name,
    string Type,
    string Help,
    IReadOnlyList<(string Name, string Value)> Labels,
    double Value,
    string Suffix = ""
);

internal sealed class PrometheusText(TextWriter output)
{
    private string? _lastName;

    internal void Write(MetricSample sample)
    {
        if (sample.Name != _lastName)
            output.Write($"# HELP {sample.Name} {sample.Help}\n# TYPE {sample.Name} {sample.Type}\n");
        _lastName = sample.Name;
        output.Write(sample.Name + sample.Suffix);
        if (sample.Labels.Count > 0)
            output.Write($"{{{string.Join(',', sample.Labels.Select(l => $"{l.Name}=\"{Escape(l.Value)}\""))}}}");
        output.Write(string.Create(CultureInfo.InvariantCulture, $" {sample.Value}\n"));
    }

    private static string Escape(string value) =>
        value
            .Replace("\\", "\\\\", StringComparison.Ordinal)
            .Replace("\"", "\\\"", StringComparison.Ordinal)
            .Replace("\n", "\\n", StringComparison.Ordinal);
}
