using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Litestream.Sqlite;

/// <summary>SQLite's running checksum over a WAL: header first, then of each frame the first 8 header bytes and the page.</summary>
internal readonly record struct WalChecksum(uint Sum1, uint Sum2)
{
    /// <summary>Goes on over more bytes.</summary>
    /// <param name="data">A multiple of 8 bytes.</param>
    /// <param name="bigEndian">Byte order of the words, from the WAL's magic number.</param>
    internal WalChecksum Add(ReadOnlySpan<byte> data, bool bigEndian)
    {
        var words = MemoryMarshal.Cast<byte, uint>(data);
        uint s0 = Sum1,
            s1 = Sum2;
        if (bigEndian != BitConverter.IsLittleEndian)
        {
            for (var i = 0; i + 1 < words.Length; i += 2)
            {
                s0 += words[i] + s1;
                s1 += words[i + 1] + s0;
            }
        }
        else
        {
            for (var i = 0; i + 1 < words.Length; i += 2)
            {
                s0 += BinaryPrimitives.ReverseEndianness(words[i]) + s1;
                s1 += BinaryPrimitives.ReverseEndianness(words[i + 1]) + s0;
            }
        }
        return new WalChecksum(s0, s1);
    }
}
