using System.Buffers.Binary;
using Litestream.Sqlite;
using Testing;

namespace Litestream.Tests.Sqlite;

/// <summary>Makes the bytes of a WAL, and SQLite's own view of its end, by the published format and by none of the engine's code.</summary>
internal sealed class WalBuilder
{
    private readonly int _pageSize;
    private readonly bool _bigEndian;
    private readonly WalSalt _salt;
    private readonly MemoryStream _bytes = new();
    private readonly List<(uint Sum1, uint Sum2, uint Commit)> _frames = [];
    private uint _sum1;
    private uint _sum2;

    internal WalBuilder(int pageSize = 512, bool bigEndian = false, WalSalt? salt = null)
    {
        (_pageSize, _bigEndian, _salt) = (pageSize, bigEndian, salt ?? new WalSalt(0x11223344, 0x55667788));
        var header = new byte[32];
        Write(header, 0, bigEndian ? 0x377f0683u : 0x377f0682u);
        Write(header, 4, 3007000);
        Write(header, 8, (uint)pageSize);
        Write(header, 12, 7);
        Write(header, 16, _salt.Salt1);
        Write(header, 20, _salt.Salt2);
        Sum(header.AsSpan(0, 24));
        Write(header, 24, _sum1);
        Write(header, 28, _sum2);
        _bytes.Write(header);
    }

    internal int FrameSize => 24 + _pageSize;

    internal int Frames => _frames.Count;

    /// <summary>Goes on behind a WAL that SQLite wrote: frames that look as valid as its own.</summary>
    internal static WalBuilder Behind(WalIndexHeader end)
    {
        var builder = new WalBuilder(end.PageSize, end.BigEndianChecksums, end.Salt)
        {
            _sum1 = end.LastChecksum.Sum1,
            _sum2 = end.LastChecksum.Sum2,
        };
        builder._bytes.SetLength(0);
        return builder;
    }

    /// <summary>Adds a frame whose page holds <paramref name="fill"/> everywhere.</summary>
    internal WalBuilder Frame(uint page, uint commit, byte fill) => Frame(page, commit, Enumerable.Repeat(fill, _pageSize).ToArray());

    internal WalBuilder Frame(uint page, uint commit, byte[] content)
    {
        var header = new byte[24];
        Write(header, 0, page);
        Write(header, 4, commit);
        Write(header, 8, _salt.Salt1);
        Write(header, 12, _salt.Salt2);
        Sum(header.AsSpan(0, 8));
        Sum(content);
        Write(header, 16, _sum1);
        Write(header, 20, _sum2);
        _bytes.Write(header);
        _bytes.Write(content);
        _frames.Add((_sum1, _sum2, commit));
        return this;
    }

    internal byte[] ToArray() => _bytes.ToArray();

    /// <summary>What SQLite would say when <paramref name="frames"/> frames are committed; default: all.</summary>
    internal WalIndexHeader End(int? frames = null)
    {
        var last = frames ?? _frames.Count;
        var (sum1, sum2, commit) = last == 0 ? default : _frames[last - 1];
        return new WalIndexHeader(_pageSize, (uint)last, commit, new WalChecksum(sum1, sum2), _salt, _bigEndian, 1);
    }

    /// <summary>Puts the bytes, changed if wanted, into a file and opens it.</summary>
    internal WalFile Open(TempFolder folder, Func<byte[], byte[]>? change = null)
    {
        var path = folder.Combine("x.db-wal");
        var bytes = ToArray();
        File.WriteAllBytes(path, change is null ? bytes : change(bytes));
        return new WalFile(path);
    }

    /// <summary>The format's sum over pairs of words, in the byte order that the magic number names.</summary>
    private void Sum(ReadOnlySpan<byte> data)
    {
        for (var i = 0; i < data.Length; i += 8)
        {
            _sum1 = unchecked(_sum1 + Word(data[i..]) + _sum2);
            _sum2 = unchecked(_sum2 + Word(data[(i + 4)..]) + _sum1);
        }
    }

    private uint Word(ReadOnlySpan<byte> data) =>
        _bigEndian ? BinaryPrimitives.ReadUInt32BigEndian(data) : BinaryPrimitives.ReadUInt32LittleEndian(data);

    private static void Write(byte[] bytes, int at, uint value) => BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(at), value);
}
