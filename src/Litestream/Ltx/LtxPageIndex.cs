using System.Buffers.Binary;

namespace Litestream.Ltx;

/// <summary>Where one page lies in a file.</summary>
/// <param name="PageNumber">Its number.</param>
/// <param name="Offset">Byte of the file where its header begins.</param>
/// <param name="Size">Bytes of header, size field and compressed page together.</param>
public readonly record struct LtxPageIndexEntry(uint PageNumber, long Offset, long Size);

/// <summary>The list of pages at the end of a file, for reading single pages without the rest.</summary>
public static class LtxPageIndex
{
    /// <summary>Bytes at the end of a file that tell where the index is: its size and the trailer.</summary>
    public const int TailSize = SizeFieldSize + LtxTrailer.Size;

    internal const int SizeFieldSize = 8;

    /// <summary>Most bytes of an entry: three numbers of seven bits a byte.</summary>
    internal const int MaxEntrySize = 5 + 10 + 10;

    /// <summary>Where the index lies, from the last <see cref="TailSize"/> bytes of a file.</summary>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.Corrupt"/>: the file is too short, or the size of the index impossible.</exception>
    public static (long Offset, long SizeBytes) Locate(long fileSize, ReadOnlySpan<byte> tail)
    {
        const int Least = LtxHeader.Size + LtxPageHeader.Size + 1 + TailSize;
        if (fileSize < Least || tail.Length < TailSize)
            throw Corrupt($"a file of {fileSize} bytes is too short for a page index");
        var size = BinaryPrimitives.ReadUInt64BigEndian(tail[^TailSize..]);
        if (size == 0 || size > (ulong)(fileSize - Least + 1))
            throw Corrupt($"impossible size {size} in a file of {fileSize} bytes");
        return (fileSize - TailSize - (long)size, (long)size);
    }

    /// <summary>Reads the entries, without the size field behind them.</summary>
    /// <param name="index">All bytes of the index, with the zero at its end.</param>
    /// <param name="header">The file's header, for the page numbers that are possible.</param>
    /// <param name="indexOffset">Byte of the file where the index begins: no page reaches beyond it.</param>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.Corrupt"/>.</exception>
    public static IReadOnlyList<LtxPageIndexEntry> Parse(ReadOnlySpan<byte> index, LtxHeader header, long indexOffset)
    {
        ArgumentNullException.ThrowIfNull(header);
        var entries = new List<LtxPageIndexEntry>();
        long end = LtxHeader.Size;
        uint last = 0;
        while (true)
        {
            var number = ReadNumber(ref index);
            if (number == 0)
                break;
            var offset = ReadNumber(ref index);
            var size = ReadNumber(ref index);
            if (number <= last || number > header.Commit || number == header.LockPage)
                throw Corrupt($"page {number} cannot stand behind page {last} in a database of {header.Commit} pages");
            if (offset != (ulong)end || size <= LtxPageHeader.Size || size > (ulong)Math.Max(0, indexOffset - LtxPageHeader.Size - end))
                throw Corrupt($"page {number} cannot lie at {offset} with {size} bytes");
            entries.Add(new LtxPageIndexEntry((uint)number, (long)offset, (long)size));
            last = (uint)number;
            end += (long)size;
        }
        return index.IsEmpty && end == indexOffset - LtxPageHeader.Size ? entries : throw Corrupt("its end is not where it must be");
    }

    /// <summary>Writes an entry; returns its length, at most <see cref="MaxEntrySize"/>.</summary>
    internal static int WriteEntry(Span<byte> destination, uint pageNumber, long offset, long size)
    {
        var length = WriteNumber(destination, pageNumber);
        length += WriteNumber(destination[length..], (ulong)offset);
        return length + WriteNumber(destination[length..], (ulong)size);
    }

    internal static int WriteNumber(Span<byte> destination, ulong value)
    {
        var length = 0;
        for (; value >= 0x80; value >>= 7)
            destination[length++] = (byte)(value | 0x80);
        destination[length++] = (byte)value;
        return length;
    }

    internal static ulong ReadNumber(ref ReadOnlySpan<byte> source)
    {
        ulong value = 0;
        for (int i = 0, shift = 0; i < source.Length && shift < 64; i++, shift += 7)
        {
            var b = source[i];
            if (shift == 63 && b > 1)
                break;
            value |= (ulong)(b & 0x7f) << shift;
            if (b >= 0x80)
                continue;
            source = source[(i + 1)..];
            return value;
        }
        throw Corrupt("it ends inside a number, or a number is too large");
    }

    private static LitestreamException Corrupt(string problem) => new(LitestreamError.Corrupt, $"LTX page index: {problem}");
}
