using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Datasette.Benchmarks;

/// <summary>What one run of wrk said.</summary>
/// <param name="PerSecond">Requests answered each second.</param>
/// <param name="Middle">Median latency, in milliseconds.</param>
/// <param name="Slow">Latency that 99 of 100 do not exceed, in milliseconds.</param>
internal sealed record Load(double PerSecond, double Middle, double Slow);

/// <summary>The load generator.</summary>
internal static partial class Wrk
{
    public const int Connections = 16;

    /// <summary>Its own line about its version.</summary>
    public static async Task<string> VersionAsync()
    {
        try
        {
            return (await OutputAsync("--version")).Split('\n')[0].Split("Copyright")[0].Trim();
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new InvalidOperationException("wrk is missing: apt-get install wrk", e);
        }
    }

    public static async Task<Load> RunAsync(string url, int seconds)
    {
        var output = await OutputAsync("--latency", "-t", "2", "-c", $"{Connections}", "-d", $"{seconds}s", url);
        if (output.Contains("Non-2xx", StringComparison.Ordinal) || output.Contains("Socket errors", StringComparison.Ordinal))
        {
            throw new InvalidOperationException($"{url}: {output}");
        }

        return new Load(
            double.Parse(PerSecond().Match(output).Groups[1].Value, CultureInfo.InvariantCulture),
            Milliseconds(output, "50%"),
            Milliseconds(output, "99%")
        );
    }

    private static double Milliseconds(string output, string line)
    {
        var match = Regex.Match(output, $@"^\s+{line}\s+([\d.]+)(us|ms|s)\s*$", RegexOptions.Multiline);
        var value = double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture);
        return match.Groups[2].Value switch
        {
            "us" => value / 1000,
            "ms" => value,
            _ => value * 1000,
        };
    }

    private static async Task<string> OutputAsync(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("wrk", arguments) { RedirectStandardOutput = true })!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return output;
    }

    [GeneratedRegex(@"Requests/sec:\s+([\d.]+)")]
    private static partial Regex PerSecond();
}
