using System.Runtime.InteropServices;
using SharpFuzz.Common;

namespace Litestream.Tests.Fuzz;

/// <summary>
/// Which ways the instrumented code has gone: a counter for each pair of blocks that followed one another, as AFL keeps it. The counters belong to the
/// process, so one run at a time.
/// </summary>
internal sealed unsafe class CoverageMap
{
    private const int Size = 1 << 16;
    private readonly byte[] _seen = new byte[Size];

    /// <summary>Pairs of blocks seen so far.</summary>
    public int Edges { get; private set; }

    /// <summary>Pairs of blocks that the last input went through.</summary>
    public int Reached { get; private set; }

    /// <summary>Gives instrumented code a place to write to, for good; must come before its first method.</summary>
    public static void Prepare() => Trace.SharedMem = (byte*)NativeMemory.AllocZeroed(Size);

    /// <summary>Before an input.</summary>
    public void Reset()
    {
        new Span<byte>(Trace.SharedMem, Size).Clear();
        Trace.PrevLocation = 0;
    }

    /// <summary>After an input: whether it went where none went before, or so often as none did.</summary>
    public bool Learn()
    {
        var hits = new ReadOnlySpan<byte>(Trace.SharedMem, Size);
        var learned = false;
        Reached = 0;
        for (var at = 0; at < Size; at++)
        {
            var next = hits[at..].IndexOfAnyExcept((byte)0);
            if (next < 0)
                break;
            at += next;
            Reached++;
            var often = HowOften(hits[at]);
            if ((_seen[at] & often) != 0)
                continue;
            Edges += _seen[at] == 0 ? 1 : 0;
            _seen[at] |= often;
            learned = true;
        }
        return learned;
    }

    // One bit for 1, 2, 3, 4-7, 8-15, 16-31, 32-127 and more: a loop's exact count is no news.
    private static byte HowOften(byte hits) =>
        hits switch
        {
            <= 3 => (byte)(1 << (hits - 1)),
            < 8 => 8,
            < 16 => 16,
            < 32 => 32,
            < 128 => 64,
            _ => 128,
        };
}
