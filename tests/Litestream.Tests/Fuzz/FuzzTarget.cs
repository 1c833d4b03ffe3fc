namespace Litestream.Tests.Fuzz;

/// <summary>A parser under attack.</summary>
/// <param name="Name">For the command line and the report.</param>
/// <param name="Seeds">Inputs that are right, or nearly.</param>
/// <param name="Run">Parses; may throw <see cref="LitestreamException"/> and nothing else.</param>
internal sealed record FuzzTarget(string Name, IReadOnlyList<byte[]> Seeds, Action<byte[]> Run)
{
    /// <summary>Four of the largest pages.</summary>
    public const int FourPages = 4 * 65536;

    /// <summary>Makes a whole input of mutated parts, with checksums that are right again, so that what lies behind them is reached too.</summary>
    public Func<Random, byte[], byte[]>? Mend { get; init; }

    /// <summary>
    /// Bytes that the parser may hold for an input: the file's size plus four pages. Greater only where a format itself says so: a block of an LZ4 frame is
    /// decoded whole, and can be 255 times as long as its bytes, up to 4 MiB.
    /// </summary>
    public Func<int, long> Allowed { get; init; } = size => size + FourPages;

    /// <summary>False where the parser is another library on other threads, whose memory cannot be told from that of its neighbours.</summary>
    public bool Measured { get; init; } = true;

    /// <summary>Inputs in the short run of every build, so that all targets together take some seconds.</summary>
    public int ShortRun { get; init; } = 2000;

    public override string ToString() => Name;
}
