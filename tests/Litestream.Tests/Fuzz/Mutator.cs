using System.Buffers.Binary;

namespace Litestream.Tests.Fuzz;

/// <summary>Changes bytes as damage and malice do: bits, lengths, cuts, splices. The same random numbers give the same bytes.</summary>
internal sealed class Mutator(Random random)
{
    private static readonly ulong[] s_numbers =
    [
        0,
        1,
        2,
        7,
        0x20,
        0x7f,
        0x80,
        0xff,
        0x1ff,
        0x200,
        0x7fff,
        0x8000,
        0xffff,
        0x10000,
        0x10001,
        0x40000,
        0x7fffffff,
        0x80000000,
        0xfffffffe,
        0xffffffff,
        0x100000000,
        0x7fffffffffffffff,
        0x8000000000000000,
        0xffffffffffffffff,
    ];

    /// <summary>A changed copy, at most about twice as long as the longer of the two.</summary>
    /// <param name="input">What to change.</param>
    /// <param name="other">What may be spliced in.</param>
    public byte[] Mutate(byte[] input, byte[] other)
    {
        var bytes = new List<byte>(input);
        for (var n = random.Next(8) == 0 ? random.Next(2, 20) : random.Next(1, 4); n > 0; n--)
            Step(bytes, other);
        return [.. bytes];
    }

    private void Step(List<byte> bytes, byte[] other)
    {
        var at = bytes.Count == 0 ? 0 : random.Next(bytes.Count);
        switch (random.Next(12))
        {
            case 0 or 1 when bytes.Count > 0:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 2 when bytes.Count > 0:
                bytes[at] = (byte)random.Next(256);
                break;
            case 3:
                bytes.RemoveRange(at, bytes.Count - at);
                break;
            case 4 when bytes.Count > 0:
                bytes.RemoveRange(at, random.Next(1, Math.Min(64, bytes.Count - at) + 1));
                break;
            case 5:
                bytes.InsertRange(at, Piece(other));
                break;
            case 6:
                var piece = Piece(other);
                for (var i = 0; i < piece.Length && at + i < bytes.Count; i++)
                    bytes[at + i] = piece[i];
                break;
            case 7:
                bytes.InsertRange(at, Enumerable.Repeat((byte)random.Next(256), random.Next(1, 300)));
                break;
            case 8 when bytes.Count > 1:
                bytes.AddRange(bytes.GetRange(at, Math.Min(bytes.Count - at, random.Next(1, 400))));
                break;
            default:
                Number(bytes, at);
                break;
        }
    }

    private byte[] Piece(byte[] other)
    {
        if (other.Length == 0)
            return [];
        var start = random.Next(other.Length);
        return other[start..Math.Min(other.Length, start + random.Next(1, 200))];
    }

    // Lengths, counts and offsets stand at even places and in either order of bytes.
    private void Number(List<byte> bytes, int at)
    {
        var width = 1 << random.Next(1, 4);
        at &= ~1;
        if (at + width > bytes.Count)
            return;
        var old = bytes.GetRange(at, width).ToArray();
        Span<byte> wide = stackalloc byte[8];
        var value = s_numbers[random.Next(s_numbers.Length)];
        if (random.Next(3) == 0)
        {
            wide.Clear();
            old.CopyTo(wide[(8 - width)..]);
            value = BinaryPrimitives.ReadUInt64BigEndian(wide) + (ulong)random.Next(-3, 4);
        }
        BinaryPrimitives.WriteUInt64BigEndian(wide, value);
        var number = wide[(8 - width)..].ToArray();
        if (random.Next(2) == 0)
            Array.Reverse(number);
        for (var i = 0; i < width; i++)
            bytes[at + i] = number[i];
    }
}
