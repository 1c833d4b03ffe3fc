using System.IO.Enumeration;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Litestream.IO;

/// <summary>The disk of this machine. Folders are synced on Unix; elsewhere the file system's own promise has to do.</summary>
internal sealed class SystemDurableFiles : DurableFiles
{
    // The engine writes through pooled buffers of its own; this one only gathers the small writes between them.
    private const int BufferSize = 16 << 10;

    public override bool FileExists(string path) => File.Exists(path);

    public override bool DirectoryExists(string path) => Directory.Exists(path);

    public override DurableEntry? Stat(string path) =>
        Try<DurableEntry?>(
            "look at",
            path,
            () =>
            {
                FileSystemInfo info = new FileInfo(path);
                if (!info.Exists)
                    info = new DirectoryInfo(path);
                if (!info.Exists)
                    return null;
                return new DurableEntry(
                    info.Name,
                    info is DirectoryInfo,
                    info is FileInfo file ? file.Length : 0,
                    new DateTimeOffset(info.LastWriteTimeUtc)
                );
            }
        );

    public override void CreateDirectory(string path)
    {
        path = Path.GetFullPath(path);
        if (Directory.Exists(path))
            return;
        var made = new Stack<string>();
        for (var folder = path; folder is not null && !Directory.Exists(folder); folder = Path.GetDirectoryName(folder))
            made.Push(folder);
        Try(
            "create folder",
            path,
            () =>
            {
                try
                {
                    return Directory.CreateDirectory(path);
                }
                catch (DirectoryNotFoundException e)
                {
                    // Missing parents are made, so what stands in the way is there, but is no folder.
                    throw new IOException("a file is in the place of a folder above it", e);
                }
            }
        );
        foreach (var folder in made)
        {
            if (Path.GetDirectoryName(folder) is { } parent)
                FlushDirectory(parent);
        }
    }

    public override Stream Create(string path) =>
        OpenStream("create", path, FileMode.Create, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete);

    public override Stream OpenRead(string path) =>
        OpenStream("open", path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);

    public override void Flush(Stream stream)
    {
        if (stream is not DurableFileStream file)
            throw new ArgumentException("the stream is not from Create", nameof(stream));
        file.FlushToDisk();
    }

    public override void Rename(string from, string to) =>
        Try(
            "rename",
            from,
            () =>
            {
                File.Move(from, to, overwrite: true);
                return true;
            }
        );

    public override void FlushDirectory(string path)
    {
        if (!OperatingSystem.IsWindows())
            Posix.SyncDirectory(path);
    }

    public override void Delete(string path) =>
        Try(
            "delete",
            path,
            () =>
            {
                try
                {
                    File.Delete(path);
                }
                catch (DirectoryNotFoundException)
                {
                    // No folder, so no file: what was asked for.
                }
                return true;
            }
        );

    public override IReadOnlyList<DurableEntry> List(string directory) =>
        Try<IReadOnlyList<DurableEntry>>(
            "list",
            directory,
            () =>
            {
                var options = new EnumerationOptions { AttributesToSkip = 0, IgnoreInaccessible = false };
                try
                {
                    return [.. new FileSystemEnumerable<DurableEntry>(directory, ToEntry, options)];
                }
                catch (DirectoryNotFoundException) when (!File.Exists(directory))
                {
                    return [];
                }
                catch (DirectoryNotFoundException)
                {
                    throw new IOException("it is a file, not a folder");
                }
            }
        );

    public override void SetLastWriteTime(string path, DateTimeOffset time) =>
        Try(
            "set the time of",
            path,
            () =>
            {
                File.SetLastWriteTimeUtc(path, time.UtcDateTime);
                return true;
            }
        );

