using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Datasette.Configuration;

/// <summary>Replaces <c>{"$env": NAME}</c> and <c>{"$file": PATH}</c> by what they refer to (C078).</summary>
internal static class SecretReferences
{
    public static JsonNode? Resolve(JsonNode? node, string[] path, Func<string[], SourcePosition?> locate)
    {
        switch (node)
        {
            case JsonObject { Count: 1 } map when Text(map["$env"]) is { } name:
                return Environment.GetEnvironmentVariable(name) is { } variable ? JsonValue.Create(variable) : null;
            case JsonObject { Count: 1 } map when Text(map["$file"]) is { } file:
                return JsonValue.Create(ReadFile(file, path, locate));
            case JsonObject map:
                var result = new JsonObject();
                foreach (var (key, value) in map)
                {
                    result[key] = Resolve(value, [.. path, key], locate);
                }

                return result;
            case JsonArray list:
                return new JsonArray([
                    .. list.Select((item, i) => Resolve(item, [.. path, i.ToString(CultureInfo.InvariantCulture)], locate)),
                ]);
            default:
                return node?.DeepClone();
        }
    }

    private static string ReadFile(string file, string[] path, Func<string[], SourcePosition?> locate)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StartupException($"{locate(path)}: cannot read the file of {{\"$file\": \"{file}\"}}: {e.Message}", 1, e);
        }
    }

    private static string? Text(JsonNode? node)
    {
        return node is JsonValue value && value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : null;
    }
}
