using System.Text.Json;
using System.Text.Json.Nodes;
using Datasette.Permissions;
using Datasette.Plugins;
using Microsoft.AspNetCore.Http;

namespace Datasette.Defaults;

/// <summary>Signed in by <c>Authorization: Bearer dstok_…</c>. A token of ours that is not valid fails the request; others are ignored.</summary>
internal sealed class SignedTokens : DatasettePlugin
{
    public const string Prefix = "dstok_";
    private const string Namespace = "token";

    public override string Name => "datasette.default_permissions.tokens";

    /// <summary>Makes a token.</summary>
    /// <param name="sign">Signs JSON text for a namespace.</param>
    /// <param name="actorId">For whom.</param>
    /// <param name="issuedAt">Unix seconds.</param>
    /// <param name="lifetimeSeconds">Seconds until it expires; null never.</param>
    /// <param name="restrictions">What it may do at most; null everything its actor may.</param>
    public static (string Token, JsonObject Payload) Make(
        Func<string, string, string> sign,
        string actorId,
        long issuedAt,
        long? lifetimeSeconds,
        JsonObject? restrictions
    )
    {
        var payload = new JsonObject { ["a"] = actorId, ["t"] = issuedAt };
        if (lifetimeSeconds is { } seconds)
        {
            payload["d"] = seconds;
        }
        if (restrictions is not null)
        {
            payload["_r"] = restrictions.DeepClone();
        }
        return (Prefix + sign(payload.ToJsonString(PlainJson.Options), Namespace), payload);
    }

    public override ValueTask<Actor?> ActorFromRequestAsync(IDatasette datasette, HttpContext context)
    {
        const string scheme = "Bearer ";
        var header = context.Request.Headers.Authorization.ToString();
        if (
            !header.StartsWith(scheme, StringComparison.Ordinal)
            || !header.AsSpan(scheme.Length).StartsWith(Prefix, StringComparison.Ordinal)
        )
        {
            return ValueTask.FromResult<Actor?>(null);
        }
        return ValueTask.FromResult<Actor?>(Open(datasette, header[(scheme.Length + Prefix.Length)..]));
    }

    private static Actor Open(IDatasette datasette, string signed)
    {
        if (!datasette.Settings.AllowSignedTokens)
        {
            throw Rejected("Signed tokens are not enabled for this Datasette instance");
        }
        if (!datasette.TryUnsign(signed, Namespace, out var json) || Parse(json) is not { } payload)
        {
            throw Rejected("Invalid token signature");
        }
        if (!payload.ContainsKey("t"))
        {
            throw Rejected("Invalid token: no timestamp");
        }
        if (!TryInteger(payload["t"], out var created))
        {
            throw Rejected("Invalid token: invalid timestamp");
        }
        var lifetime = Lifetime(payload, datasette.Settings.MaxSignedTokensTtl);
        if (lifetime is { } seconds && datasette.Time.GetUtcNow().ToUnixTimeSeconds() - created > seconds)
        {
            throw Rejected("Token has expired");
        }
        var actor = new JsonObject { ["id"] = payload["a"]?.DeepClone(), ["token"] = "dstok" };
        if (payload["_r"] is { } restrictions)
        {
            actor["_r"] = restrictions.DeepClone();
        }
        if (lifetime is { } life)
        {
            actor["token_expires"] = created + life;
        }
        return new Actor(actor);
    }

    private static long? Lifetime(JsonObject payload, int longest)
    {
        long? lifetime = null;
        if (payload["d"] is { } duration)
        {
            lifetime = TryInteger(duration, out var seconds) ? seconds : throw Rejected("Invalid token: invalid duration");
        }
        return longest > 0 ? Math.Min(lifetime ?? longest, longest) : lifetime;
    }

    private static JsonObject? Parse(string json)
    {
        try
        {
            return JsonNode.Parse(json) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static bool TryInteger(JsonNode? node, out long value)
    {
        value = 0;
        return node is JsonValue number && number.GetValueKind() == JsonValueKind.Number && number.TryGetValue(out value);
    }

    private static DatasetteException Rejected(string message) => new(StatusCodes.Status401Unauthorized, message);
}
