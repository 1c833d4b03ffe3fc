using System.Globalization;
using Datasette.Configuration;
using Datasette.Databases;
using Datasette.Pages;
using Datasette.Responses;
using Microsoft.AspNetCore.Http;

namespace Datasette.Views;

/// <summary>The stored queries that a visitor may see, of one database or of all: searched, filtered, a page at a time.</summary>
internal static class QueryListView
{
    private const int DataSize = 50;
    private const int PageSize = 20;
    private static readonly string[] Filters = ["q", "is_write", "is_private", "source", "owner_id"];

    public static async Task<IResult> AllAsync(ViewContext v)
    {
        await v.EnsureAllowedAsync("view-instance");
        return await ShowAsync(v, null);
    }

    public static async Task<IResult> OfDatabaseAsync(ViewContext v)
    {
        var database = v.Database;
        await v.EnsureAllowedAsync("view-database", database.Name);
        return await ShowAsync(v, database);
    }

    private sealed record Page(IReadOnlyList<(StoredQuery Query, bool IsPrivate)> Queries, string? Next, int Limit, string Path)
    {
        public required IReadOnlyList<(string Title, string Key, IReadOnlyList<Choice> Items)> Facets { get; init; }
    }

    private sealed record Choice(string Label, int Count, string Href, bool IsActive);

    private static async Task<IResult> ShowAsync(ViewContext v, Database? database)
    {
        var page = await FindAsync(v, database);
        return v.Format == "json" ? Respond.Json(ToJson(v, database, page)) : await PageAsync(v, database, page);
    }

    private static async Task<Page> FindAsync(ViewContext v, Database? database)
    {
        var limit = Size(v);
        var (isWrite, isPrivate) = (Flag(v, "is_write"), Flag(v, "is_private"));
        var offset = Offset(v);
        var found = (await StoredQueries.VisibleAsync(v, database?.Name)).Where(pair => Matches(v, pair.Query)).ToList();
        var all = found.Where(pair => Is(isWrite, pair.Query.IsWrite) && Is(isPrivate, pair.Query.IsPrivate)).ToList();
        var path = (database is null ? v.App.UrlPath("") : v.App.UrlOf(database)) + "/-/queries";
        return new(
            all.Skip(offset).Take(limit).ToList(),
            all.Count > offset + limit ? (offset + limit).ToString(CultureInfo.InvariantCulture) : null,
            limit,
            path
        )
        {
            Facets =
            [
                (
                    "Mode",
                    "is_write",
                    Choices(
                        v,
                        path,
                        "is_write",
                        ["Read-only", "Writable"],
                        found.Where(pair => Is(isPrivate, pair.Query.IsPrivate)).Select(pair => pair.Query.IsWrite),
                        isWrite
                    )
                ),
                (
                    "Visibility",
                    "is_private",
                    Choices(
                        v,
                        path,
                        "is_private",
                        ["Not private", "Private"],
                        found.Where(pair => Is(isWrite, pair.Query.IsWrite)).Select(pair => pair.Query.IsPrivate),
                        isPrivate
                    )
                ),
            ],
        };
    }

    private static bool Is(bool? wanted, bool actual) => wanted is null || wanted == actual;

    private static bool Matches(ViewContext v, StoredQuery query)
    {
        var text = v.Args["q"] ?? "";
        return (
                text.Length == 0
                || new[] { query.Name, query.Title, query.Description, query.Sql }.Any(field =>
                    field?.Contains(text, StringComparison.OrdinalIgnoreCase) == true
                )
            )
            && (string.IsNullOrEmpty(v.Args["source"]) || query.Source == v.Args["source"])
            && (string.IsNullOrEmpty(v.Args["owner_id"]) || query.OwnerId == v.Args["owner_id"]);
    }

    private static List<Choice> Choices(ViewContext v, string path, string key, string[] labels, IEnumerable<bool> values, bool? active)
    {
        var counts = values.CountBy(value => value).ToDictionary();
        var choices = new List<Choice>();
        foreach (var value in new[] { false, true })
        {
            var isActive = active == value;
            var count = counts.GetValueOrDefault(value);
            if (count > 0 || isActive)
            {
                var args = v.Args.Without(key, "_next");
                args = isActive ? args : args.With(key, value ? "1" : "0");
                choices.Add(new(labels[value ? 1 : 0], count, args.ToPath(path), isActive));
            }
        }
        return choices;
    }

    private static int Size(ViewContext v)
    {
        var most = v.App.Settings.MaxReturnedRows;
        if (v.Args["_size"] is not { Length: > 0 } text)
        {
            return Math.Min(v.Format == "json" ? DataSize : PageSize, most);
        }
        return text == "max" ? most : Numbers.Positive("_size", text, most);
    }

