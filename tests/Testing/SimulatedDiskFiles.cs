using Litestream;
using Litestream.IO;

namespace Testing;

/// <summary>Thrown by every call at and after a simulated power cut, until <see cref="SimulatedDisk.Restart"/>.</summary>
public sealed class SimulatedCrashException() : Exception("simulated power cut");

/// <summary>One durable step, as faults see it.</summary>
/// <param name="Number">Steps before this one.</param>
/// <param name="Name"><c>create</c>, <c>write</c>, <c>sync</c>, <c>rename</c>, <c>sync folder</c>, <c>delete</c>, <c>create folder</c>, <c>set time</c>, <c>copy access</c>, <c>lock</c>.</param>
/// <param name="Path">File or folder.</param>
public sealed record DiskStep(int Number, string Name, string Path);

/// <content>What lies on the simulated disk, and streams into it.</content>
public sealed partial class SimulatedDisk
{
    private sealed class Node
    {
        private byte[] _buffer = [];

        public bool IsDirectory { get; init; }

        /// <summary>A copy of the bytes as programs see them.</summary>
        public byte[] Content
        {
            get => _buffer.AsSpan(0, Length).ToArray();
            set => (_buffer, Length) = (value.ToArray(), value.Length);
        }

        public int Length { get; private set; }

        public Span<byte> Bytes => _buffer.AsSpan(0, Length);

        public byte[] Durable { get; set; } = [];

        public DateTimeOffset LastWrite { get; set; }

        public void SetLength(int length)
        {
            if (length > _buffer.Length)
                Array.Resize(ref _buffer, Math.Max(length, _buffer.Length * 2));
            if (length > Length)
                _buffer.AsSpan(Length, length - Length).Clear();
            Length = length;
        }

        public string? AccessLike { get; set; }
    }

    private sealed record NameChange(string? From, string? To, Node? Node)
    {
        public bool IsIn(string folder) =>
            (From is not null && Path.GetDirectoryName(From) == folder) || (To is not null && Path.GetDirectoryName(To) == folder);
    }

    private sealed class HeldLock(SimulatedDisk disk, string path, int generation) : IDisposable
    {
        public void Dispose()
        {
            lock (disk._gate)
            {
                if (disk._generation == generation)
                    disk._locks.Remove(path);
            }
        }
    }

    private sealed class FileView(SimulatedDisk disk, Node node, string path, int generation, bool writable) : Stream
    {
        private long _position;

        public Node Node => node;

        public string Path => path;

        public override bool CanRead => true;

        public override bool CanSeek => true;

        public override bool CanWrite => writable;

        public override long Length => node.Length;

        public override long Position
        {
            get => _position;
            set => _position = value;
        }

        public void Check()
        {
            if (disk._down || disk._generation != generation)
                throw new SimulatedCrashException();
        }

        public override void Flush() { }

        public override int Read(byte[] buffer, int offset, int count)
        {
            lock (disk._gate)
            {
                Check();
                var read = (int)Math.Max(0, Math.Min(count, node.Length - _position));
                if (read > 0)
                    node.Bytes.Slice((int)_position, read).CopyTo(buffer.AsSpan(offset));
                _position += read;
                return read;
            }
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            cancellationToken.IsCancellationRequested
                ? Task.FromCanceled<int>(cancellationToken)
                : Task.FromResult(Read(buffer, offset, count));

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var bytes = new byte[buffer.Length];
            var read = Read(bytes, 0, bytes.Length);
            bytes.AsMemory(0, read).CopyTo(buffer);
            return ValueTask.FromResult(read);
        }

        public override long Seek(long offset, SeekOrigin origin) =>
            _position = origin switch
            {
                SeekOrigin.Begin => offset,
                SeekOrigin.Current => _position + offset,
                _ => Length + offset,
            };

        public override void SetLength(long value)
        {
            lock (disk._gate)
            {
                Check();
                disk.Step("write", path);
                node.SetLength((int)value);
            }
        }

        public override void Write(byte[] buffer, int offset, int count)
        {
            if (!writable)
                throw new NotSupportedException();
            disk.WriteTo(this, _position, buffer.AsSpan(offset, count));
            _position += count;
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Write(buffer, offset, count);
            return Task.CompletedTask;
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Write(buffer.ToArray(), 0, buffer.Length);
            return ValueTask.CompletedTask;
        }
    }
}
