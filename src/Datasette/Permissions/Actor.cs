using System.Text.Json;
using System.Text.Json.Nodes;

namespace Datasette.Permissions;

/// <summary>Who makes a request: a JSON object from a cookie, a token or a plugin. Anonymous visitors are null, not an actor.</summary>
/// <param name="Json">The object; treat as immutable.</param>
public sealed record Actor(JsonObject Json)
{
    /// <summary>The value of <c>id</c> as text; null when there is none.</summary>
    public string? Id =>
        Json["id"] switch
        {
            JsonValue value when value.GetValueKind() == JsonValueKind.String => value.GetValue<string>(),
            JsonValue value => value.ToJsonString(),
            _ => null,
        };

    /// <summary>The restrictions <c>_r</c> of a token; null when there are none.</summary>
    public JsonObject? Restrictions => Json["_r"] as JsonObject;

    /// <summary>True when a token made this actor.</summary>
    public bool IsToken => Json.ContainsKey("token");

    /// <summary>The name shown on pages: the first of display, name, username, login, id.</summary>
    public string? Display
    {
        get
        {
            foreach (var key in (string[])["display", "name", "username", "login"])
            {
                if (Json[key] is JsonValue value && value.TryGetValue<string>(out var text) && text.Length > 0)
                {
                    return text;
                }
            }

            return Id;
        }
    }

    /// <summary>An actor with only an id.</summary>
    public static Actor WithId(string id) => new(new JsonObject { ["id"] = id });
}
