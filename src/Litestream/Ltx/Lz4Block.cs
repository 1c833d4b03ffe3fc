using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Litestream.Ltx;

/// <summary>
/// Compresses one page into an LZ4 block, greedily, as the format's reference does at its default level. Pages are short, so a table of 16-bit
/// positions is enough, which is cleared in a moment: nearly twice as fast as a general encoder.
/// </summary>
/// <remarks>Pure: the same page gives the same block. Reading foreign blocks, where every byte may lie, is left to the LZ4 package.</remarks>
internal static class Lz4Block
{
    /// <summary>Largest input: positions have 16 bits.</summary>
    public const int MaxInput = 1 << 16;

    private const int TableBits = 12;
    private const int LeastMatch = 4;

    // Rules of the format: the last five bytes are literals, and no match begins within the last twelve.
    private const int EndLiterals = 5;
    private const int EndWithoutMatch = 12;

    // In bytes that do not compress, the search takes longer and longer steps.
    private const int SkipShift = 6;

    /// <summary>Most bytes that <see cref="Encode"/> produces.</summary>
    public static int MaxSize(int length) => length + length / 255 + 16;

    /// <summary>Compresses <paramref name="source"/>; returns the length of the block.</summary>
    /// <param name="source">At most <see cref="MaxInput"/> bytes.</param>
    /// <param name="destination">At least <see cref="MaxSize"/> bytes.</param>
    [SkipLocalsInit]
    public static int Encode(ReadOnlySpan<byte> source, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(source.Length, MaxInput);
        ArgumentOutOfRangeException.ThrowIfLessThan(destination.Length, MaxSize(source.Length));
        // All references below stay inside these two spans: positions never pass the input's end, and MaxSize holds the worst output.
        ref var input = ref MemoryMarshal.GetReference(source);
        ref var output = ref MemoryMarshal.GetReference(destination);
        nuint anchor = 0;
        nuint written = 0;
        if (source.Length > EndWithoutMatch)
        {
            Span<ushort> table = stackalloc ushort[1 << TableBits];
            table.Clear();
            anchor = EncodeMatches(ref input, source.Length, ref output, ref MemoryMarshal.GetReference(table), out written);
        }
        return (int)WriteLastLiterals(ref input, anchor, (nuint)source.Length, ref output, written);
    }

    /// <summary>Writes everything up to the last match; returns where the literals behind it begin.</summary>
    private static nuint EncodeMatches(ref byte input, int length, ref byte output, ref ushort table, out nuint written)
    {
        var lastStart = (nuint)(length - EndWithoutMatch);
        var matchEnd = (nuint)(length - EndLiterals);
        nuint anchor = 0;
        nuint end = 0;
        for (nuint at = 1; at <= lastStart; at++)
        {
            nuint candidate;
            for (nuint tries = 1 << SkipShift; ; at += tries++ >> SkipShift)
            {
                if (at > lastStart)
                    goto done;
                candidate = Exchange(ref input, ref table, at);
                if (Read32(ref input, candidate) == Read32(ref input, at))
                    break;
            }
            while (at > anchor && candidate > 0 && Unsafe.Add(ref input, at - 1) == Unsafe.Add(ref input, candidate - 1))
                (at, candidate) = (at - 1, candidate - 1);
            var token = end;
            end = WriteLiterals(ref input, anchor, at - anchor, (nuint)length, ref output, end);
            while (true)
            {
                Unsafe.WriteUnaligned(ref Unsafe.Add(ref output, end), LittleEndian((ushort)(at - candidate)));
                var extra = CountEqual(ref input, at + LeastMatch, candidate + LeastMatch, matchEnd);
                end = WriteMatchLength(ref output, token, end + 2, extra);
                at += extra + LeastMatch;
                anchor = at;
                if (at > lastStart)
                    goto done;
                Unsafe.Add(ref table, Hash(Read64(ref input, at - 2))) = (ushort)(at - 2);
                candidate = Exchange(ref input, ref table, at);
                if (Read32(ref input, candidate) != Read32(ref input, at))
                    break;
                // The next match begins where this one ended: no literals between them.
                token = end++;
                Unsafe.Add(ref output, token) = 0;
            }
        }
        done:
        written = end;
        return anchor;
    }

