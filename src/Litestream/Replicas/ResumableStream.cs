namespace Litestream.Replicas;

/// <summary>A download that goes on where the network broke.</summary>
/// <remarks>
/// Opens on the first read; on a failure, or when the object ends before its known length, it closes what it has and opens again at the byte it has
/// reached. At most <see cref="MaxRetries"/> times in all, however much was read in between, after 250 ms, 500 ms and 1 s. One connection at a time,
/// one reader at a time. A missing object, refused credentials, wrong settings and cancellation are final.
/// </remarks>
public sealed class ResumableStream : Stream
{
    /// <summary>Most reopenings in the life of a stream.</summary>
    public const int MaxRetries = 3;

    private static readonly TimeSpan s_firstPause = TimeSpan.FromMilliseconds(250);

    private readonly Func<long, CancellationToken, Task<Stream>> _open;
    private readonly long? _length;
    private readonly TimeProvider _time;
    private readonly string _name;
    private readonly RetryBudget? _shared;
    private Stream? _inner;
    private long _position;
    private int _retries;
    private bool _ended;
    private bool _disposed;

    /// <summary>Describes a download; nothing is opened yet.</summary>
    /// <param name="open">Opens the object from a byte on.</param>
    /// <param name="length">Its length when known: an earlier end is a broken connection. Null: every end is believed.</param>
    /// <param name="time">The clock of the pauses.</param>
    /// <param name="name">What to call the object in messages.</param>
    public ResumableStream(Func<long, CancellationToken, Task<Stream>> open, long? length, TimeProvider time, string name)
        : this(open, length, time, name, null) { }

    /// <summary>As the other, for a part of an object that several connections read.</summary>
    /// <param name="open">Opens the part from a byte of it on.</param>
    /// <param name="length">Its length.</param>
    /// <param name="time">The clock of the pauses.</param>
    /// <param name="name">What to call the object in messages.</param>
    /// <param name="shared">The retries that all parts have together, beside those of each.</param>
    internal ResumableStream(
        Func<long, CancellationToken, Task<Stream>> open,
        long? length,
        TimeProvider time,
        string name,
        RetryBudget? shared
    )
    {
        ArgumentNullException.ThrowIfNull(open);
        ArgumentNullException.ThrowIfNull(time);
        ArgumentNullException.ThrowIfNull(name);
        _open = open;
        _length = length;
        _time = time;
        _name = name;
        _shared = shared;
    }

    /// <summary>How often it was opened again.</summary>
    public int Retries => _retries;

    /// <inheritdoc/>
    public override bool CanRead => !_disposed;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => _position;
        set => throw new NotSupportedException();
    }

    /// <summary>Reads, and opens again as often as needed and allowed.</summary>
    /// <exception cref="LitestreamException">The last failure, when no retry is left or it is final.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_ended || buffer.IsEmpty)
            return 0;
        while (true)
        {
            Exception failure;
            try
            {
                _inner ??= await _open(_position, cancellationToken).ConfigureAwait(false);
                var count = await _inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
                _position += count;
                if (count > 0)
                    return count;
                if (_length is not { } length || _position >= length)
                {
                    _ended = true;
                    return 0;
                }
                failure = Broken($"{_name} ended after {_position} of {length} bytes", null);
            }
            catch (Exception exception) when (!IsFinal(exception, cancellationToken))
            {
                // Beyond the known length there is nothing that a retry could bring.
                if (_position >= _length)
                {
                    _ended = true;
                    return 0;
                }
                failure = exception;
            }
            await CloseAsync().ConfigureAwait(false);
            if (_retries == MaxRetries || _shared?.TryTake() == false)
                throw failure as LitestreamException ?? Broken($"{_name} broke off after {_position} bytes: {failure.Message}", failure);
            await Task.Delay(s_firstPause * (1 << _retries), _time, cancellationToken).ConfigureAwait(false);
            _retries++;
        }
    }

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <summary>Not supported: downloads are read asynchronously.</summary>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Flush() { }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        _disposed = true;
        await CloseAsync().ConfigureAwait(false);
        GC.SuppressFinalize(this);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _disposed = true;
        if (disposing)
            _inner?.Dispose();
        _inner = null;
        base.Dispose(disposing);
    }

    private async ValueTask CloseAsync()
    {
        var inner = _inner;
        _inner = null;
        if (inner is null)
            return;
        try
        {
            await inner.DisposeAsync().ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is IOException or LitestreamException)
        {
            // It was broken or read to its end: what its closing says changes nothing.
        }
    }

    private static bool IsFinal(Exception exception, CancellationToken cancellationToken) =>
        cancellationToken.IsCancellationRequested
        || exception
            is LitestreamException
                {
                    Error: LitestreamError.NotFound or LitestreamError.AccessDenied or LitestreamError.InvalidConfiguration
                }
                or ObjectDisposedException
                or ArgumentException;

    private static LitestreamException Broken(string message, Exception? cause) =>
        new(LitestreamError.Unavailable, message, cause) { IsTransient = true };
}
