using Datasette.Permissions;
using Datasette.Plugins;
using Datasette.Responses;
using Microsoft.AspNetCore.Http;

namespace Datasette.Responses;

/// <summary>What the host knows of one request: found out once, before a view runs. Used by one request only.</summary>
internal sealed class RequestState
{
    private static readonly object Key = new();

    /// <summary>The raw path without <c>base_url</c>; begins with a slash.</summary>
    public required string Path { get; init; }

    /// <summary>The raw path as sent.</summary>
    public required string FullPath { get; init; }

    public required QueryArgs Args { get; init; }

    public Actor? Actor { get; set; }

    /// <summary>The actor came in by cookie and so can log out.</summary>
    public bool IsCookieActor { get; set; }

    /// <summary>What must have happened after a write before it is answered; null when the commit is enough.</summary>
    public IWriteReceipt? Receipt { get; set; }

    /// <summary>Messages for the next page.</summary>
    public List<FlashMessage> NewMessages { get; } = [];

    /// <summary>There are templates of the user: pages mark their blocks for them.</summary>
    public bool HasMarks { get; init; }

    /// <summary>Messages that this page shows; they are forgotten with it.</summary>
    public bool MessagesShown { get; set; }

    /// <summary>What the page is about; set by a view before it asks for the layout.</summary>
    public PageContext? Page { get; set; }

    /// <summary>The answer is about a plugin's failure: the frame is made without plugins, so that it can be made.</summary>
    public bool WithoutPlugins { get; set; }

    /// <summary>A word for scripts that a plugin puts into the page itself; asking for it lets them run.</summary>
    public string Nonce => UsedNonce ??= System.Security.Cryptography.RandomNumberGenerator.GetHexString(32, lowercase: true);

    /// <summary>Where the scripts of the page come from, beside the host itself.</summary>
    public IReadOnlyList<string> ScriptUrls { get; set; } = [];

    /// <summary>The word, if anybody asked for it.</summary>
    public string? UsedNonce { get; private set; }

    public static RequestState Of(HttpContext context) =>
        context.Items[Key] as RequestState ?? throw new InvalidOperationException("This request did not come through the host.");

    public void Attach(HttpContext context) => context.Items[Key] = this;
}

/// <summary>A write that is answered only when more than this machine's disk holds it.</summary>
internal interface IWriteReceipt
{
    /// <summary>Waits; sets headers, and the status of an answer that comes too early.</summary>
    Task CompleteAsync(HttpContext context, IResult answer);
}
