using System.Text.Json;
using System.Text.Json.Nodes;
using Datasette.Permissions;
using Datasette.Plugins;
using Datasette.Responses;
using Datasette.Text;
using Microsoft.AspNetCore.Http;

namespace Datasette.Defaults;

/// <summary>Signed in by the cookie <c>ds_actor</c>. A cookie that is not ours or has expired is no error: the visitor is anonymous.</summary>
internal sealed class ActorCookie : DatasettePlugin
{
    public const string CookieName = "ds_actor";
    private const string Namespace = "actor";

    public override string Name => "datasette.actor_auth_cookie";

    public static string Make(IDatasette datasette, JsonObject actor) =>
        datasette.Sign(new JsonObject { ["a"] = actor.DeepClone() }.ToJsonString(PlainJson.Options), Namespace);

    public override ValueTask<Actor?> ActorFromRequestAsync(IDatasette datasette, HttpContext context)
    {
        var cookie = context.Request.Cookies[CookieName];
        if (
            string.IsNullOrEmpty(cookie)
            || !datasette.TryUnsign(cookie.Trim('"'), Namespace, out var json)
            || Open(json, datasette.Time) is not { } actor
        )
        {
            return ValueTask.FromResult<Actor?>(null);
        }
        RequestState.Of(context).IsCookieActor = true;
        return ValueTask.FromResult<Actor?>(actor);
    }

    private static Actor? Open(string json, TimeProvider time)
    {
        try
        {
            if (JsonNode.Parse(json) is not JsonObject payload || payload["a"] is not JsonObject actor)
            {
                return null;
            }
            if (payload["e"] is JsonValue expiry)
            {
                if (!Base62.TryDecode(expiry.ToString(), out var seconds) || time.GetUtcNow().ToUnixTimeSeconds() > seconds)
                {
                    return null;
                }
            }
            return new Actor((JsonObject)actor.DeepClone());
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>JSON as the original signs it: compact, letters of all scripts as they are.</summary>
internal static class PlainJson
{
    public static readonly JsonSerializerOptions Options = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        TypeInfoResolver = PlainJsonContext.Default,
    };
}

[System.Text.Json.Serialization.JsonSerializable(typeof(JsonNode))]
internal sealed partial class PlainJsonContext : System.Text.Json.Serialization.JsonSerializerContext;
