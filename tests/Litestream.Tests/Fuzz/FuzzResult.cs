using System.Globalization;
using System.Text.Json;

namespace Litestream.Tests.Fuzz;

/// <summary>What a run found.</summary>
internal sealed record FuzzResult(
    string Target,
    long Inputs,
    long Accepted,
    TimeSpan Time,
    TimeSpan Slowest,
    long MostOver,
    int Edges,
    int Kept,
    IReadOnlyList<string> Crashes,
    IReadOnlyList<string> OverBound
)
{
    public static FuzzResult FromJson(string json) => JsonSerializer.Deserialize<FuzzResult>(json)!;

    public string ToJson() => JsonSerializer.Serialize(this);

    public override string ToString() =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{Target}: {Inputs} inputs ({Accepted} accepted), {Time.TotalMinutes:0.0} minutes, {Crashes.Count} crashes, {OverBound.Count} over the bound, most memory beyond the input {MostOver} bytes, slowest {Slowest.TotalMilliseconds:0} ms"
        ) + (Edges > 0 ? string.Create(CultureInfo.InvariantCulture, $", {Edges} edges, {Kept} inputs that led to new ones") : "");
}
