using System.Buffers.Binary;

namespace Litestream.Ltx;

/// <summary>The last 16 bytes of an LTX file.</summary>
/// <param name="PostApplyChecksum">Rolling checksum of the database after the file; 0 in files without checksums.</param>
/// <param name="FileChecksum">Checksum of the file with its pages uncompressed.</param>
public readonly record struct LtxTrailer(ulong PostApplyChecksum, ulong FileChecksum)
{
    /// <summary>Bytes of a trailer.</summary>
    public const int Size = 16;

    /// <summary>Reads a trailer. Whether it fits its file is another question: the decoder answers it.</summary>
    /// <param name="source">At least <see cref="Size"/> bytes.</param>
    public static LtxTrailer Read(ReadOnlySpan<byte> source) =>
        new(BinaryPrimitives.ReadUInt64BigEndian(source), BinaryPrimitives.ReadUInt64BigEndian(source[8..]));

    /// <summary>Writes the trailer.</summary>
    /// <param name="destination">At least <see cref="Size"/> bytes.</param>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, PostApplyChecksum);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], FileChecksum);
    }

    /// <summary>The rule that this trailer breaks beside that header, as text; null when none.</summary>
    internal string? ProblemBeside(LtxHeader header)
    {
        if ((FileChecksum & LtxChecksum.Flag) == 0)
            return "the file checksum is missing";
        if (header.NoChecksum)
        {
            if (PostApplyChecksum != 0)
                return "a checksum of the database where there must be none";
            return header.Commit == 0 ? "an emptied database needs a checksum" : null;
        }
        if ((PostApplyChecksum & LtxChecksum.Flag) == 0)
            return "the checksum of the database is missing";
        return header.Commit == 0 && PostApplyChecksum != LtxChecksum.EmptyDatabase ? "the checksum of an emptied database is wrong" : null;
    }
}
