namespace Datasette.Liquid;

/// <summary>What one rendering may use, so that a mistake in a template costs a page and not the server.</summary>
internal static class LiquidLimits
{
    /// <summary>Tags, outputs and turns of loops.</summary>
    public const int Steps = 1_000_000;

    /// <summary>Characters of a page, of a captured block and of a value.</summary>
    public const int Characters = 8 << 20;

    /// <summary>Items of a list that a template makes: a range, a split text.</summary>
    public const int Items = 100_000;

    /// <summary>Templates that include each other.</summary>
    public const int Includes = 30;

    /// <summary>Blocks within blocks: in one file, and in all files that include each other.</summary>
    public const int Nesting = 100;

    /// <summary>Brackets within brackets.</summary>
    public const int Brackets = 20;

    /// <summary>Time for one page.</summary>
    public static readonly TimeSpan Time = TimeSpan.FromSeconds(5);

    public static LiquidException TooLarge() =>
        new($"it writes more than {Characters >> 20} million characters. Show fewer rows, or look for a loop that repeats itself");

    public static LiquidException TooManyItems() =>
        new(FormattableString.Invariant($"a list has more than {Items:N0} items. Make it shorter"));

    public static LiquidException TooManySteps() =>
        new(FormattableString.Invariant($"it takes more than {Steps:N0} steps. Look for a loop in a loop, or show fewer rows"));

    public static LiquidException TooDeep() =>
        new($"templates include each other more than {Includes} times. Look for one that includes itself");

    public static LiquidException TooNested() => new($"blocks are nested deeper than {Nesting}");

    public static LiquidException TooSlow() =>
        new($"it takes longer than {Time.TotalSeconds:0} seconds. Show fewer rows, or look for a loop in a loop");
}
