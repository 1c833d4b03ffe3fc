namespace Litestream.Cli.Configuration;

/// <summary>The failures of a configuration, always with what, where and what to do.</summary>
internal static class ConfigError
{
    /// <summary><c>FILE:LINE:COLUMN: text</c>.</summary>
    public static LitestreamException At(ConfigPlace place, string text, string? hint) =>
        new(LitestreamError.InvalidConfiguration, $"{place}: {text}") { Hint = hint, Path = place.File };

    /// <summary><c>field: text (got value)</c>; the place goes to the hint.</summary>
    public static LitestreamException Field(string field, string text, string got, string? hint, ConfigPlace? place) =>
        new(LitestreamError.InvalidConfiguration, $"{field}: {text} (got {got})") { Hint = WithPlace(hint, place), Path = place?.File };

    /// <summary>Free text; the place goes to the hint.</summary>
    public static LitestreamException Text(string text, string? hint, ConfigPlace? place = null) =>
        new(LitestreamError.InvalidConfiguration, text) { Hint = WithPlace(hint, place), Path = place?.File };

    private static string? WithPlace(string? hint, ConfigPlace? place) =>
        place is not { } p ? hint
        : hint is null ? $"see {p.File}, line {p.Line}"
        : $"{hint} ({p.File}, line {p.Line})";
}
