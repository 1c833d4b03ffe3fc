using System.Globalization;

namespace Litestream.Benchmarks;

/// <summary>What the command line says; each benchmark has its own defaults.</summary>
/// <param name="Rounds">Runs of each side; medians are reported.</param>
/// <param name="Seconds">Length of a run that is measured by time.</param>
/// <param name="SizeMb">Size of the database, in millions of bytes.</param>
/// <param name="Databases">How many, where there are many.</param>
/// <param name="Folder">Where databases and replicas are made.</param>
/// <param name="Log">File for the engine's own log; null: none.</param>
internal sealed record BenchmarkOptions(int Rounds, double Seconds, int SizeMb, int Databases, string Folder, string? Log = null)
{
    public static BenchmarkOptions Parse(string[] args, int rounds = 5, double seconds = 4, int sizeMb = 1000, int databases = 500)
    {
        var options = new BenchmarkOptions(rounds, seconds, sizeMb, databases, Path.GetTempPath());
        for (var i = 0; i < args.Length; i += 2)
        {
            var value = i + 1 < args.Length ? args[i + 1] : throw new ArgumentException($"{args[i]} needs a value");
            options = args[i] switch
            {
                "--rounds" => options with { Rounds = int.Parse(value, CultureInfo.InvariantCulture) },
                "--seconds" => options with { Seconds = double.Parse(value, CultureInfo.InvariantCulture) },
                "--size" => options with { SizeMb = int.Parse(value, CultureInfo.InvariantCulture) },
                "--databases" => options with { Databases = int.Parse(value, CultureInfo.InvariantCulture) },
                "--log" => options with { Log = Path.GetFullPath(value) },
                "--dir" => options with { Folder = Path.GetFullPath(value) },
                _ => throw new ArgumentException($"unknown option {args[i]}"),
            };
        }

        return options;
    }

    /// <summary>A new folder for one run, which removes itself.</summary>
    public WorkFolder NewFolder() => new(Directory.CreateDirectory(Path.Combine(Folder, $"litestream-bench-{Guid.NewGuid():N}")).FullName);
}

/// <summary>A folder of a run; disposing removes it with all that is in it.</summary>
internal sealed class WorkFolder(string path) : IDisposable
{
    public string Path { get; } = path;

    public string Combine(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Bytes of all files below a folder in it.</summary>
    public long SizeOf(string name) =>
        Directory.Exists(Combine(name))
            ? new DirectoryInfo(Combine(name)).EnumerateFiles("*", SearchOption.AllDirectories).Sum(f => f.Length)
            : 0;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
