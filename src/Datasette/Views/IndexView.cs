using System.Globalization;
using Datasette.Databases;
using Datasette.Pages;
using Datasette.Plugins;
using Datasette.Responses;
using Datasette.Text;
using Microsoft.AspNetCore.Html;
using Microsoft.AspNetCore.Http;

namespace Datasette.Views;

/// <summary>The home page: all databases, each with a few of its tables.</summary>
internal static class IndexView
{
    public const string Unstable = "This API is not part of Datasette's stable interface and may change at any time";
    private const int ShownTables = 5;
    private const long LargestCounted = 100L << 20;
    private const int CountLimit = 10_000;
    private static readonly TimeSpan TableCountLimit = TimeSpan.FromMilliseconds(10);

    /// <summary>For the counts of all databases together; those behind are shown without.</summary>
    private static readonly TimeSpan AllCountsLimit = TimeSpan.FromSeconds(1);

    public static async Task<IResult> ShowAsync(ViewContext v)
    {
        await v.EnsureAllowedAsync("view-instance");
        var allowed = await v.App.Rights.ListAsync("view-database", v.Actor, null, v.Ct);
        var tables = (await v.App.Rights.ListAsync("view-table", v.Actor, null, v.Ct)).ToLookup(resource => resource.Parent);
        var list = new List<Entry>();
        var began = v.App.Time.GetTimestamp();
        foreach (var resource in allowed)
        {
            if (v.App.Databases[resource.Parent] is { } database)
            {
                list.Add(await SummariseAsync(v, database, resource.IsPrivate, tables[resource.Parent], began));
            }
        }
        var metadata = Metadata.Instance(v.App);
        if (v.Path.EndsWith(".json", StringComparison.Ordinal))
        {
            return Respond.Json(
                new JsonMap
                {
                    { "ok", true },
                    { "unstable", Unstable },
                    { "databases", list.Select(entry => (object)ToJson(entry)).ToList() },
                    { "metadata", metadata.ToJson() },
                }
            );
        }
        return await PageAsync(v, list, metadata);
    }

    private sealed record Table(
        string Name,
        IReadOnlyList<string> Columns,
        IReadOnlyList<string> PrimaryKeys,
        long? Count,
        bool IsHidden,
        string? FtsTable,
        int Relationships,
        bool IsPrivate
    );

    private sealed record Entry(
        Database Database,
        string Path,
        bool IsPrivate,
        IReadOnlyList<Table> Tables,
        IReadOnlyList<AllowedResource> Views,
        bool HasCounts
    )
    {
        public IReadOnlyList<Table> Visible { get; } = Tables.Where(table => !table.IsHidden).ToList();

        public IReadOnlyList<Table> Hidden { get; } = Tables.Where(table => table.IsHidden).ToList();

        /// <summary>The tables that matter most, then views to fill up.</summary>
        public IReadOnlyList<Table> First { get; } =
            Tables
                .Where(table => !table.IsHidden)
                .OrderByDescending(table => table.Relationships)
                .ThenByDescending(table => table.Count ?? 0)
                .ThenByDescending(table => table.Name, StringComparer.Ordinal)
                .Take(ShownTables)
                .ToList();

        public IEnumerable<AllowedResource> FirstViews => Views.Take(ShownTables - First.Count);

        public bool HasMore => Visible.Count + Views.Count > ShownTables;
    }

    private static async Task<Entry> SummariseAsync(
        ViewContext v,
        Database database,
        bool isPrivate,
        IEnumerable<AllowedResource> allowed,
        long began
    )
    {
        var schema = await database.KnownSchemaAsync(v.Ct);
        var shown = allowed.ToList();
        var counts = await CountAsync(v, database, schema, shown.Select(resource => resource.Child!).ToHashSet(), began);
        var relationships = v.Args["_sort"] == "relationships" || counts is null;
        var tables = new List<Table>();
        var views = new List<AllowedResource>();
        foreach (var resource in shown)
        {
            if (schema.Table(resource.Child!) is { } table)
            {
                tables.Add(
                    new(
                        table.Name,
                        table.ColumnNames,
                        table.PrimaryKeys,
                        counts?[table.Name],
                        table.Hidden,
                        shown.Any(other => other.Child == table.FtsTable) ? table.FtsTable : null,
                        relationships ? table.ForeignKeysIn.Count + table.ForeignKeysOut.Count : 0,
                        resource.IsPrivate
                    )
                );
            }
            else if (schema.View(resource.Child!) is not null)
            {
                views.Add(resource);
            }
        }
        return new(database, v.App.UrlOf(database), isPrivate, tables, views, counts is not null);
    }

    /// <summary>All counts of what the visitor may view of a database, or none: a sum of some would mislead.</summary>
    private static async Task<Dictionary<string, long?>?> CountAsync(
        ViewContext v,
        Database database,
        DatabaseSchema schema,
        IReadOnlySet<string> visible,
        long began
    )
    {
        if (database.IsMutable && database.SizeBytes >= LargestCounted || schema.Tables.Count == 0 || database.IsUnreadable)
        {
            return null;
        }
        var counts = new Dictionary<string, long?>(StringComparer.Ordinal);
        foreach (var table in schema.Tables.Where(table => visible.Contains(table.Name)))
        {
            if (v.App.Time.GetElapsedTime(began) > AllCountsLimit)
            {
                return null;
            }
            var count = await TableCounts.OfAsync(v.App, database, table.Name, CountLimit + 1, TableCountLimit, v.Ct);
            if (count is null)
            {
                return null;
            }
            counts[table.Name] = count;
        }
        return counts;
    }

