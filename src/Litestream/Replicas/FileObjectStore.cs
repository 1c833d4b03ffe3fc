using System.Buffers;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Litestream.IO;

namespace Litestream.Replicas;

/// <summary>A folder as a store: keys are paths in it, modification times are the objects' times.</summary>
/// <remarks>
/// Conditions are kept by an advisory lock on a hidden file in the folder, so among writers on one machine (or on a network file system that
/// forwards locks). A tag is a hash of the content, known for objects up to 64 KiB: leases, not LTX files.
/// </remarks>
public sealed class FileObjectStore : ObjectStore
{
    private const string LockName = ".litestream-store.lock";
    private const int TagLimit = 64 << 10;

    // Each piece costs a change of threads, which counts where processors are short. Small objects take no more than they need.
    private const int CopyBufferSize = 512 << 10;
    private const int LeastCopyBufferSize = 4 << 10;
    private static readonly TimeSpan LockPause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan LockTimeout = TimeSpan.FromSeconds(10);

    // Old enough that no writer can still be at work on it.
    private static readonly TimeSpan TemporaryFileAge = TimeSpan.FromDays(1);

    private readonly DurableFiles _files;
    private readonly TimeProvider _time;
    private readonly string _root;
    private readonly HashSet<string> _swept = [];
    private volatile bool _namesAreDurable;

    /// <summary>A store in a folder, which need not exist yet.</summary>
    /// <param name="files">The disk.</param>
    /// <param name="root">The folder, absolute.</param>
    /// <param name="time">The clock for waiting and for the age of left-over files; null for the system's.</param>
    public FileObjectStore(DurableFiles files, string root, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(files);
        ArgumentException.ThrowIfNullOrEmpty(root);
        _files = files;
        _time = time ?? TimeProvider.System;
        _root = root;
    }

    /// <summary>How the folder backend registers: <c>file</c>, without settings.</summary>
    public static ObjectStoreBackend Backend { get; } =
        new(["file"], ReplicaLayout.Folders, [], options => Open(options, DurableFiles.System));

    /// <inheritdoc/>
    public override StoreCapabilities Capabilities { get; } =
        new(ConditionalCreate: true, ConditionalReplace: true, Ranges: true, ServerDates: false, ExactListing: true, ListsTimestamps: true);

    /// <inheritdoc/>
    public override string Kind => "file";

    /// <inheritdoc/>
    public override string Location => _root;

    /// <summary>Opens the folder of a replica on a given disk.</summary>
    internal static FileObjectStore Open(ReplicaOptions options, DurableFiles files)
    {
        var url = options.Url;
        foreach (var setting in options.Settings.Keys)
        {
            throw new LitestreamException(LitestreamError.InvalidConfiguration, $"a file replica knows no setting '{setting}' ({url})");
        }
        var root = url.Path;
        // Litestream leaves the escapes of a file URL in the folder's name ("a b" lies in "a%20b"). We write the plain name, but go on where
        // there is only such a folder.
        if (!url.IsPlainPath && !files.DirectoryExists(root))
        {
            var escaped = string.Join('/', root.Split('/').Select(Uri.EscapeDataString));
            if (escaped != root && files.DirectoryExists(escaped))
                root = escaped;
        }
        if (files.FileExists(root))
        {
            throw new LitestreamException(LitestreamError.InvalidConfiguration, $"the replica's path is a file, not a folder: {root}")
            {
                Path = root,
                Hint = "a replica needs a folder of its own",
            };
        }
        return new FileObjectStore(files, root);
    }

