using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Datasette.Pages;
using Datasette.Permissions;
using Datasette.Plugins;
using Datasette.Responses;
using Datasette.Text;
using Microsoft.AspNetCore.Http;

namespace Datasette.Views;

/// <summary>Tools that answer who may do what, and why.</summary>
internal static class PermissionViews
{
    private const int DefaultSize = 50;
    private const int LargestSize = 200;
    private static readonly Tool Allowed = new("Allowed resources", "/-/allowed", "Check allowed resources", IsPaged: true);
    private static readonly Tool Rules = new("Permission rules", "/-/rules", "View permission rules", IsPaged: true);
    private static readonly Tool Check = new("Permission check", "/-/check", "Check permission", IsPaged: false);

    private sealed record Tool(string Title, string Path, string Submit, bool IsPaged);

    /// <summary>What the visitor may do an action to. Needs no right; reasons are for those who debug.</summary>
    public static async Task<IResult> AllowedAsync(ViewContext v)
    {
        if (v.Format is null && !v.Args.Has("action"))
        {
            return await PageAsync(v, Allowed, null);
        }
        var action = Action(v);
        var (parent, child) = (NotEmpty(v, "parent"), NotEmpty(v, "child"));
        if (child is not null && parent is null)
        {
            throw new DatasetteException(400, "parent must be provided when child is specified");
        }
        var (page, size) = Paging(v);
        var withReasons = await v.AllowedAsync("permissions-debug");
        var (total, rows) = await v.App.Rights.PageAsync(action, v.Actor, parent, child, size, (page - 1) * size, withReasons, v.Ct);
        var items = rows.Select(row =>
        {
            var item = new JsonMap
            {
                { "parent", row[0] },
                { "child", row[1] },
                { "resource", Path(row[0] as string, row[1] as string) },
            };
            if (withReasons)
            {
                item.Add("reason", JsonNode.Parse((string)row[3]!));
            }
            return (object)item;
        });
        return await AnswerAsync(v, Allowed, Envelope(v, action, page, size, total, items.ToList()));
    }

    /// <summary>All rules about an action for the visitor.</summary>
    public static async Task<IResult> RulesAsync(ViewContext v)
    {
        await v.EnsureAllowedAsync("permissions-debug");
        if (v.Format is null && !v.Args.Has("action"))
        {
            return await PageAsync(v, Rules, null);
        }
        var action = Action(v);
        var (page, size) = Paging(v);
        var rules = await v.App.Rights.RulesAsync(action, v.Actor, null, v.Ct);
        var items = rules.Skip((page - 1) * size).Take(size).Select(RuleJson).ToList();
        return await AnswerAsync(v, Rules, Envelope(v, action, page, size, rules.Count, items));
    }

    /// <summary>One question: may this actor do this?</summary>
    public static async Task<IResult> CheckAsync(ViewContext v)
    {
        await v.EnsureAllowedAsync("permissions-debug");
        if (v.Format is null && !v.Args.Has("action"))
        {
            return await PageAsync(v, Check, null);
        }
        var action = Action(v);
        var (parent, child) = (NotEmpty(v, "parent"), NotEmpty(v, "child"));
        if (child is not null && parent is null)
        {
            throw new DatasetteException(400, "parent must be provided when child is specified");
        }
        var actor = v.Args["actor"] is { Length: > 0 } json ? ParseActor(json) : v.Actor;
        return await AnswerAsync(v, Check, await ExplainAsync(v, action, actor, parent, child));
    }

