using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Datasette.Permissions;

/// <summary>The <c>allow</c> blocks of configuration. Pure.</summary>
public static class AllowBlock
{
    /// <summary>Whether a block lets an actor in.</summary>
    /// <param name="actor">The actor; null = anonymous.</param>
    /// <param name="allow">True, false, 0, 1 or a mapping. Null is no rule; callers ask first.</param>
    /// <returns>False for anything else than these: what cannot be understood must not open a door.</returns>
    public static bool Matches(Actor? actor, JsonNode? allow)
    {
        switch (allow)
        {
            case null:
                return true;
            case JsonValue value:
                return Scalar(value) == "n1";
            case JsonObject block:
                return Matches(actor, block);
            default:
                return false;
        }
    }

    private static bool Matches(Actor? actor, JsonObject block)
    {
        if (actor is null)
        {
            return block["unauthenticated"] is JsonValue flag && flag.GetValueKind() == JsonValueKind.True;
        }

        foreach (var (key, wanted) in block)
        {
            if (
                wanted is JsonValue star
                && star.GetValueKind() == JsonValueKind.String
                && star.GetValue<string>() == "*"
                && actor.Json.ContainsKey(key)
            )
            {
                return true;
            }

            var owned = Scalars(actor.Json[key]);
            if (Scalars(wanted).Any(owned.Contains))
            {
                return true;
            }
        }

        return false;
    }

    private static List<string> Scalars(JsonNode? node)
    {
        return node switch
        {
            JsonValue value => [Scalar(value)],
            JsonArray array => [.. array.OfType<JsonValue>().Select(Scalar)],
            _ => [],
        };
    }

    // One text per value, equal when the values are: 1, 1.0 and true are one another's equal, "1" is not.
    private static string Scalar(JsonValue value)
    {
        return value.GetValueKind() switch
        {
            JsonValueKind.True => "n1",
            JsonValueKind.False => "n0",
            JsonValueKind.String => "s" + value.GetValue<string>(),
            JsonValueKind.Number => "n" + Number(value.ToJsonString()),
            _ => "",
        };
    }

    private static string Number(string text)
    {
        return long.TryParse(text, CultureInfo.InvariantCulture, out var whole)
            ? whole.ToString(CultureInfo.InvariantCulture)
            : double.Parse(text, CultureInfo.InvariantCulture).ToString("R", CultureInfo.InvariantCulture);
    }
}
