using System.Globalization;

namespace Datasette.Benchmarks;

/// <summary>What the command line says.</summary>
/// <param name="Rounds">Runs of each side; medians are reported.</param>
/// <param name="Seconds">Length of a run of wrk.</param>
/// <param name="Rows">Of the large table; 0 leaves it out.</param>
/// <param name="Folder">Where databases are made.</param>
/// <param name="Program">Our host, compiled ahead of time.</param>
internal sealed record HostOptions(int Rounds, int Seconds, int Rows, string Folder, string Program)
{
    public static HostOptions Parse(string[] args)
    {
        var options = new HostOptions(
            5,
            5,
            10_000_000,
            Path.GetTempPath(),
            Path.GetFullPath(Path.Combine("artifacts", "bench", "datasette"))
        );
        for (var i = 0; i < args.Length; i += 2)
        {
            var value = i + 1 < args.Length ? args[i + 1] : throw new ArgumentException($"{args[i]} needs a value");
            options = args[i] switch
            {
                "--rounds" => options with { Rounds = int.Parse(value, CultureInfo.InvariantCulture) },
                "--seconds" => options with { Seconds = int.Parse(value, CultureInfo.InvariantCulture) },
                "--rows" => options with { Rows = int.Parse(value, CultureInfo.InvariantCulture) },
                "--dir" => options with { Folder = Path.GetFullPath(value) },
                "--program" => options with { Program = Path.GetFullPath(value) },
                _ => throw new ArgumentException($"unknown option {args[i]}"),
            };
        }

        return File.Exists(options.Program)
            ? options
            : throw new FileNotFoundException($"{options.Program} is missing: start this by ./build.sh bench host");
    }
}
