using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using ArmAes = System.Runtime.Intrinsics.Arm.Aes;

namespace Litestream.Ltx;

/// <summary>CRC-64/ISO, reflected, in four ways that give the same number; <see cref="Update"/> takes the fastest one for the processor and the length.</summary>
/// <remarks>
/// Wide inputs are folded by carry-less multiplication: a block of D bits is moved over the D bits behind it by multiplying its halves with
/// x^(D+63) and x^(D-1) modulo the polynomial (one less than the distance, because a reflected product comes out one bit short). What is left,
/// 16 bytes, has the remainder of everything before it and goes through the tables like ordinary data.
/// </remarks>
internal static class Crc64
{
    private const ulong Polynomial = 0xD800000000000000;
    private const int Slices = 16;

    // Below these lengths the setup costs more than it saves.
    private const int LeastFold128 = 64;
    private const int LeastFold512 = 512;

    private static readonly ulong[] s_tables = BuildTables();

    private static readonly Vector128<ulong> s_fold128 = FoldKeys(128);
    private static readonly Vector128<ulong> s_fold256 = FoldKeys(256);
    private static readonly Vector128<ulong> s_fold384 = FoldKeys(384);
    private static readonly Vector128<ulong> s_fold512 = FoldKeys(512);
    private static readonly Vector128<ulong> s_fold2048 = FoldKeys(2048);

    /// <summary>True when <see cref="UpdateFold128"/> can run: x86 with PCLMULQDQ, or ARM with the AES instructions.</summary>
    public static bool IsFold128Supported => Pclmulqdq.IsSupported || ArmAes.IsSupported;

    /// <summary>True when <see cref="UpdateFold512"/> can run.</summary>
    public static bool IsFold512Supported => Pclmulqdq.V512.IsSupported && Vector512.IsHardwareAccelerated;

    public static ulong Update(ulong seed, ReadOnlySpan<byte> bytes)
    {
        if (!BitConverter.IsLittleEndian || bytes.Length < LeastFold128)
            return UpdateTable(seed, bytes);
        if (IsFold512Supported && bytes.Length >= LeastFold512)
            return UpdateFold512(seed, bytes);
        return IsFold128Supported ? UpdateFold128(seed, bytes) : UpdateTable(seed, bytes);
    }

    /// <summary>Byte by byte: the definition, for tests and short ends.</summary>
    public static ulong UpdateBytewise(ulong seed, ReadOnlySpan<byte> bytes)
    {
        var crc = ~seed;
        ref var table = ref MemoryMarshal.GetArrayDataReference(s_tables);
        foreach (var b in bytes)
            crc = Unsafe.Add(ref table, (byte)crc ^ b) ^ (crc >> 8);
        return ~crc;
    }

