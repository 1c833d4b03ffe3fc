using System.Text.Encodings.Web;

namespace Datasette.Liquid;

/// <summary>What all renderings of one page may use together.</summary>
internal sealed class LiquidBudget(TimeProvider time)
{
    private readonly long start = time.GetTimestamp();
    private int steps;

    /// <summary>The time of day, in seconds since 1970.</summary>
    public object Now => time.GetUtcNow().ToUnixTimeMilliseconds() / 1000m;

    /// <summary>Files within files now.</summary>
    public int Includes { get; set; }

    /// <summary>Blocks within blocks now, in all files.</summary>
    public int Depth { get; set; }

    public void Step()
    {
        if (++steps > LiquidLimits.Steps)
        {
            throw LiquidLimits.TooManySteps();
        }
        if (steps % 256 == 0)
        {
            CheckTime();
        }
    }

    public void CheckTime()
    {
        if (time.GetElapsedTime(start) > LiquidLimits.Time)
        {
            throw LiquidLimits.TooSlow();
        }
    }
}

/// <summary>One rendering: its variables and its limits. Used by one thread.</summary>
internal class LiquidRun(LiquidMap values, LiquidBudget budget, HtmlEncoder encoder)
{
    private readonly List<Dictionary<string, object?>> scopes = [new(StringComparer.Ordinal)];

    public LiquidBudget Budget => budget;

    public HtmlEncoder Encoder => encoder;

    /// <summary>The line that is being rendered, for messages.</summary>
    public int Line { get; set; }

    /// <summary>Counters of increment and decrement, places of cycles.</summary>
    public Dictionary<string, int> Counters { get; } = new(StringComparer.Ordinal);

    /// <summary>A variable: of the innermost scope that has one of that name, else of the page.</summary>
    public object? Get(string name)
    {
        for (var i = scopes.Count - 1; i >= 0; i--)
        {
            if (scopes[i].TryGetValue(name, out var value))
            {
                return value;
            }
        }
        return values.Find(name);
    }

    /// <summary>A variable that the template has set; false when it has not.</summary>
    public bool TryGetOwn(string name, out object? value) => scopes[0].TryGetValue(name, out value);

    /// <summary>Sets a variable for the rest of the page.</summary>
    public void Set(string name, object? value) => scopes[0][name] = Checked(value);

    /// <summary>Sets a variable of the innermost scope.</summary>
    public void SetHere(string name, object? value) => scopes[^1][name] = value;

    public void EnterScope() => scopes.Add(new(StringComparer.Ordinal));

    public void LeaveScope() => scopes.RemoveAt(scopes.Count - 1);

    public void Step(int line)
    {
        Line = line;
        budget.Step();
    }

    public void CheckTime() => budget.CheckTime();

    /// <summary>The value, if it is not too large.</summary>
    public static object? Checked(object? value) =>
        value switch
        {
            string { Length: > LiquidLimits.Characters } => throw LiquidLimits.TooLarge(),
            SafeHtml { Html.Length: > LiquidLimits.Characters } => throw LiquidLimits.TooLarge(),
            IReadOnlyList<object?> { Count: > LiquidLimits.Items } => throw LiquidLimits.TooManyItems(),
            _ => value,
        };
}
