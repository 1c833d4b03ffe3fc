using System.Globalization;
using System.Runtime.CompilerServices;

namespace Litestream.Tests.Simulation;

/// <summary>What happened in a life, line by line. Off, a line costs nothing but its count: a life that fails is lived again with the trace on.</summary>
internal sealed class Trace(bool isOn, TimeProvider time)
{
    private const int Longest = 20_000;
    private int _count;

    internal bool IsOn => isOn;

    /// <summary>True while the world is taken down: then a long trace is no failure.</summary>
    internal bool Ends { get; set; }

    internal List<string> Lines { get; } = [];

    internal void Say(string text) => Say(this, $"{text}");

    internal void Say([InterpolatedStringHandlerArgument("")] ref TraceLine line)
    {
        if (++_count > Longest && !Ends)
            throw new InvalidOperationException("the engine does not come to an end");
        if (isOn)
            Lines.Add($"{time.GetUtcNow().ToString("dd HH:mm:ss.fff", CultureInfo.InvariantCulture)} {line.Text()}");
    }

    private static void Say(Trace trace, [InterpolatedStringHandlerArgument(nameof(trace))] ref TraceLine line) => trace.Say(ref line);
}

/// <summary>The text of a line, put together only when somebody will read it.</summary>
[InterpolatedStringHandler]
internal ref struct TraceLine
{
    private DefaultInterpolatedStringHandler _text;

    public TraceLine(int literalLength, int formattedCount, Trace trace, out bool isOn)
    {
        isOn = trace.IsOn;
        if (isOn)
            _text = new DefaultInterpolatedStringHandler(literalLength, formattedCount, CultureInfo.InvariantCulture);
    }

    public void AppendLiteral(string text) => _text.AppendLiteral(text);

    public void AppendFormatted<T>(T value) => _text.AppendFormatted(value);

    internal string Text() => _text.ToStringAndClear();
}
