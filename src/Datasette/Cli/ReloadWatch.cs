using Datasette.Hosting;

namespace Datasette.Cli;

/// <summary><c>--reload</c>: notices that configuration, metadata or a file served as immutable is another than at the start.</summary>
internal static class ReloadWatch
{
    private static readonly TimeSpan Every = TimeSpan.FromMilliseconds(500);

    /// <summary>What the files look like now: their times and sizes. They are not opened.</summary>
    public static string Stamp(ServeOptions options)
    {
        var expanded = ConfigDirectory.Expand(options);
        var files = new[] { expanded.ConfigFile, expanded.MetadataFile, expanded.InspectFile }.OfType<string>().Concat(expanded.Immutables);
        return string.Join('\n', files.Select(StampOf));
    }

    /// <summary>Comes back when the stamp is another.</summary>
    public static async Task ChangedAsync(ServeOptions options, string stamp, CancellationToken ct)
    {
        while (Stamp(options) == stamp)
        {
            await Task.Delay(Every, TimeProvider.System, ct);
        }
    }

    private static string StampOf(string path) =>
        new FileInfo(path) is { Exists: true } file ? $"{path} {file.LastWriteTimeUtc.Ticks} {file.Length}" : path;
}
