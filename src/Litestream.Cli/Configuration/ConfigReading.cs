namespace Litestream.Cli.Configuration;

/// <summary>Single values out of a group of keys.</summary>
internal static class ConfigReading
{
    /// <summary>The text of a key; null when it is missing or empty.</summary>
    public static string? Get(ConfigMapping group, string key) =>
        group.Find(key)?.Value is ConfigScalar { Value: { Length: > 0 } value } ? value : null;

    /// <summary>The duration of a key; null when it is missing or empty.</summary>
    public static TimeSpan? GetDuration(ConfigMapping group, string key) =>
        Get(group, key) is { } text ? ConfigValues.Duration(key, text) : null;

    /// <summary>True when a key says so.</summary>
    public static bool GetBool(ConfigMapping group, string key) => Get(group, key) is { } text && ConfigValues.Bool(key, text);
}
