using System.Text.Json;
using System.Text.Json.Nodes;
using Datasette.Pages;
using Datasette.Permissions;
using Datasette.Plugins;
using Datasette.Responses;
using Datasette.Text;
using Microsoft.AspNetCore.Http;

namespace Datasette.Views;

/// <summary>Pages for those who configure an instance or write a plugin.</summary>
internal static class DebugViews
{
    private const string AllowDocs = "https://docs.datasette.io/en/stable/authentication.html#defining-permissions-with-allow-blocks";

    /// <summary>Whether an allow block lets an actor in.</summary>
    public static async Task<IResult> AllowAsync(ViewContext v)
    {
        await v.EnsureAllowedAsync("view-instance");
        var errors = new List<string>();
        var allow = Parse(v.Args["allow"] ?? "{\"id\": \"*\"}", "allow block", errors);
        var actor = Parse(v.Args["actor"] ?? "{\"id\": \"root\"}", "actor", errors);
        if (actor is not (null or JsonObject))
        {
            errors.Add("The actor must be a JSON object, or null for an anonymous visitor");
        }
        var result =
            errors.Count > 0 ? null
            : AllowBlock.Matches(actor is JsonObject json ? new Actor(json) : null, allow) ? "Result: allow"
            : "Result: deny";
        var layout = await v.App.LayoutAsync(v.Http, "Debug allow rules", "allow-debug");
        var page = new ToolModel(layout, "Debug allow rules")
        {
            Tabs = await v.AllowedAsync("permissions-debug") ? PermissionViews.Tabs(v) : [],
            Path = v.App.UrlPath(v.Path),
            Intro = ["Try out different actor and allow combinations."],
            See = [new("Defining permissions with \"allow\" blocks", AllowDocs)],
            Errors = errors,
            Result = result,
            Forms =
            [
                new(
                    "get",
                    v.App.UrlPath("/-/allow-debug"),
                    "Apply allow block to actor",
                    [
                        new(
                            null,
                            [
                                new("allow", "textarea", "Allow block", Shown(v.Args["allow"], allow)),
                                new("actor", "textarea", "Actor", Shown(v.Args["actor"], actor)),
                            ]
                        ),
                    ]
                ),
            ],
        };
        return Respond.Html(ToolPage.Create(page), 200);
    }

    /// <summary>What the parts of a page look like, for those who write style sheets.</summary>
    public static async Task<IResult> PatternsAsync(ViewContext v)
    {
        await v.EnsureAllowedAsync("view-instance");
        v.App.AddMessage(v.Http, "Example message");
        var layout = await v.App.LayoutAsync(v.Http, "Pattern portfolio", "patterns");
        v.State.NewMessages.Clear();
        var page = new ToolModel(
            layout with
            {
                Messages =
                [
                    new("Example message", MessageKind.Info),
                    new("Example message", MessageKind.Warning),
                    new("Example message", MessageKind.Error),
                ],
            },
            "Pattern portfolio"
        )
        {
            Intro = ["Every part that pages of this host are made of, once."],
            Errors = ["What went wrong"],
            Result = "What came out",
            Output = "select * from t",
            Forms =
            [
                new(
                    "get",
                    v.App.UrlPath("/-/patterns"),
                    "Send",
                    [
                        new(
                            "A group",
                            [
                                new("text", "text", "Text"),
                                new("area", "textarea", "Long text"),
                                new("choice", "select", "Choice") { Options = [new("1", "One"), new("2", "Two")] },
                                new("box", "checkbox", "Box"),
                            ]
                        ),
                        new("A smaller group", [new("number", "number", "Number")], Level: 3),
                    ]
                ),
            ],
            Tables =
            [
                new(
                    "pattern-table",
                    ["id", "name"],
                    [
                        ["1", "one"],
                        ["2", "two"],
                    ]
                ),
            ],
            Lists = [new("Links", [new("Home", v.App.UrlPath("/"))])],
        };
        return Respond.Html(ToolPage.Create(page), 200);
    }

    /// <summary>Tries the completion of rows of any table.</summary>
    public static async Task<IResult> AutocompleteAsync(ViewContext v)
    {
        await v.EnsureAllowedAsync("view-instance");
        var tables = new List<TextLink>();
        foreach (var resource in await v.App.Rights.ListAsync("view-table", v.Actor, null, v.Ct))
        {
            if (
                v.App.Databases[resource.Parent] is { } database
                && (await database.KnownSchemaAsync(v.Ct)).Table(resource.Child!) is { Hidden: false } table
                && RowLabels.ColumnOf(v, database.Name, table) is { } label
            )
            {
                tables.Add(
                    new($"{database.Name}: {table.Name} ({label})", v.App.UrlOf(database, table.Name) + "/-/autocomplete?_initial=1")
                );
            }
        }
        var layout = await v.App.LayoutAsync(v.Http, "Debug autocomplete", "debug-autocomplete");
        var page = new ToolModel(layout, "Debug autocomplete")
        {
            Intro = ["Tables whose rows have a label; the links show what a completion offers before anything is typed (add ?q= to type)."],
            Lists = [new("Tables", tables)],
        };
        return Respond.Html(ToolPage.Create(page), 200);
    }

    private static JsonNode? Parse(string text, string what, List<string> errors)
    {
        try
        {
            return ForeignJson.Parse(text);
        }
        catch (JsonException e)
        {
            errors.Add($"Invalid JSON in the {what}: {e.Message}");
            return null;
        }
    }

    /// <summary>Indented when it is JSON, as it was typed when not.</summary>
    private static string Shown(string? given, JsonNode? parsed) =>
        parsed is null && given is not null ? given : JsonBody.ToText(parsed, indent: 4);
}
