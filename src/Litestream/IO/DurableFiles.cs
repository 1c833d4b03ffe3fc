namespace Litestream.IO;

/// <summary>The seam to the disk for the engine's own files: LTX files, restored databases, lock files. Never a live database (rule 1).</summary>
/// <remarks>
/// Every durable step is one method, so that a test can fail or crash any of them. Calls are synchronous and safe from any thread.
/// Failures are <see cref="LitestreamException"/> with <see cref="LitestreamError.DiskFull"/> or <see cref="LitestreamError.LocalStorage"/>,
/// naming path and step; a missing file is <see cref="LitestreamError.NotFound"/>.
/// </remarks>
public abstract class DurableFiles
{
    /// <summary>The disk of this machine.</summary>
    public static DurableFiles System { get; } = new SystemDurableFiles();

    /// <summary>True when a file (not a folder) is there.</summary>
    public abstract bool FileExists(string path);

    /// <summary>True when a folder is there.</summary>
    public abstract bool DirectoryExists(string path);

    /// <summary>What is known of a file or folder; null when there is none.</summary>
    public abstract DurableEntry? Stat(string path);

    /// <summary>Makes the folder and its missing parents, and makes their names durable. Existing folders are fine.</summary>
    public abstract void CreateDirectory(string path);

    /// <summary>Opens a new, empty file for writing and reading; an existing one is emptied. Its bytes are durable only after <see cref="Flush"/>.</summary>
    public abstract Stream Create(string path);

    /// <summary>Opens for reading; the stream can seek and knows its length.</summary>
    public abstract Stream OpenRead(string path);

    /// <summary>Makes the bytes of a stream from <see cref="Create"/> durable (fsync).</summary>
    public abstract void Flush(Stream stream);

    /// <summary>Gives a file its final name, replacing one that is there. Durable after <see cref="FlushDirectory"/>.</summary>
    public abstract void Rename(string from, string to);

    /// <summary>Makes the names in a folder durable (fsync of the folder).</summary>
    public abstract void FlushDirectory(string path);

    /// <summary>Removes a file; a missing one is fine.</summary>
    public abstract void Delete(string path);

    /// <summary>Files and folders directly inside, in no order. A missing folder is empty.</summary>
    public abstract IReadOnlyList<DurableEntry> List(string directory);

    /// <summary>Sets the modification time.</summary>
    public abstract void SetLastWriteTime(string path, DateTimeOffset time);

    /// <summary>Gives <paramref name="path"/> the mode (and, where permitted, the owner) of <paramref name="like"/>; without effect where the system knows no modes.</summary>
    public abstract void CopyAccess(string like, string path);

    /// <summary>Gives <paramref name="path"/> the owner and group of <paramref name="like"/>, a file or folder, where permitted (usually: for root).</summary>
    public virtual void CopyOwner(string like, string path) { }

    /// <summary>
    /// Takes an exclusive lock that ends with the process, writes <paramref name="owner"/> into the file, and holds it until disposed.
    /// Null when another process or engine holds it; then <see cref="ReadAllText"/> tells who.
    /// </summary>
    public abstract IDisposable? TryLock(string path, string owner);

    /// <summary>The text of a small file; null when there is none.</summary>
    public abstract string? ReadAllText(string path);
}

/// <summary>One name in a folder.</summary>
/// <param name="Name">Without the folder.</param>
/// <param name="IsDirectory">True for a folder.</param>
/// <param name="SizeBytes">0 for a folder.</param>
/// <param name="LastWriteTime">Modification time.</param>
public readonly record struct DurableEntry(string Name, bool IsDirectory, long SizeBytes, DateTimeOffset LastWriteTime);
