using Litestream.IO;

namespace Litestream.Replication;

/// <summary>The folder of the engine's own files for one database, and the lock in it: one engine a database.</summary>
internal static class EngineFolder
{
    /// <summary>As configured, else <c>.NAME-litestream</c> beside the database, as Litestream has it.</summary>
    internal static string Of(DatabaseOptions options) =>
        options.MetaPath ?? Path.Combine(Path.GetDirectoryName(options.Path) ?? "", $".{Path.GetFileName(options.Path)}-litestream");

    /// <summary>Makes the folder and takes its lock, which ends with the process or when disposed.</summary>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.Locked"/>: another engine has it; the message names it.</exception>
    internal static IDisposable Lock(DurableFiles files, DatabaseOptions options)
    {
        var folder = Of(options);
        var created = !files.DirectoryExists(folder);
        files.CreateDirectory(folder);
        if (created)
            files.CopyAccess(Path.GetDirectoryName(options.Path)!, folder);
        var path = Path.Combine(folder, "engine.lock");
        return files.TryLock(path, $"{Environment.MachineName}:{Environment.ProcessId}")
            ?? throw new LitestreamException(
                LitestreamError.Locked,
                $"{options.Path}: another engine replicates it already: {files.ReadAllText(path) ?? "unknown"}"
            )
            {
                IsTransient = true,
                Hint = "stop that process, or give one of the two another meta-path and other replicas",
                Path = path,
            };
    }
}
