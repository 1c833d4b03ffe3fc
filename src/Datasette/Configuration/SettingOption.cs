using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Datasette.Text;

namespace Datasette.Configuration;

/// <summary>One <c>-s NAME VALUE</c> (C060, C061, C063).</summary>
internal static class SettingOption
{
    public static void Apply(ConfigDocument config, string name, string text)
    {
        // A bare known name is short for settings.NAME, and then the value is checked; a dotted path may be anything.
        var setting = DatasetteSettings.Find(name);
        var value = setting is null ? Parse(text) : Checked(setting, text);
        var path = setting is null ? name.Split('.') : ["settings", name];
        var tree = value;
        foreach (var key in path.Reverse())
        {
            tree = new JsonObject { [key] = tree };
        }

        Merge(config, (JsonObject)tree!, "", new SourcePosition($"-s {name}", 0, 0));
    }

    private static JsonNode? Parse(string text)
    {
        try
        {
            return ForeignJson.Parse(text);
        }
        catch (JsonException)
        {
            return JsonValue.Create(text);
        }
    }

    private static JsonNode Checked(SettingDescription setting, string text)
    {
        switch (setting.Default)
        {
            case bool:
                return text.ToLowerInvariant() switch
                {
                    "on" or "true" or "1" => JsonValue.Create(true),
                    "off" or "false" or "0" => JsonValue.Create(false),
                    _ => throw new StartupException($"\"settings.{setting.Name}\" should be on/off/true/false/1/0", 2),
                };
            case int:
                return text.Length > 0 && text.All(char.IsAsciiDigit) && int.TryParse(text, CultureInfo.InvariantCulture, out var number)
                    ? ConfigDocument.Number(number.ToString(CultureInfo.InvariantCulture))
                    : throw new StartupException($"\"settings.{setting.Name}\" should be an integer", 2);
            default:
                return JsonValue.Create(text);
        }
    }

    private static void Merge(ConfigDocument config, JsonObject source, string path, SourcePosition position)
    {
        Merge(config, config.Root, source, path, position);
    }

    private static void Merge(ConfigDocument config, JsonObject target, JsonObject source, string path, SourcePosition position)
    {
        foreach (var (key, value) in source)
        {
            var keyPath = ConfigDocument.Path(path, key);
            if (target[key] is JsonObject inner && value is JsonObject below)
            {
                Merge(config, inner, below, keyPath, position);
                continue;
            }

            target[key] = value?.DeepClone();
            config.Mark(keyPath, position);
        }
    }
}
