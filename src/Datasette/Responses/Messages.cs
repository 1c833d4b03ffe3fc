using System.Text.Json;
using System.Text.Json.Nodes;
using Datasette.Plugins;
using Microsoft.AspNetCore.Http;

namespace Datasette.Responses;

/// <summary>Messages shown once: a signed list in the cookie <c>ds_messages</c>.</summary>
internal static class Messages
{
    public const string Cookie = "ds_messages";
    private const string Namespace = "messages";

    /// <summary>What the last answer left for this visitor.</summary>
    public static IReadOnlyList<FlashMessage> Read(IDatasette datasette, HttpContext context)
    {
        if (context.Request.Cookies[Cookie] is not { Length: > 0 } text || !datasette.TryUnsign(text, Namespace, out var json))
        {
            return [];
        }
        var messages = new List<FlashMessage>();
        try
        {
            foreach (var item in JsonNode.Parse(json) as JsonArray ?? [])
            {
                if (item is JsonArray { Count: 2 } pair && pair[0] is JsonValue text0 && pair[1] is JsonValue kind)
                {
                    messages.Add(new(text0.ToString(), (MessageKind)kind.GetValue<int>()));
                }
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            // Signed by us, but of another shape: nothing to show.
            messages.Clear();
        }
        return messages;
    }

    /// <summary>Before the answer starts: keeps new messages, forgets those that were shown.</summary>
    public static void Apply(IDatasette datasette, HttpContext context)
    {
        var state = RequestState.Of(context);
        if (state.NewMessages.Count > 0)
        {
            var list = new JsonArray();
            foreach (var message in (state.MessagesShown ? [] : Read(datasette, context)).Concat(state.NewMessages))
            {
                list.Add((JsonNode)new JsonArray(message.Text, (int)message.Kind));
            }
            SetCookie(datasette, context, Cookie, datasette.Sign(list.ToJsonString(), Namespace));
        }
        else if (state.MessagesShown && context.Request.Cookies.ContainsKey(Cookie))
        {
            ClearCookie(context, Cookie);
        }
    }

    /// <summary>Sets a cookie that goes with requests from this site alone.</summary>
    /// <param name="datasette">The host; it may say that all its addresses are https.</param>
    /// <param name="context">The request.</param>
    /// <param name="name">Its name.</param>
    /// <param name="value">Its value.</param>
    /// <param name="isCredential">No script may read it.</param>
    public static void SetCookie(IDatasette datasette, HttpContext context, string name, string value, bool isCredential = false)
    {
        var isSecure = context.Request.IsHttps || datasette.Settings.ForceHttpsUrls;
        var attributes = (isCredential || isSecure ? "; HttpOnly" : "") + (isSecure ? "; Secure" : "");
        context.Response.Headers.Append("Set-Cookie", $"{name}={value}; Path=/; SameSite=lax{attributes}");
    }

    public static void ClearCookie(HttpContext context, string name) =>
        context.Response.Headers.Append(
            "Set-Cookie",
            $"{name}=\"\"; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=lax"
        );
}