    /// <summary>The last checks of this process, and a form to ask for any actor.</summary>
    public static async Task<IResult> PlaygroundAsync(ViewContext v)
    {
        await v.EnsureAllowedAsync("view-instance");
        await v.EnsureAllowedAsync("permissions-debug");
        if (v.IsPost)
        {
            var form = await RequestBody.ReadFormAsync(v);
            var name = form["permission"] is { Length: > 0 } given ? given : throw new DatasetteException(400, "permission is required");
            var asked = form["actor"] is { Length: > 0 } json ? ParseActor(json) : null;
            var (parent, child) = (Blank(form["resource_1"]), Blank(form["resource_2"]));
            return Respond.Json(await ExplainAsync(v, Known(v, name), asked, parent, child));
        }
        var filter = v.Args["filter"] ?? "all";
        var own = v.Actor?.Json.ToJsonString();
        var checks = v.App.Rights.RecentChecks.Where(check =>
            filter switch
            {
                "exclude-yours" => check.Actor != own,
                "only-yours" => check.Actor == own,
                _ => true,
            }
        );
        var address = v.App.UrlPath("/-/permissions");
        var page = await PageAsync(v, "Permission playground");
        return Respond.Html(
            ToolPage.Create(
                page with
                {
                    Forms =
                    [
                        new(
                            "post",
                            address,
                            "Simulate permission check",
                            [
                                new(
                                    null,
                                    [
                                        new("actor", "textarea", "Actor", v.Actor is null ? "" : JsonBody.ToText(v.Actor.Json, indent: 4)),
                                        new("permission", "select", "Action") { Options = Options(v, null) },
                                        new("resource_1", "text", "Database"),
                                        new("resource_2", "text", "Table or query"),
                                    ]
                                ),
                            ]
                        ),
                    ],
                    TablesHeading = "Recent permission checks",
                    Chips =
                    [
                        new(
                            "Show",
                            [
                                new("All", address, filter is not ("exclude-yours" or "only-yours")),
                                new("Without yours", address + "?filter=exclude-yours", filter == "exclude-yours"),
                                new("Only yours", address + "?filter=only-yours", filter == "only-yours"),
                            ]
                        ),
                    ],
                    Tables = [Recent(checks)],
                }
            ),
            200
        );
    }

    private static ToolTable Recent(IEnumerable<PermissionCheck> checks) =>
        new(
            "permission-checks-table",
            ["When", "Action", "Database", "Resource", "Actor", "Result"],
            checks
                .Select(check =>
                    (IReadOnlyList<string>)
                        [
                            check.At.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
                            check.Action,
                            check.Resource?.Parent ?? "",
                            check.Resource?.Child ?? "",
                            check.Actor ?? "anonymous",
                            check.IsAllowed ? "allowed" : "denied",
                        ]
                )
                .ToList()
        );

    private static async Task<JsonMap> ExplainAsync(ViewContext v, PermissionAction action, Actor? actor, string? parent, string? child)
    {
        var resource = new Resource(parent, child);
        var isAllowed = await v.App.AllowedAsync(action.Name, resource, actor, v.Ct);
        var rules = await v.App.Rights.RulesAsync(action, actor, resource, v.Ct);
        var map = new JsonMap
        {
            { "ok", true },
            { "unstable", IndexView.Unstable },
            { "action", action.Name },
            { "allowed", isAllowed },
            { "actor", actor?.Json },
            {
                "resource",
                new JsonMap
                {
                    { "parent", parent },
                    { "child", child },
                    { "path", Path(parent, child) },
                }
            },
            {
                "explanation",
                new JsonMap { { "also_requires", action.AlsoRequires }, { "rules", rules.Select(RuleJson).ToList() } }
            },
        };
        if (actor?.Id is { } id)
        {
            map.Add("actor_id", id);
        }
        return map;
    }

    private static PermissionAction Action(ViewContext v) =>
        v.Args["action"] is { Length: > 0 } name ? Known(v, name) : throw new DatasetteException(400, "action parameter is required");

    private static PermissionAction Known(ViewContext v, string name) =>
        v.App.Actions.GetValueOrDefault(name) ?? throw new DatasetteException(404, $"Unknown action: {name}");

    private static Actor ParseActor(string json)
    {
        try
        {
            return ForeignJson.Parse(json) is JsonObject actor
                ? new Actor(actor)
                : throw new DatasetteException(400, "Invalid actor JSON: it must be an object");
        }
        catch (JsonException e)
        {
            throw new DatasetteException(400, $"Invalid actor JSON: {e.Message}");
        }
    }