    private static int Offset(ViewContext v) =>
        v.Args["_next"] is not { Length: > 0 } token ? 0
        : int.TryParse(token, NumberStyles.None, CultureInfo.InvariantCulture, out var offset) ? offset
        : throw new DatasetteException(400, "_next is not a token of this list");

    private static bool? Flag(ViewContext v, string key) =>
        v.Args[key]?.ToLowerInvariant() switch
        {
            null or "" => null,
            "1" or "true" or "on" or "yes" or "t" => true,
            "0" or "false" or "off" or "no" or "f" => false,
            _ => throw new DatasetteException(400, $"{key} must be 0 or 1"),
        };

    private static JsonMap ToJson(ViewContext v, Database? database, Page page)
    {
        var filters = new JsonMap();
        foreach (var key in Filters)
        {
            filters.Add(key, v.Args[key] ?? "");
        }
        return new JsonMap
        {
            { "ok", true },
            { "database", database?.Name },
            { "database_color", database?.Color },
            { "queries", page.Queries.Select(QueryJson).ToList() },
            { "next", page.Next },
            { "next_url", NextUrl(v, page) },
            { "limit", page.Limit },
            { "show_private_note", page.Queries.Any(pair => pair.Query.IsPrivate) },
            { "show_trusted_note", page.Queries.Any(pair => pair.Query.IsTrusted) },
            { "query_list_path", page.Path },
            { "show_database", database is null },
            { "facets", page.Facets.Select(facet => (object)FacetJson(facet.Title, facet.Items)).ToList() },
            { "filters", filters },
        };
    }

    private static string? NextUrl(ViewContext v, Page page) =>
        page.Next is { } next ? v.Absolute(v.App.UrlPath(v.Args.Replace("_next", next).ToPath(v.Path))) : null;

    private static object QueryJson((StoredQuery Query, bool IsPrivate) pair)
    {
        var map = pair.Query.ToJson();
        map.Add("private", pair.IsPrivate && !pair.Query.IsPrivate);
        return map;
    }

    private static JsonMap FacetJson(string title, IReadOnlyList<Choice> items) =>
        new()
        {
            { "title", title },
            {
                "items",
                items
                    .Select(item =>
                        (object)
                            new JsonMap
                            {
                                { "label", item.Label },
                                { "count", item.Count },
                                { "href", item.Href },
                                { "active", item.IsActive },
                            }
                    )
                    .ToList()
            },
        };

    private static async Task<IResult> PageAsync(ViewContext v, Database? database, Page page)
    {
        var title = database is null ? "Queries" : $"{database.Name}: Queries";
        var alternate = v.Absolute(v.PathWithFormat("json"));
        var layout = await v.App.LayoutAsync(v.Http, title, "queries", await Crumbs.OfAsync(v, database));
        var hidden = v
            .Args.Pairs.Where(pair => pair.Value.Length > 0 && pair.Key is not ("q" or "_next"))
            .Select(pair => new ToolField(pair.Key, "hidden", "", pair.Value));
        var links = page
            .Queries.Select(pair => new TextLink(
                (database is null ? pair.Query.Database + ": " : "")
                    + (pair.Query.Title ?? pair.Query.Name)
                    + (pair.IsPrivate ? " 🔒" : "")
                    + (pair.Query.IsWrite ? " (writable)" : ""),
                v.App.UrlOf(v.App.Databases[pair.Query.Database]!, pair.Query.Name)
            ))
            .ToList();
        if (NextUrl(v, page) is { } next)
        {
            links.Add(new("Next page", next));
        }
        var chips = page.Facets.Select(facet => new ToolChips(
            facet.Title,
            facet
                .Items.Select(item => new ToolChip($"{item.Label} {item.Count}{(item.IsActive ? " ✖" : "")}", item.Href, item.IsActive))
                .ToList()
        ));
        var model = new ToolModel(layout with { AlternateUrl = alternate }, title)
        {
            Intro = links.Count == 0 ? ["No stored query matches."] : [],
            Forms = [new("get", page.Path, "Search", [new(null, [new("q", "search", "Search queries", v.Args["q"] ?? ""), .. hidden])])],
            Chips = chips.ToList(),
            Lists = links.Count == 0 ? [] : [new("Stored queries", links)],
        };
        return Respond.Html(ToolPage.Create(model), 200).With("Link", HtmlLinks.Alternate(alternate));
    }
}

/// <summary>Numbers of the query string.</summary>
internal static class Numbers
{
    /// <exception cref="DatasetteException">400: no number, or too large.</exception>
    public static int Positive(string name, string text, int most)
    {
        if (text.Length == 0 || !text.All(char.IsAsciiDigit) || text.All(c => c == '0'))
        {
            throw new DatasetteException(400, $"{name} must be a positive integer");
        }
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= most
            ? number
            : throw new DatasetteException(400, $"{name} must be <= {most}");
    }
}
