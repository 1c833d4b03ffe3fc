using System.Buffers;
using Microsoft.Win32.SafeHandles;

namespace Litestream.Sqlite;

/// <summary>The -wal file, opened for reading. SQLite takes no lock on it, so it may be opened and closed freely (stack.md §3.5).</summary>
internal class WalFile : IDisposable
{
    private readonly SafeFileHandle _handle;

    internal WalFile(string path)
    {
        Path = path;
        try
        {
#pragma warning disable RS0030 // The one place that may: the -wal file carries no lock of SQLite's.
            _handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, FileOptions.None, 0);
#pragma warning restore RS0030
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new LitestreamException(LitestreamError.Database, $"{path}: cannot open the write-ahead log: {e.Message}", e)
            {
                IsTransient = true,
                Path = path,
            };
        }
    }

    internal string Path { get; }

    /// <summary>The file's length; not the amount of data: a restarted WAL keeps its old length.</summary>
    internal long LengthBytes => RandomAccess.GetLength(_handle);

    /// <summary>Reads as much as there is.</summary>
    /// <returns>Bytes read; fewer than asked only at the end of the file.</returns>
    internal virtual int Read(long offset, Span<byte> buffer)
    {
        var total = 0;
        while (total < buffer.Length)
        {
            var n = RandomAccess.Read(_handle, buffer[total..], offset + total);
            if (n == 0)
                break;
            total += n;
        }
        return total;
    }

    internal WalHeader? ReadHeader()
    {
        Span<byte> bytes = stackalloc byte[WalHeader.Size];
        return WalHeader.Read(bytes[..Read(0, bytes)], Path);
    }

    /// <summary>The header of frame <paramref name="frame"/> and its page; null when the file ends before.</summary>
    /// <exception cref="ArgumentException">The buffer is not one page: every offset would be a wrong one.</exception>
    internal WalFrameHeader? ReadFrame(long frame, int pageSize, Span<byte> page)
    {
        if (page.Length != pageSize)
            throw new ArgumentException($"A page of this WAL has {pageSize} bytes, the buffer {page.Length}.", nameof(page));
        var buffer = ArrayPool<byte>.Shared.Rent(WalFrameHeader.Size + page.Length);
        try
        {
            var bytes = buffer.AsSpan(0, WalFrameHeader.Size + page.Length);
            if (Read(WalFrameHeader.OffsetOf(frame, page.Length), bytes) < bytes.Length)
                return null;
            bytes[WalFrameHeader.Size..].CopyTo(page);
            return WalFrameHeader.Read(bytes);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    public void Dispose() => _handle.Dispose();
}
