using Datasette.Plugins;
using Microsoft.AspNetCore.Html;

namespace Datasette.Pages;

/// <summary>
/// Everything that the frame of a page shows. Made by <see cref="IDatasette.LayoutAsync"/>; a plugin hands it to its slice, which implements
/// <c>IUsesLayout&lt;Layout, LayoutModel&gt;</c>.
/// </summary>
public sealed record LayoutModel
{
    /// <summary>The page's title.</summary>
    public required string Title { get; init; }

    /// <summary>Classes of <c>body</c>.</summary>
    public required string BodyClass { get; init; }

    /// <summary>The way to this page, each only if visible to the actor.</summary>
    public IReadOnlyList<MenuLink> Crumbs { get; init; } = [];

    /// <summary>Links that plugins put into the menu.</summary>
    public IReadOnlyList<MenuLink> MenuLinks { get; init; } = [];

    /// <summary>Messages shown once.</summary>
    public IReadOnlyList<FlashMessage> Messages { get; init; } = [];

    /// <summary>How the actor is called; null for an anonymous visitor.</summary>
    public string? ActorName { get; init; }

    /// <summary>Whether there is something to log out of: the actor came in by cookie.</summary>
    public bool ShowLogout { get; init; }

    /// <summary>What a plugin shows at the right of the header.</summary>
    public IReadOnlyList<IHtmlContent> TopRight { get; init; } = [];

    /// <summary>What goes into <c>head</c> in addition.</summary>
    public IHtmlContent? Head { get; init; }

    /// <summary>The address of the JSON twin; null when there is none.</summary>
    public string? AlternateUrl { get; init; }

    /// <summary>Content of <c>meta robots</c>; null leaves it out.</summary>
    public string? Robots { get; init; }

    /// <summary>Time all queries of this page took, in milliseconds; null leaves it out of the footer.</summary>
    public double? QueryMilliseconds { get; init; }

    /// <summary>Metadata shown in the footer: label, text and address of license, source and about.</summary>
    public IReadOnlyList<FooterLink> FooterLinks { get; init; } = [];

    /// <summary>What plugins show at the top of the page's content, below its heading.</summary>
    public IReadOnlyList<IHtmlContent> Top { get; init; } = [];

    /// <summary>Script texts of plugins, at the end of the page.</summary>
    public IReadOnlyList<BodyScript> BodyScripts { get; init; } = [];

    /// <summary>The word with which the browser lets those scripts run; null when there are none.</summary>
    public string? ScriptNonce { get; init; }

    /// <summary>Variables of plugins for a user's own templates.</summary>
    public IReadOnlyDictionary<string, object?> TemplateVars { get; init; } =
        System.Collections.ObjectModel.ReadOnlyDictionary<string, object?>.Empty;

    /// <summary>Style sheets of configuration and plugins, after the host's own.</summary>
    public IReadOnlyList<ExtraAsset> ExtraStyles { get; init; } = [];

    /// <summary>Scripts of configuration and plugins, at the end of the page.</summary>
    public IReadOnlyList<ExtraAsset> ExtraScripts { get; init; } = [];

    /// <summary>Address of the host's style sheet, with its hash.</summary>
    public required string StyleHref { get; init; }

    /// <summary>Address of the host's script, with its hash.</summary>
    public required string ScriptHref { get; init; }

    /// <summary>Address of the home page.</summary>
    public required string HomeHref { get; init; }

    /// <summary>Address that finds databases, tables and queries by a part of their name.</summary>
    public required string JumpHref { get; init; }

    /// <summary>Address that logs out.</summary>
    public required string LogoutHref { get; init; }

    /// <summary>The host's version.</summary>
    public required string Version { get; init; }

    /// <summary>Whether the named blocks are marked, for the user's templates.</summary>
    internal bool HasMarks { get; init; }

    /// <summary>Where a block that templates may take or replace begins.</summary>
    internal IHtmlContent? Begin(string block) => HasMarks ? BlockMarks.Begin(block) : null;

    /// <summary>Where it ends.</summary>
    internal IHtmlContent? End(string block) => HasMarks ? BlockMarks.End(block) : null;
}

/// <summary>One link of the footer.</summary>
/// <param name="Label">What stands before it, such as <c>Data license</c>; null for none.</param>
/// <param name="Text">Its text.</param>
/// <param name="Href">Where it leads; null shows the text alone.</param>
public sealed record FooterLink(string? Label, string Text, string? Href);