    /// <summary>Sixteen tables, sixteen bytes a step.</summary>
    public static ulong UpdateTable(ulong seed, ReadOnlySpan<byte> bytes)
    {
        var crc = ~seed;
        ref var table = ref MemoryMarshal.GetArrayDataReference(s_tables);
        while (bytes.Length >= Slices)
        {
            var first = crc ^ BinaryPrimitives.ReadUInt64LittleEndian(bytes);
            var second = BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]);
            crc = Eight(ref table, first, 15) ^ Eight(ref table, second, 7);
            bytes = bytes[Slices..];
        }
        return UpdateBytewise(~crc, bytes);
    }

    /// <summary>Four 128-bit lanes.</summary>
    public static ulong UpdateFold128(ulong seed, ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 64)
            return UpdateTable(seed, bytes);
        var a = Load128(bytes, 0) ^ Vector128.CreateScalar(~seed);
        var b = Load128(bytes, 16);
        var c = Load128(bytes, 32);
        var d = Load128(bytes, 48);
        bytes = bytes[64..];
        for (; bytes.Length >= 64; bytes = bytes[64..])
        {
            a = Fold(a, s_fold512) ^ Load128(bytes, 0);
            b = Fold(b, s_fold512) ^ Load128(bytes, 16);
            c = Fold(c, s_fold512) ^ Load128(bytes, 32);
            d = Fold(d, s_fold512) ^ Load128(bytes, 48);
        }
        var rest = Fold(a, s_fold384) ^ Fold(b, s_fold256) ^ Fold(c, s_fold128) ^ d;
        return Finish(rest, bytes);
    }

    /// <summary>Four 512-bit lanes of four 128-bit lanes each.</summary>
    public static ulong UpdateFold512(ulong seed, ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 256)
            return IsFold128Supported ? UpdateFold128(seed, bytes) : UpdateTable(seed, bytes);
        var a = Load512(bytes, 0) ^ Vector512.CreateScalar(~seed);
        var b = Load512(bytes, 64);
        var c = Load512(bytes, 128);
        var d = Load512(bytes, 192);
        bytes = bytes[256..];
        var keys = Broadcast(s_fold2048);
        for (; bytes.Length >= 256; bytes = bytes[256..])
        {
            a = Fold(a, keys) ^ Load512(bytes, 0);
            b = Fold(b, keys) ^ Load512(bytes, 64);
            c = Fold(c, keys) ^ Load512(bytes, 128);
            d = Fold(d, keys) ^ Load512(bytes, 192);
        }
        keys = Broadcast(s_fold512);
        b ^= Fold(a, keys);
        c ^= Fold(b, keys);
        d ^= Fold(c, keys);
        for (; bytes.Length >= 64; bytes = bytes[64..])
            d = Fold(d, keys) ^ Load512(bytes, 0);
        var low = d.GetLower();
        var high = d.GetUpper();
        var rest = Fold(low.GetLower(), s_fold384) ^ Fold(low.GetUpper(), s_fold256) ^ Fold(high.GetLower(), s_fold128) ^ high.GetUpper();
        return Finish(rest, bytes);
    }

    private static ulong Finish(Vector128<ulong> rest, ReadOnlySpan<byte> tail)
    {
        ref var table = ref MemoryMarshal.GetArrayDataReference(s_tables);
        var crc = Eight(ref table, rest.ToScalar(), 15) ^ Eight(ref table, rest.GetElement(1), 7);
        return UpdateTable(~crc, tail);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Eight(ref ulong table, ulong value, int slice)
    {
        ref var t = ref Unsafe.Add(ref table, (slice - 7) * 256);
        return Unsafe.Add(ref t, 7 * 256 + (byte)value)
            ^ Unsafe.Add(ref t, 6 * 256 + (byte)(value >> 8))
            ^ Unsafe.Add(ref t, 5 * 256 + (byte)(value >> 16))
            ^ Unsafe.Add(ref t, 4 * 256 + (byte)(value >> 24))
            ^ Unsafe.Add(ref t, 3 * 256 + (byte)(value >> 32))
            ^ Unsafe.Add(ref t, 2 * 256 + (byte)(value >> 40))
            ^ Unsafe.Add(ref t, 1 * 256 + (byte)(value >> 48))
            ^ Unsafe.Add(ref t, (byte)(value >> 56));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ulong> Load128(ReadOnlySpan<byte> bytes, int offset) => Vector128.Create(bytes.Slice(offset, 16)).AsUInt64();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<ulong> Load512(ReadOnlySpan<byte> bytes, int offset) => Vector512.Create(bytes.Slice(offset, 64)).AsUInt64();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<ulong> Broadcast(Vector128<ulong> keys)
    {
        var half = Vector256.Create(keys, keys);
        return Vector512.Create(half, half);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ulong> Fold(Vector128<ulong> value, Vector128<ulong> keys)
    {
        if (Pclmulqdq.IsSupported)
            return Pclmulqdq.CarrylessMultiply(value, keys, 0x00) ^ Pclmulqdq.CarrylessMultiply(value, keys, 0x11);
        return ArmAes.PolynomialMultiplyWideningLower(value.GetLower(), keys.GetLower())
            ^ ArmAes.PolynomialMultiplyWideningUpper(value, keys);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<ulong> Fold(Vector512<ulong> value, Vector512<ulong> keys) =>
        Pclmulqdq.V512.CarrylessMultiply(value, keys, 0x00) ^ Pclmulqdq.V512.CarrylessMultiply(value, keys, 0x11);

    private static Vector128<ulong> FoldKeys(int distance) => Vector128.Create(PowerOfX(distance + 63), PowerOfX(distance - 1));

    /// <summary>x^n modulo the polynomial, reflected: bit 63 is x^0.</summary>
    private static ulong PowerOfX(int n)
    {
        var value = 1UL << 63;
        for (var i = 0; i < n; i++)
            value = Step(value);
        return value;
    }

    private static ulong Step(ulong value) => (value >> 1) ^ ((value & 1) != 0 ? Polynomial : 0);

    private static ulong[] BuildTables()
    {
        var tables = new ulong[Slices * 256];
        for (var i = 0; i < 256; i++)
        {
            var value = (ulong)i;
            for (var bit = 0; bit < 8; bit++)
                value = Step(value);
            tables[i] = value;
        }
        for (var i = 256; i < tables.Length; i++)
            tables[i] = tables[(byte)tables[i - 256]] ^ (tables[i - 256] >> 8);
        return tables;
    }
}