    /// <inheritdoc/>
    protected internal override async IAsyncEnumerable<StoredObject> ListCoreAsync(
        string prefix,
        string? after,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        // Folders that may hold such keys, as prefixes of keys ("" or ending at a slash), next one on top.
        var slash = prefix.LastIndexOf('/');
        var start = prefix[..(slash + 1)];
        if (start.Length > 0 && !IsKey(start[..^1]))
            yield break;
        var pending = new Stack<(string Key, DurableEntry? File)>();
        pending.Push((start, null));
        while (pending.TryPop(out var next))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (next.File is { } file)
            {
                yield return new StoredObject(next.Key, file.SizeBytes, file.LastWriteTime);
                continue;
            }
            var children = ListFolder(next.Key, prefix, after);
            for (var i = children.Count - 1; i >= 0; i--)
                pending.Push(children[i]);
        }
        await Task.CompletedTask.ConfigureAwait(false);
    }

    /// <inheritdoc/>
    protected internal override async Task<Stream> OpenCoreAsync(string key, long offset, long? length, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var stream = OpenFile(key);
        try
        {
            stream.Position = Math.Min(offset, stream.Length);
            return length is { } limit ? new BoundedStream(stream, limit) : stream;
        }
        catch
        {
            await stream.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <inheritdoc/>
    protected internal override async Task<StoredObject> PutCoreAsync(
        string key,
        Stream content,
        PutOptions options,
        CancellationToken cancellationToken
    )
    {
        cancellationToken.ThrowIfCancellationRequested();
        var path = PathOf(key);
        var folder = Path.GetDirectoryName(path)!;
        _files.CreateDirectory(folder);
        RemoveLeftovers(folder);
        try
        {
            if (!_namesAreDurable)
            {
                _namesAreDurable = true; // first, so that another writer's failure meanwhile is not forgotten
                FlushFolders(_root);
            }
            return await PutAsync(key, path, content, options, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            _namesAreDurable = false;
            throw;
        }
    }

    private async Task<StoredObject> PutAsync(
        string key,
        string path,
        Stream content,
        PutOptions options,
        CancellationToken cancellationToken
    )
    {
        if (!options.IfAbsent && options.IfTag is null)
            return await WriteAsync(key, path, content, options.Timestamp, cancellationToken).ConfigureAwait(false);
        using var held = await LockAsync(cancellationToken).ConfigureAwait(false);
        await CheckConditionAsync(key, path, options, cancellationToken).ConfigureAwait(false);
        return await WriteAsync(key, path, content, options.Timestamp, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    protected internal override async Task<StoredObject?> HeadCoreAsync(string key, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (_files.Stat(PathOf(key)) is not { IsDirectory: false } entry)
            return null;
        var tag = await ReadTagAsync(key, cancellationToken).ConfigureAwait(false);
        return new StoredObject(key, entry.SizeBytes, entry.LastWriteTime, tag);
    }

    /// <inheritdoc/>
    protected internal override Task DeleteCoreAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken)
    {
        foreach (var key in keys)
        {
            cancellationToken.ThrowIfCancellationRequested();
            _files.Delete(PathOf(key));
        }
        return Task.CompletedTask;
    }

    private static bool IsKey(string key) =>
        !Path.IsPathRooted(key)
        && !key.Contains('\0', StringComparison.Ordinal)
        && !(OperatingSystem.IsWindows() && key.Contains('\\', StringComparison.Ordinal))
        && key.Split('/').All(part => part is not ("" or "." or ".."));

    private static bool IsTemporary(string name) =>
        name.EndsWith(AtomicFile.TemporarySuffix, StringComparison.Ordinal) && name.StartsWith('.');

    private string PathOf(string key) =>
        IsKey(key) ? Path.Combine(_root, key) : throw new ArgumentException($"not a key that a folder can hold: '{key}'", nameof(key));

    private List<(string Key, DurableEntry? File)> ListFolder(string folderKey, string prefix, string? after)
    {
        var children = new List<(string Key, DurableEntry? File)>();
        foreach (var entry in _files.List(Path.Combine(_root, folderKey)))
        {
            // With its slash a folder sorts among the files as its keys do.
            var key = entry.IsDirectory ? $"{folderKey}{entry.Name}/" : folderKey + entry.Name;
            if (entry.IsDirectory)
            {
                var mayHold = key.StartsWith(prefix, StringComparison.Ordinal) || prefix.StartsWith(key, StringComparison.Ordinal);
                var isBehind = after is null || string.CompareOrdinal(key, after) > 0 || after.StartsWith(key, StringComparison.Ordinal);
                if (mayHold && isBehind)
                    children.Add((key, null));
                continue;
            }
            var isOurs = IsTemporary(entry.Name) || (folderKey.Length == 0 && entry.Name == LockName);
            if (!isOurs && key.StartsWith(prefix, StringComparison.Ordinal) && (after is null || string.CompareOrdinal(key, after) > 0))
                children.Add((key, entry));
        }
        children.Sort((a, b) => string.CompareOrdinal(a.Key, b.Key));
        return children;
    }

    private Stream OpenFile(string key)
    {
        try
        {
            return _files.OpenRead(PathOf(key));
        }
        catch (LitestreamException e) when (e.Error == LitestreamError.LocalStorage && _files.DirectoryExists(PathOf(key)))
        {
            throw new LitestreamException(LitestreamError.NotFound, $"not found: {key} is a folder in {Location}", e) { Path = key };
        }
    }

    private async Task<StoredObject> WriteAsync(
        string key,
        string path,
        Stream content,
        DateTimeOffset? timestamp,
        CancellationToken cancellationToken
    )
    {
        // Several writers may put one key at the same time, each whole: so each has a temporary file of its own.
        var name = $".{Path.GetFileName(path)}.{Guid.NewGuid():n}{AtomicFile.TemporarySuffix}";
        if (name.Length > 200)
            name = $".{Guid.NewGuid():n}{AtomicFile.TemporarySuffix}";
        var time = timestamp ?? _time.GetUtcNow();
        var (size, tag) = await AtomicFile
            .WriteAsync(_files, path, Path.Combine(Path.GetDirectoryName(path)!, name), CopyAsync, null, time, cancellationToken)
            .ConfigureAwait(false);
        return new StoredObject(key, size, time, tag);

        async Task<(long Size, string? Tag)> CopyAsync(Stream file, CancellationToken ct)
        {
            var size = content.CanSeek
                ? Math.Clamp(content.Length - content.Position + 1, LeastCopyBufferSize, CopyBufferSize)
                : CopyBufferSize;
            var buffer = ArrayPool<byte>.Shared.Rent((int)size);
            try
            {
                long copied = 0;
                string? small = null;
                for (
                    int read;
                    (read = await content.ReadAtLeastAsync(buffer, buffer.Length, false, ct).ConfigureAwait(false)) > 0;
                    copied += read
                )
                {
                    small = copied == 0 && read <= TagLimit ? TagOf(buffer.AsSpan(0, read)) : null;
                    await file.WriteAsync(buffer.AsMemory(0, read), ct).ConfigureAwait(false);
                }
                return (copied, copied == 0 ? TagOf([]) : small);
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }
    }

    private async Task CheckConditionAsync(string key, string path, PutOptions options, CancellationToken cancellationToken)
    {
        var exists = _files.FileExists(path);
        var holds = options.IfAbsent
            ? !exists
            : exists && await ReadTagAsync(key, cancellationToken).ConfigureAwait(false) is { } tag && tag == options.IfTag;
        if (!holds)
        {
            throw new LitestreamException(
                LitestreamError.Conflict,
                options.IfAbsent ? $"{key} exists already in {Location}" : $"{key} was changed by somebody else in {Location}"
            )
            {
                Path = key,
            };
        }
    }

    private async Task<string?> ReadTagAsync(string key, CancellationToken cancellationToken)
    {
        try
        {
            var stream = OpenFile(key);
            await using (stream.ConfigureAwait(false))
            {
                if (stream.Length > TagLimit)
                    return null;
                var bytes = new byte[TagLimit];
                var length = await stream
                    .ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken)
                    .ConfigureAwait(false);
                return TagOf(bytes.AsSpan(0, length));
            }
        }
        catch (LitestreamException e) when (e.Error == LitestreamError.NotFound)
        {
            return null;
        }
    }

    private static string TagOf(ReadOnlySpan<byte> content) => Convert.ToHexStringLower(SHA256.HashData(content));

    private async Task<IDisposable> LockAsync(CancellationToken cancellationToken)
    {
        var path = Path.Combine(_root, LockName);
        var started = _time.GetTimestamp();
        while (true)
        {
            if (_files.TryLock(path, "conditional write") is { } held)
                return held;
            if (_time.GetElapsedTime(started) > LockTimeout)
                throw new LitestreamException(LitestreamError.Unavailable, $"{path} is locked by another writer")
                {
                    IsTransient = true,
                    Path = path,
                };
            await Task.Delay(LockPause, _time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Before the first write, and after one that failed: a file whose folder could not be synced has its name, is listed, and may go with the
    /// next power cut. What is written behind it must not outlive it.
    /// </summary>
    private void FlushFolders(string folder)
    {
        _files.FlushDirectory(folder);
        foreach (var entry in _files.List(folder))
            if (entry.IsDirectory)
                FlushFolders(Path.Combine(folder, entry.Name));
    }

    /// <summary>Once a folder: removes what a writer left behind that was killed long ago.</summary>
    private void RemoveLeftovers(string folder)
    {
        lock (_swept)
        {
            if (!_swept.Add(folder))
                return;
        }
        var oldest = _time.GetUtcNow() - TemporaryFileAge;
        foreach (var entry in _files.List(folder))
        {
            if (!entry.IsDirectory && IsTemporary(entry.Name) && entry.LastWriteTime < oldest)
                _files.Delete(Path.Combine(folder, entry.Name));
        }
    }
}