    /// <summary>Where bytes like those at a position were last seen, or somewhere else; and remembers the position.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static nuint Exchange(ref byte input, ref ushort table, nuint at)
    {
        ref var entry = ref Unsafe.Add(ref table, Hash(Read64(ref input, at)));
        var candidate = (nuint)entry;
        entry = (ushort)at;
        return candidate;
    }

    /// <summary>Writes a token with its literals; the length of the match is added to the token later.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static nuint WriteLiterals(ref byte input, nuint from, nuint count, nuint length, ref byte output, nuint written)
    {
        written = WriteLiteralCount(ref output, written, count);
        // Mostly a few bytes: sixteen at once are quicker than the right number, where there are sixteen. What follows overwrites the rest.
        if (count <= 16 && from + 16 <= length)
            Unsafe.WriteUnaligned(
                ref Unsafe.Add(ref output, written),
                Unsafe.ReadUnaligned<Vector128<byte>>(ref Unsafe.Add(ref input, from))
            );
        else
            Unsafe.CopyBlockUnaligned(ref Unsafe.Add(ref output, written), ref Unsafe.Add(ref input, from), (uint)count);
        return written + count;
    }

    private static nuint WriteLastLiterals(ref byte input, nuint from, nuint length, ref byte output, nuint written)
    {
        written = WriteLiteralCount(ref output, written, length - from);
        Unsafe.CopyBlockUnaligned(ref Unsafe.Add(ref output, written), ref Unsafe.Add(ref input, from), (uint)(length - from));
        return written + length - from;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static nuint WriteLiteralCount(ref byte output, nuint written, nuint count)
    {
        if (count < 15)
        {
            Unsafe.Add(ref output, written) = (byte)(count << 4);
            return written + 1;
        }
        Unsafe.Add(ref output, written) = 15 << 4;
        return WriteRest(ref output, written + 1, count - 15);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static nuint WriteMatchLength(ref byte output, nuint token, nuint written, nuint extra)
    {
        if (extra < 15)
        {
            Unsafe.Add(ref output, token) |= (byte)extra;
            return written;
        }
        Unsafe.Add(ref output, token) |= 15;
        return WriteRest(ref output, written, extra - 15);
    }

    private static nuint WriteRest(ref byte output, nuint written, nuint rest)
    {
        for (; rest >= 255; rest -= 255)
            Unsafe.Add(ref output, written++) = 255;
        Unsafe.Add(ref output, written) = (byte)rest;
        return written + 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static nuint CountEqual(ref byte input, nuint a, nuint b, nuint end)
    {
        var start = a;
        for (; a + 8 <= end; a += 8, b += 8)
        {
            var difference = Read64(ref input, a) ^ Read64(ref input, b);
            if (difference != 0)
                return a - start + (nuint)(BitOperations.TrailingZeroCount(difference) >> 3);
        }
        while (a < end && Unsafe.Add(ref input, a) == Unsafe.Add(ref input, b))
            (a, b) = (a + 1, b + 1);
        return a - start;
    }

    /// <summary>Of the first five bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static nuint Hash(ulong value) => (nuint)((value << 24) * 889523592379UL >> (64 - TableBits));

    // The words are little-endian on every machine, so that lengths and hashes come out the same.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Read64(ref byte input, nuint at)
    {
        var value = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref input, at));
        return BitConverter.IsLittleEndian ? value : System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Read32(ref byte input, nuint at) => Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref input, at));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ushort LittleEndian(ushort value) =>
        BitConverter.IsLittleEndian ? value : System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(value);
}
