namespace Litestream.Tests.Contracts;

/// <summary>Reads forwards only and in odd pieces, as pipes do; may break or call at a place.</summary>
internal sealed class ForwardStream(byte[] content, int? failAt = null, Exception? failure = null, Action? atPlace = null) : Stream
{
    private int _position;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(byte[] buffer, int offset, int count)
    {
        if (_position >= failAt)
        {
            atPlace?.Invoke();
            if (failure is not null)
                throw failure;
        }
        var length = Math.Min(
            Math.Min(count, 70_001),
            Math.Min(content.Length, failAt > _position ? failAt.Value : content.Length) - _position
        );
        content.AsSpan(_position, length).CopyTo(buffer.AsSpan(offset));
        _position += length;
        return length;
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var bytes = new byte[buffer.Length];
        var read = Read(bytes, 0, bytes.Length);
        bytes.AsMemory(0, read).CopyTo(buffer);
        return ValueTask.FromResult(read);
    }

    public override void Flush() { }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