    public override void CopyAccess(string like, string path)
    {
        if (OperatingSystem.IsWindows())
            return;
        try
        {
            // The owner first: a change of owner clears some mode bits.
            Posix.CopyOwner(like, path);
            var mode = File.GetUnixFileMode(like);
            if (File.GetUnixFileMode(path) != mode)
                File.SetUnixFileMode(path, mode);
        }
        catch (Exception e) when (LocalStorageFailure.IsFileFailure(e))
        {
            throw LocalStorageFailure.From("set the mode of", path, e);
        }
    }

    public override void CopyOwner(string like, string path)
    {
        if (!OperatingSystem.IsWindows())
            Posix.CopyOwner(like, path);
    }

    public override IDisposable? TryLock(string path, string owner)
    {
        FileStream file;
        try
        {
            // On Windows the sharing mode is the lock, and it lets others read who holds it. On Unix None asks for flock(2).
            var share = OperatingSystem.IsWindows() ? FileShare.Read : FileShare.None;
            file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, share, bufferSize: 0);
        }
        catch (Exception e) when (LocalStorageFailure.IsHeld(e))
        {
            return null;
        }
        catch (Exception e) when (LocalStorageFailure.IsFileFailure(e))
        {
            throw LocalStorageFailure.From("open lock file", path, e);
        }
        try
        {
            // The framework can be told to leave its locks out (DOTNET_SYSTEM_IO_DISABLEFILELOCKING) and forgives file systems without them.
            if (!OperatingSystem.IsWindows() && !Posix.TryLockExclusive(file.SafeFileHandle, path))
            {
                file.Dispose();
                return null;
            }
            file.SetLength(0);
            file.Write(Encoding.UTF8.GetBytes(owner));
            file.Flush();
            return new HeldLock(file);
        }
        catch (Exception e)
        {
            file.Dispose();
            if (LocalStorageFailure.IsFileFailure(e))
                throw LocalStorageFailure.From("write lock file", path, e);
            throw;
        }
    }

    public override string? ReadAllText(string path)
    {
        // The framework's own opening takes a shared lock, which the holder of a lock file would refuse.
        if (OperatingSystem.IsWindows())
            return File.Exists(path) ? Try("read", path, () => ReadShared(path)) : null;
        using var handle = Posix.OpenRead(path, out var errno);
        if (handle is not null)
            return Try("read", path, () => ReadToEnd(handle));
        var failure = LocalStorageFailure.FromErrno("read", path, errno);
        return failure.Error == LitestreamError.NotFound ? null : throw failure;
    }

    private static string ReadShared(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        return ReadToEnd(file.SafeFileHandle);
    }

    private static string ReadToEnd(SafeFileHandle handle)
    {
        var bytes = new byte[RandomAccess.GetLength(handle)];
        var length = 0;
        for (int read; length < bytes.Length && (read = RandomAccess.Read(handle, bytes.AsSpan(length), length)) > 0; )
            length += read;
        return Encoding.UTF8.GetString(bytes, 0, length);
    }

    private static DurableEntry ToEntry(ref FileSystemEntry entry) =>
        new(entry.FileName.ToString(), entry.IsDirectory, entry.IsDirectory ? 0 : entry.Length, entry.LastWriteTimeUtc);

    private static DurableFileStream OpenStream(string step, string path, FileMode mode, FileAccess access, FileShare share) =>
        Try(step, path, () => new DurableFileStream(new FileStream(path, mode, access, share, BufferSize), path));

    private static T Try<T>(string step, string path, Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception e) when (LocalStorageFailure.IsFileFailure(e))
        {
            throw LocalStorageFailure.From(step, path, e);
        }
    }

    private sealed class HeldLock(FileStream file) : IDisposable
    {
        public void Dispose()
        {
            if (!file.CanWrite)
                return;
            try
            {
                // The file stays, since removing it would let two holders lock two files of one name; only the owner's name goes.
                file.SetLength(0);
            }
            catch (IOException)
            {
                // Who held it last is of no use to anybody once it is free.
            }
            if (!OperatingSystem.IsWindows())
                Posix.Unlock(file.SafeFileHandle);
            file.Dispose();
        }
    }
}
