using System.Diagnostics.Metrics;
using Litestream.Diagnostics;

namespace Litestream;

/// <summary>
/// The same numbers as <see cref="LitestreamMetrics"/> through the platform's own <see cref="Meter"/>, for OpenTelemetry and every other listener. Costs
/// nothing while nobody listens.
/// </summary>
internal sealed class LitestreamMeter : IDisposable
{
    /// <summary>One collection asks instrument after instrument: they are served from one look at the counters.</summary>
    private static readonly TimeSpan OneCollection = TimeSpan.FromMilliseconds(100);

    private readonly Meter _meter = new("Litestream");
    private readonly LitestreamMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private ILookup<string, MetricSample>? _samples;
    private long _taken;

    internal LitestreamMeter(LitestreamMetrics metrics, TimeProvider time)
    {
        (_metrics, _time) = (metrics, time);
        foreach (var (name, type, help) in LitestreamMetrics.Names)
        {
            if (type == "counter")
                _meter.CreateObservableCounter(name, () => Observe(name, ""), description: help);
            else if (type == "gauge")
                _meter.CreateObservableGauge(name, () => Observe(name, ""), description: help);
            else
            {
                // Of a histogram, what can be told from outside: how many and how long in all.
                _meter.CreateObservableCounter(name + "_count", () => Observe(name, "_count"), description: help);
                _meter.CreateObservableCounter(name + "_sum", () => Observe(name, "_sum"), description: help);
            }
        }
    }

    private IEnumerable<Measurement<double>> Observe(string name, string suffix) =>
        Samples()[name]
            .Where(s => s.Suffix == suffix)
            .Select(s => new Measurement<double>(s.Value, s.Labels.Select(l => new KeyValuePair<string, object?>(l.Name, l.Value))));

    private ILookup<string, MetricSample> Samples()
    {
        lock (_lock)
        {
            if (_samples is not null && _time.GetElapsedTime(_taken) < OneCollection)
                return _samples;
            _taken = _time.GetTimestamp();
            return _samples = _metrics.Samples().ToLookup(s => s.Name, StringComparer.Ordinal);
        }
    }

    public void Dispose() => _meter.Dispose();
}
