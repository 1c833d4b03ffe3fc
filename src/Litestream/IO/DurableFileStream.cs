namespace Litestream.IO;

/// <summary>A file of <see cref="SystemDurableFiles"/>: the framework's stream, whose failures are the engine's.</summary>
internal sealed class DurableFileStream : Stream
{
    // Large files: the disk begins early, so that the sync at the end has little left to wait for.
    private const int WriteBackStep = 16 << 20;

    private readonly FileStream _file;
    private readonly string _path;
    private long _sinceWriteBack;

    public DurableFileStream(FileStream file, string path)
    {
        _file = file;
        _path = path;
    }

    public override bool CanRead => _file.CanRead;

    public override bool CanSeek => _file.CanSeek;

    public override bool CanWrite => _file.CanWrite;

    public override long Length => Try("measure", () => _file.Length);

    public override long Position
    {
        get => _file.Position;
        set => _file.Position = value;
    }

    /// <summary>Brings every byte to the disk (fsync).</summary>
    public void FlushToDisk()
    {
        try
        {
            _file.Flush(flushToDisk: true);
        }
        catch (Exception e) when (LocalStorageFailure.IsFileFailure(e))
        {
            throw LocalStorageFailure.From("sync", _path, e);
        }
    }

    public override void Flush() => Try("write", () => _file.Flush());

    public override async Task FlushAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _file.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (LocalStorageFailure.IsFileFailure(e))
        {
            throw LocalStorageFailure.From("write", _path, e);
        }
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        try
        {
            return _file.Read(buffer);
        }
        catch (Exception e) when (LocalStorageFailure.IsFileFailure(e))
        {
            throw LocalStorageFailure.From("read", _path, e);
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            return await _file.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (LocalStorageFailure.IsFileFailure(e))
        {
            throw LocalStorageFailure.From("read", _path, e);
        }
    }

    public override long Seek(long offset, SeekOrigin origin) => _file.Seek(offset, origin);

    public override void SetLength(long value) => Try("resize", () => _file.SetLength(value));

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        try
        {
            _file.Write(buffer);
        }
        catch (Exception e) when (LocalStorageFailure.IsFileFailure(e))
        {
            throw LocalStorageFailure.From("write", _path, e);
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            await _file.WriteAsync(buffer, cancellationToken).ConfigureAwait(false);
            _sinceWriteBack += buffer.Length;
            if (_sinceWriteBack >= WriteBackStep && OperatingSystem.IsLinux())
            {
                Posix.BeginWriteBack(_file.SafeFileHandle);
                _sinceWriteBack = 0;
            }
        }
        catch (Exception e) when (LocalStorageFailure.IsFileFailure(e))
        {
            throw LocalStorageFailure.From("write", _path, e);
        }
    }

    public override async ValueTask DisposeAsync()
    {
        try
        {
            await _file.DisposeAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (LocalStorageFailure.IsFileFailure(e))
        {
            throw LocalStorageFailure.From("close", _path, e);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            Try("close", _file.Dispose);
    }

    private void Try(string step, Action action) =>
        Try(
            step,
            () =>
            {
                action();
                return true;
            }
        );

    private T Try<T>(string step, Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception e) when (LocalStorageFailure.IsFileFailure(e))
        {
            throw LocalStorageFailure.From(step, _path, e);
        }
    }
}