    private static JsonMap ToJson(Entry entry)
    {
        var first = entry.First.Select(table =>
            (object)
                new JsonMap
                {
                    { "name", table.Name },
                    { "columns", table.Columns },
                    { "primary_keys", table.PrimaryKeys },
                    { "count", table.Count },
                    { "hidden", table.IsHidden },
                    { "fts_table", table.FtsTable },
                    { "num_relationships_for_sorting", table.Relationships },
                    { "private", table.IsPrivate },
                }
        );
        var views = entry.FirstViews.Select(view => (object)new JsonMap { { "name", view.Child }, { "private", view.IsPrivate } });
        return new JsonMap
        {
            { "name", entry.Database.Name },
            { "hash", entry.Database.Hash },
            { "color", entry.Database.Color },
            { "path", entry.Path },
            { "tables_and_views_truncated", first.Concat(views).ToList() },
            { "tables_and_views_more", entry.HasMore },
            { "tables_count", entry.Visible.Count },
            { "table_rows_sum", entry.Visible.Sum(table => table.Count ?? 0) },
            { "show_table_row_counts", entry.HasCounts },
            { "hidden_table_rows_sum", entry.Hidden.Sum(table => table.Count ?? 0) },
            { "hidden_tables_count", entry.Hidden.Count },
            { "views_count", entry.Views.Count },
            { "private", entry.IsPrivate },
        };
    }

    private static async Task<IResult> PageAsync(ViewContext v, IReadOnlyList<Entry> list, Metadata metadata)
    {
        var name = metadata["title"] ?? ProductInfo.Name;
        var items = new List<IndexItem>();
        foreach (var entry in list)
        {
            var states = await v.App.Hooks.Pages.DatabaseStateAsync(v.App, v.Actor, entry.Database, v.Http);
            var links = entry
                .First.Select(table => new IndexLink(
                    table.Name,
                    v.App.UrlOf(entry.Database, table.Name),
                    RowTitle(table.Count),
                    table.IsPrivate
                ))
                .Concat(
                    entry.FirstViews.Select(view => new IndexLink(
                        view.Child!,
                        v.App.UrlOf(entry.Database, view.Child),
                        null,
                        view.IsPrivate
                    ))
                );
            items.Add(
                new(
                    entry.Database.Name,
                    entry.Path,
                    entry.Database.Color,
                    entry.IsPrivate,
                    Summary(entry),
                    links.ToList(),
                    entry.HasMore,
                    states
                )
            );
        }
        var alternate = v.Absolute(v.App.UrlPath(v.Args.ToPath((v.Path == "/" ? "/" : "/-/") + ".json")));
        v.IsPage("index", new PageSubject());
        var layout = await v.App.LayoutAsync(v.Http, $"{name}: {string.Join(", ", list.Select(entry => entry.Database.Name))}", "index");
        var actions = await v.App.Hooks.Pages.HomepageActionsAsync(v.App, v.Actor, v.Http);
        layout = layout with { AlternateUrl = alternate, FooterLinks = metadata.Links(), Robots = v.Path == "/-/" ? "noindex" : null };
        var isPrivate = await v.IsPrivateAsync("view-instance");
        var page = new IndexModel(layout, name, isPrivate, new("Homepage actions", actions), metadata.Description(), items);
        var template = new PageTemplate("index", "index.html")
        {
            Variables = () => Variables(list, page, metadata),
            IsBuiltIn = v.Path == "/-/",
        };
        return Respond.Html(Pages.Index.Create(page), 200, template).With("Link", HtmlLinks.Alternate(alternate));
    }

    private static JsonMap Variables(IReadOnlyList<Entry> list, IndexModel page, Metadata metadata)
    {
        var map = new JsonMap
        {
            { "databases", list.Select(entry => (object)ToJson(entry)).ToList() },
            { "metadata", metadata.ToJson() },
            { "private", page.IsPrivate },
        };
        PageVariables.AddActions(map, page.Actions);
        return map;
    }

    private static string? RowTitle(long? count) => count is { } rows ? string.Create(CultureInfo.InvariantCulture, $"{rows} rows") : null;

    private static string Summary(Entry entry)
    {
        var parts = new List<string> { Part(entry.Visible, "") };
        if (entry.Hidden.Count > 0)
        {
            parts.Add(Part(entry.Hidden, "hidden "));
        }
        if (entry.Views.Count > 0)
        {
            parts.Add(Phrases.Count(entry.Views.Count, "view"));
        }
        return string.Join(", ", parts);

        string Part(IReadOnlyList<Table> tables, string kind) =>
            (entry.HasCounts ? Phrases.Count(tables.Sum(table => table.Count ?? 0), "row") + " in " : "")
            + Phrases.Count(tables.Count, kind + "table");
    }
}
