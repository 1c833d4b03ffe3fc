using System.Buffers.Binary;
using K4os.Compression.LZ4;
using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Sqlite;

namespace Litestream.Tests.Fuzz;

/// <summary>LTX files whose checksum is right whatever else is wrong.</summary>
internal static class LtxForge
{
    /// <summary>A file of so many pages.</summary>
    public static byte[] File(int pageSize, uint pages, bool legacy)
    {
        var random = new Random(pageSize);
        var header = new LtxHeader
        {
            PageSize = pageSize,
            Commit = pages,
            MinTxid = Txid.First,
            MaxTxid = Txid.First,
            NoChecksum = true,
        };
        using var stream = new MemoryStream();
        var encoder = new LtxEncoder(stream, header, legacy);
        for (var n = 1u; n <= pages; n++)
        {
            var page = new byte[pageSize];
            random.NextBytes(page.AsSpan(0, 100));
            encoder.WritePageAsync(n, page, CancellationToken.None).AsTask().GetAwaiter().GetResult();
        }
        encoder.FinishAsync(CancellationToken.None).GetAwaiter().GetResult();
        return stream.ToArray();
    }

    /// <summary>Walks over what looks like pages and writes the checksum of it at the end.</summary>
    public static byte[] Mend(Random random, byte[] file)
    {
        const int Tail = LtxTrailer.Size;
        var pageSize = file.Length < LtxHeader.Size ? 0 : BinaryPrimitives.ReadUInt32BigEndian(file.AsSpan(8));
        if (file.Length < LtxHeader.Size + Tail || !LtxHeader.IsPageSize(pageSize))
            return file;
        var page = new byte[pageSize];
        var checksum = LtxChecksum.Crc64(0, file.AsSpan(0, LtxHeader.Size));
        var at = LtxHeader.Size;
        var end = file.Length - Tail;
        while (at + LtxPageHeader.Size <= end)
        {
            var rest = file.AsSpan(at, end - at);
            var hasSize = (rest[5] & 1) != 0;
            var prefix = hasSize ? 10 : 6;
            if (!hasSize && BinaryPrimitives.ReadUInt32BigEndian(rest) == 0)
                break;
            if (rest.Length < prefix)
                break;
            var length = hasSize
                ? (int)Math.Min(int.MaxValue, BinaryPrimitives.ReadUInt32BigEndian(rest[6..]))
                : Measure(rest[6..], page.Length);
            if (length <= 0 || length > rest.Length - prefix)
                break;
            var block = rest.Slice(prefix, length);
            if (hasSize ? LZ4Codec.Decode(block, page) != page.Length : Lz4Frame.Read(block, page) is not null)
                break;
            checksum = LtxChecksum.Crc64(LtxChecksum.Crc64(checksum, rest[..prefix]), page);
            at += prefix + length;
        }
        checksum = LtxChecksum.Crc64(checksum, file.AsSpan(at, end + 8 - at));
        BinaryPrimitives.WriteUInt64BigEndian(file.AsSpan(end + 8), checksum | LtxChecksum.Flag);
        return file;
    }

    private static int Measure(ReadOnlySpan<byte> bytes, int pageSize) =>
        Lz4Frame.Measure(bytes, pageSize, out var length, out _) is null ? length : 0;
}

/// <summary>WALs whose checksums are right whatever else is wrong.</summary>
internal static class WalForge
{
    /// <summary>Writes the checksums of the header and of every whole frame.</summary>
    public static byte[] Mend(byte[] wal)
    {
        if (wal.Length < WalHeader.Size)
            return wal;
        var bigEndian = (wal[3] & 1) != 0;
        var sum = default(WalChecksum).Add(wal.AsSpan(0, 24), bigEndian);
        Write(wal.AsSpan(24), sum);
        var pageSize = BinaryPrimitives.ReadUInt32BigEndian(wal.AsSpan(8));
        if (!LtxHeader.IsPageSize(pageSize))
            return wal;
        var frame = WalFrameHeader.Size + (int)pageSize;
        for (var at = WalHeader.Size; at + frame <= wal.Length; at += frame)
        {
            wal.AsSpan(16, 8).CopyTo(wal.AsSpan(at + 8));
            sum = sum.Add(wal.AsSpan(at, 8), bigEndian).Add(wal.AsSpan(at + WalFrameHeader.Size, (int)pageSize), bigEndian);
            Write(wal.AsSpan(at + 16), sum);
        }
        return wal;
    }

    private static void Write(Span<byte> bytes, WalChecksum sum)
    {
        BinaryPrimitives.WriteUInt32BigEndian(bytes, sum.Sum1);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[4..], sum.Sum2);
    }
}

/// <summary>A file that forgets what is written, however far out.</summary>
internal sealed class NowhereStream : Stream
{
    private long _length;

    public override bool CanRead => false;

    public override bool CanSeek => true;

    public override bool CanWrite => true;

    public override long Length => _length;

    public override long Position { get; set; }

    public override void Flush() { }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => _length = value;

    public override void Write(byte[] buffer, int offset, int count) => Advance(count);

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Advance(buffer.Length);
        return ValueTask.CompletedTask;
    }

    private void Advance(int count)
    {
        Position = checked(Position + count);
        _length = Math.Max(_length, Position);
    }
}

/// <summary>A store of which only names are known.</summary>
internal sealed class NamesStore(IReadOnlyList<string> names) : ObjectStore
{
    public override StoreCapabilities Capabilities { get; } = new(false, false, true, true, true, false);

    public override string Kind => "names";

    public override string Location => "names://";

    protected internal override async IAsyncEnumerable<StoredObject> ListCoreAsync(
        string prefix,
        string? after,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        var listed = names.Where(n =>
            n.StartsWith(prefix, StringComparison.Ordinal) && (after is null || string.CompareOrdinal(n, after) > 0)
        );
        foreach (var name in listed.Order(StringComparer.Ordinal))
            yield return new StoredObject(name, name.Length, DateTimeOffset.UnixEpoch);
        await Task.CompletedTask;
    }

    protected internal override Task<Stream> OpenCoreAsync(string key, long offset, long? length, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    protected internal override Task<StoredObject> PutCoreAsync(
        string key,
        Stream content,
        PutOptions options,
        CancellationToken cancellationToken
    ) => throw new NotSupportedException();

    protected internal override Task<StoredObject?> HeadCoreAsync(string key, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    protected internal override Task DeleteCoreAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken) =>
        throw new NotSupportedException();
}
