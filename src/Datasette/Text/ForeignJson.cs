using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Unicode;

namespace Datasette.Text;

/// <summary>
/// JSON that others wrote: visitors, cells, files. What the runtime reads only when it is looked at, and then fails at, is found here at once: texts that
/// are no Unicode are no JSON, and of a key that is there twice the last counts.
/// </summary>
internal static class ForeignJson
{
    /// <summary>JSON as a tree; each of its values can be read and written.</summary>
    /// <param name="text">The JSON.</param>
    /// <exception cref="JsonException">It is none.</exception>
    public static JsonNode? Parse(string text)
    {
        using var document = ParseDocument(System.Text.Encoding.UTF8.GetBytes(text));
        return Of(document.RootElement);
    }

    /// <summary>JSON as a document whose texts can all be read.</summary>
    /// <param name="bytes">UTF-8.</param>
    /// <exception cref="JsonException">It is none.</exception>
    public static JsonDocument ParseDocument(ReadOnlyMemory<byte> bytes)
    {
        if (!Utf8.IsValid(bytes.Span))
        {
            throw new JsonException("The text is not UTF-8.");
        }

        var document = JsonDocument.Parse(bytes);
        try
        {
            if (MayHaveSurrogate(bytes.Span))
            {
                CheckTexts(bytes.Span);
            }

            return document;
        }
        catch
        {
            document.Dispose();
            throw;
        }
    }

    /// <summary>An element as a tree of its own.</summary>
    /// <param name="element">Of a document that was parsed here.</param>
    public static JsonNode? Of(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                var map = new JsonObject();
                foreach (var property in element.EnumerateObject())
                {
                    map[property.Name] = Of(property.Value);
                }

                return map;
            case JsonValueKind.Array:
                return new JsonArray([.. element.EnumerateArray().Select(Of)]);
            case JsonValueKind.Null:
                return null;
            default:
                return JsonValue.Create(element.Clone());
        }
    }

    // Half of a pair can only be written with an escape.
    private static bool MayHaveSurrogate(ReadOnlySpan<byte> bytes) => bytes.IndexOf("\\ud"u8) >= 0 || bytes.IndexOf("\\uD"u8) >= 0;

    private static void CheckTexts(ReadOnlySpan<byte> bytes)
    {
        var reader = new Utf8JsonReader(bytes);
        while (reader.Read())
        {
            if (!reader.ValueIsEscaped)
            {
                continue;
            }

            try
            {
                _ = reader.GetString();
            }
            catch (InvalidOperationException)
            {
                throw new JsonException($"Half of a surrogate pair stands alone in a text, before byte {reader.BytesConsumed}.");
            }
        }
    }
}
