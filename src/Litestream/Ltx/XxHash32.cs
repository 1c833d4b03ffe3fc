using System.Buffers.Binary;
using System.Numerics;

namespace Litestream.Ltx;

/// <summary>xxHash32 with seed 0, the checksum inside LZ4 frames.</summary>
internal static class XxHash32
{
    private const uint P1 = 2654435761;
    private const uint P2 = 2246822519;
    private const uint P3 = 3266489917;
    private const uint P4 = 668265263;
    private const uint P5 = 374761393;

    public static uint Hash(ReadOnlySpan<byte> bytes)
    {
        var length = (uint)bytes.Length;
        var hash = P5;
        if (bytes.Length >= 16)
        {
            var lanes = Lanes.Start;
            bytes = lanes.Add(bytes);
            hash = lanes.Join();
        }
        return Finish(hash + length, bytes);
    }

    private static uint Finish(uint hash, ReadOnlySpan<byte> bytes)
    {
        for (; bytes.Length >= 4; bytes = bytes[4..])
            hash = BitOperations.RotateLeft(hash + BinaryPrimitives.ReadUInt32LittleEndian(bytes) * P3, 17) * P4;
        foreach (var b in bytes)
            hash = BitOperations.RotateLeft(hash + b * P5, 11) * P1;
        hash = (hash ^ (hash >> 15)) * P2;
        hash = (hash ^ (hash >> 13)) * P3;
        return hash ^ (hash >> 16);
    }

    private static uint Round(uint accumulator, ReadOnlySpan<byte> bytes) =>
        BitOperations.RotateLeft(accumulator + BinaryPrimitives.ReadUInt32LittleEndian(bytes) * P2, 13) * P1;

    /// <summary>The hash of bytes that come in pieces.</summary>
    internal sealed class Running
    {
        private readonly byte[] _pending = new byte[16];
        private Lanes _lanes = Lanes.Start;
        private int _count;
        private ulong _length;

        /// <summary>Goes on over more bytes.</summary>
        public void Add(ReadOnlySpan<byte> bytes)
        {
            _length += (uint)bytes.Length;
            if (_count > 0)
            {
                var taken = Math.Min(16 - _count, bytes.Length);
                bytes[..taken].CopyTo(_pending.AsSpan(_count));
                _count += taken;
                bytes = bytes[taken..];
                if (_count < 16)
                    return;
                _lanes.Add(_pending);
            }
            var rest = _lanes.Add(bytes);
            rest.CopyTo(_pending);
            _count = rest.Length;
        }

        /// <summary>The hash of everything so far.</summary>
        public uint Value() => Finish((_length >= 16 ? _lanes.Join() : P5) + (uint)_length, _pending.AsSpan(0, _count));
    }

    /// <summary>The four sums that run side by side over pieces of 16 bytes.</summary>
    private struct Lanes(uint a, uint b, uint c, uint d)
    {
        public static Lanes Start => new(unchecked(P1 + P2), P2, 0, unchecked(0 - P1));

        /// <summary>Takes all whole pieces; returns what is left.</summary>
        public ReadOnlySpan<byte> Add(ReadOnlySpan<byte> bytes)
        {
            for (; bytes.Length >= 16; bytes = bytes[16..])
            {
                a = Round(a, bytes);
                b = Round(b, bytes[4..]);
                c = Round(c, bytes[8..]);
                d = Round(d, bytes[12..]);
            }
            return bytes;
        }

        public readonly uint Join() =>
            BitOperations.RotateLeft(a, 1)
            + BitOperations.RotateLeft(b, 7)
            + BitOperations.RotateLeft(c, 12)
            + BitOperations.RotateLeft(d, 18);
    }
}
