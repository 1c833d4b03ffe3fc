namespace Litestream.IO;

/// <summary>Lands a file whole or not at all.</summary>
public static class AtomicFile
{
    /// <summary>Ending of a file that has not landed yet.</summary>
    public const string TemporarySuffix = ".tmp";

    /// <summary>
    /// Writes <paramref name="path"/><c>.tmp</c>, makes it durable, gives it its name, makes the name durable. An older file of that name is
    /// replaced. On every failure the temporary file is removed; only when the very last step fails, the file has its name already, but the
    /// name may not survive a power cut, and the caller must do it again.
    /// </summary>
    /// <param name="files">The disk.</param>
    /// <param name="path">The final name; its folder must exist. Only one writer at a time may use a name.</param>
    /// <param name="write">Writes the content; the stream is closed afterwards by this method.</param>
    /// <param name="cancellationToken">Given to <paramref name="write"/>; not looked at once the content is complete.</param>
    /// <param name="accessLike">A file whose mode and owner the new one gets before its first byte; null for the system's default.</param>
    /// <param name="lastWriteTime">Modification time to set; null for now.</param>
    /// <returns>What <paramref name="write"/> returned.</returns>
    /// <exception cref="LitestreamException">As of <see cref="DurableFiles"/>.</exception>
    public static Task<T> WriteAsync<T>(
        DurableFiles files,
        string path,
        Func<Stream, CancellationToken, Task<T>> write,
        CancellationToken cancellationToken,
        string? accessLike = null,
        DateTimeOffset? lastWriteTime = null
    ) => WriteAsync(files, path, path + TemporarySuffix, write, accessLike, lastWriteTime, cancellationToken);

    /// <summary>As the other, with a temporary name chosen by the caller, in the same folder, for names that several may write at once.</summary>
    internal static async Task<T> WriteAsync<T>(
        DurableFiles files,
        string path,
        string temporaryPath,
        Func<Stream, CancellationToken, Task<T>> write,
        string? accessLike,
        DateTimeOffset? lastWriteTime,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(files);
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(write);
        var renamed = false;
        try
        {
            T result;
            var stream = files.Create(temporaryPath);
            await using (stream.ConfigureAwait(false))
            {
                if (accessLike is not null)
                    files.CopyAccess(accessLike, temporaryPath);
                result = await write(stream, cancellationToken).ConfigureAwait(false);
                await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
                // Before the sync, so that the time is durable with the bytes.
                if (lastWriteTime is { } time)
                    files.SetLastWriteTime(temporaryPath, time);
                files.Flush(stream);
            }
            files.Rename(temporaryPath, path);
            renamed = true;
            files.FlushDirectory(Path.GetDirectoryName(path) is { Length: > 0 } folder ? folder : ".");
            return result;
        }
        catch when (!renamed)
        {
            TryDelete(files, temporaryPath);
            throw;
        }
    }

    private static void TryDelete(DurableFiles files, string path)
    {
        try
        {
            files.Delete(path);
        }
        catch (LitestreamException)
        {
            // The first failure is the one to tell; the next start removes what is left.
        }
    }
}
