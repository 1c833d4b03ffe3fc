using System.Globalization;
using System.Security.Cryptography;

namespace Datasette.Views;

/// <summary>Parameters of stored queries that the host fills in; visitors cannot.</summary>
internal static class MagicParameters
{
    public static bool IsMagic(string name) => name.StartsWith('_');

    /// <summary>The value of a parameter, of the host's own or of a plugin's.</summary>
    /// <exception cref="DatasetteException">400: there is no such value for this visitor.</exception>
    public static async ValueTask<object?> ValueAsync(ViewContext v, string name)
    {
        var parts = name[1..].Split('_', 2);
        return v.App.Hooks.Registered.Magic.TryGetValue(parts[0], out var parameter)
            ? await parameter.ValueAsync(parts.Length > 1 ? parts[1] : "", v.Http)
            : Own(v, name);
    }

    private static object? Own(ViewContext v, string name)
    {
        var parts = name[1..].Split('_', 2);
        var rest = parts.Length > 1 ? parts[1] : "";
        var now = v.App.Time.GetUtcNow();
        return (parts[0], rest) switch
        {
            ("actor", _) => v.Actor?.Json[rest] is { } value ? Text(value) : throw Missing(name),
            ("cookie", _) => v.Http.Request.Cookies[rest] ?? throw Missing(name),
            ("header", _) => v.Http.Request.Headers[rest.Replace('_', '-')].ToString(),
            ("now", "epoch") => now.ToUnixTimeSeconds(),
            ("now", "date_utc") => now.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
            ("now", "datetime_utc") => now.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
            ("random", _)
                when rest.StartsWith("chars_", StringComparison.Ordinal)
                    && int.TryParse(rest[6..], out var count)
                    && count is > 0 and <= 4096 => RandomNumberGenerator.GetHexString(count, lowercase: true),
            _ => throw Missing(name),
        };
    }

    private static object? Text(System.Text.Json.Nodes.JsonNode value) =>
        value.GetValueKind() switch
        {
            System.Text.Json.JsonValueKind.String => value.GetValue<string>(),
            System.Text.Json.JsonValueKind.Number when value.AsValue().TryGetValue<long>(out var number) => number,
            _ => value.ToJsonString(),
        };

    private static DatasetteException Missing(string name) => new(400, $"There is no value for the parameter :{name}");
}