    private static (int Page, int Size) Paging(ViewContext v) =>
        (
            v.Args["_page"] is { } page ? Numbers.Positive("_page", page, int.MaxValue / LargestSize) : 1,
            v.Args["_size"] is { } size ? Numbers.Positive("_size", size == "max" ? "200" : size, LargestSize) : DefaultSize
        );

    private static string? NotEmpty(ViewContext v, string name) => Blank(v.Args[name]);

    private static string? Blank(string? text) => string.IsNullOrEmpty(text) ? null : text;

    private static string Path(string? parent, string? child) =>
        parent is null ? "/"
        : child is null ? "/" + parent
        : $"/{parent}/{child}";

    private static object RuleJson(object?[] rule) =>
        new JsonMap
        {
            { "parent", rule[0] },
            { "child", rule[1] },
            { "resource", Path(rule[0] as string, rule[1] as string) },
            { "allow", rule[2] },
            { "reason", rule[3] },
            { "source_plugin", rule[4] },
        };

    private static JsonMap Envelope(ViewContext v, PermissionAction action, int page, int size, long total, List<object> items)
    {
        var map = new JsonMap
        {
            { "ok", true },
            { "action", action.Name },
            { "actor_id", v.Actor?.Id },
            { "page", page },
            { "page_size", size },
            { "total", total },
            { "items", items },
        };
        if ((long)page * size < total)
        {
            map.Add("next_url", PageUrl(v, page + 1, size));
        }
        if (page > 1)
        {
            map.Add("previous_url", PageUrl(v, page - 1, size));
        }
        return map;
    }

    private static string PageUrl(ViewContext v, int page, int size)
    {
        var args = v.Args.Without("_page", "_size").With("_page", page.ToString(CultureInfo.InvariantCulture));
        return v.App.UrlPath(args.With("_size", size.ToString(CultureInfo.InvariantCulture)).ToPath(v.Path));
    }

    /// <summary>A tool as a page: its form, and what came out if something was asked.</summary>
    private static async Task<IResult> PageAsync(ViewContext v, Tool tool, JsonMap? data)
    {
        var fields = new List<ToolField>
        {
            new("action", "select", "Action") { Options = Options(v, v.Args["action"]) },
            new("parent", "text", "Database", v.Args["parent"] ?? ""),
            new("child", "text", "Table or query", v.Args["child"] ?? ""),
            tool.IsPaged
                ? new("_size", "number", "Page size", v.Args["_size"] ?? "50")
                : new("actor", "textarea", "Actor, as JSON; blank for yourself", v.Args["actor"] ?? ""),
        };
        var page = await PageAsync(v, tool.Title);
        page = page with
        {
            Forms = [new("get", v.App.UrlPath(tool.Path), tool.Submit, [new(null, fields)])],
            FinalOutput = data is null ? null : JsonBody.ToText(data, indent: 4),
        };
        return Respond.Html(ToolPage.Create(page), 200);
    }

    private static async Task<IResult> AnswerAsync(ViewContext v, Tool tool, JsonMap data) =>
        v.Format == "json" ? Respond.Json(data) : await PageAsync(v, tool, data);

    private static List<OptionModel> Options(ViewContext v, string? selected) =>
        v.App.Actions.Keys.Order(StringComparer.Ordinal).Select(name => new OptionModel(name, name, name == selected)).ToList();

    private static async Task<ToolModel> PageAsync(ViewContext v, string title)
    {
        var layout = await v.App.LayoutAsync(v.Http, title, "permission-tool");
        return new(layout, title) { Tabs = Tabs(v), Path = v.App.UrlPath(v.Path) };
    }

    /// <summary>The permission tools, one beside the other.</summary>
    public static IReadOnlyList<TextLink> Tabs(ViewContext v) =>
        [
            new("Playground", v.App.UrlPath("/-/permissions")),
            new("Check", v.App.UrlPath("/-/check")),
            new("Allowed", v.App.UrlPath("/-/allowed")),
            new("Rules", v.App.UrlPath("/-/rules")),
            new("Actions", v.App.UrlPath("/-/actions")),
            new("Allow debug", v.App.UrlPath("/-/allow-debug")),
        ];
}
