using Datasette.Configuration;
using Datasette.Databases;
using Datasette.Pages;
using Datasette.Plugins;
using Datasette.Responses;
using Datasette.Text;
using Microsoft.AspNetCore.Http;

namespace Datasette.Views;

/// <summary>One database: its tables, views and queries.</summary>
internal static class DatabaseView
{
    private const int CountLimit = 10_000;
    private const int ListedTables = 1000;
    private const int ShownQueries = 5;
    private static readonly TimeSpan TableCountLimit = TimeSpan.FromMilliseconds(100);

    /// <summary>For all counts together: many tables on a slow disk must not keep the page.</summary>
    private static readonly TimeSpan AllCountsLimit = TimeSpan.FromSeconds(2);

    public static async Task<IResult> ShowAsync(ViewContext v)
    {
        var database = v.Database;
        await v.EnsureAllowedAsync("view-database", database.Name);
        if (!string.IsNullOrWhiteSpace(v.Args["sql"]))
        {
            var format = v.Format is { } extension ? "." + extension : "";
            return Respond.RedirectTo(v.Args.ToPath($"{v.App.UrlOf(database)}/-/query{format}"));
        }
        if (v.Format is not (null or "json"))
        {
            throw new DatasetteException(404, $"Invalid format: {v.Format}");
        }
        var facts = await FactsAsync(v, database);
        return v.Format == "json" ? Respond.Json(ToJson(v, facts)) : await PageAsync(v, facts);
    }

    private sealed record Table(TableSchema Schema, long? Count, bool IsPrivate)
    {
        public bool IsCountTruncated => Count > CountLimit;
    }

    private sealed record Facts(
        Database Database,
        DatabaseSchema Schema,
        bool IsPrivate,
        IReadOnlyList<Table> Tables,
        IReadOnlyList<AllowedResource> Views,
        IReadOnlyList<(StoredQuery Query, bool IsPrivate)> Queries,
        bool MayExecuteSql,
        Metadata Metadata
    )
    {
        /// <summary>Whether this visitor may know of a table: whoever may run SQL can read the schema as well.</summary>
        public bool IsShown(string table) => MayExecuteSql || Tables.Any(shown => shown.Schema.Name == table);
    }

    private static async Task<Facts> FactsAsync(ViewContext v, Database database)
    {
        var schema = await database.SchemaAsync(v.Ct);
        var allowed = await v.App.Rights.ListAsync("view-table", v.Actor, database.Name, v.Ct, ListedTables);
        var tables = new List<Table>();
        var began = v.App.Time.GetTimestamp();
        foreach (var resource in allowed)
        {
            if (schema.Table(resource.Child!) is { } table)
            {
                var isLate = v.App.Time.GetElapsedTime(began) > AllCountsLimit;
                var count = isLate ? null : await TableCounts.OfAsync(v.App, database, table.Name, CountLimit + 1, TableCountLimit, v.Ct);
                tables.Add(new(table, count, resource.IsPrivate));
            }
        }
        return new(
            database,
            schema,
            await v.IsPrivateAsync("view-database", database.Name),
            tables.OrderBy(table => table.Schema.Hidden).ThenBy(table => table.Schema.Name, StringComparer.Ordinal).ToList(),
            allowed.Where(resource => schema.View(resource.Child!) is not null).ToList(),
            await StoredQueries.VisibleAsync(v, database.Name),
            await v.AllowedAsync("execute-sql", database.Name),
            Metadata.Database(v.App, database.Name)
        );
    }

    private static JsonMap ToJson(ViewContext v, Facts facts) =>
        new()
        {
            { "ok", true },
            { "database", facts.Database.Name },
            { "private", facts.IsPrivate },
            { "path", v.App.UrlOf(facts.Database) },
            { "size", facts.Database.SizeBytes },
            { "tables", facts.Tables.Select(table => (object)TableJson(table, facts.IsShown)).ToList() },
            { "hidden_count", facts.Tables.Count(table => table.Schema.Hidden) },
            { "views", facts.Views.Select(view => (object)new JsonMap { { "name", view.Child }, { "private", view.IsPrivate } }).ToList() },
            { "queries", facts.Queries.Take(ShownQueries).Select(pair => (object)QueryJson(pair.Query, pair.IsPrivate)).ToList() },
            { "queries_more", facts.Queries.Count > ShownQueries },
            { "queries_count", facts.Queries.Count },
            { "allow_execute_sql", facts.MayExecuteSql },
            { "table_columns", TableColumns(v, facts) },
            { "metadata", facts.Metadata.ToJson() },
        };

    private static JsonMap QueryJson(StoredQuery query, bool isPrivate)
    {
        var map = query.ToJson();
        map.Add("private", isPrivate);
        return map;
    }

    private static JsonMap TableJson(Table table, Func<string, bool> isShown) =>
        new()
        {
            { "name", table.Schema.Name },
            { "columns", table.Schema.ColumnNames },
            { "primary_keys", table.Schema.PrimaryKeys },
            { "count", table.Count },
            { "count_truncated", table.IsCountTruncated },
            { "hidden", table.Schema.Hidden },
            { "fts_table", table.Schema.FtsTable is { } fts && isShown(fts) ? fts : null },
            {
                "foreign_keys",
                new JsonMap
                {
                    { "incoming", ForeignKeys(table.Schema.ForeignKeysIn, isShown) },
                    { "outgoing", ForeignKeys(table.Schema.ForeignKeysOut, isShown) },
                }
            },
            { "private", table.IsPrivate },
        };

    private static List<object> ForeignKeys(IReadOnlyList<ForeignKey> keys, Func<string, bool> isShown) =>
        keys.Where(key => isShown(key.OtherTable))
            .Select(key =>
                (object)
                    new JsonMap
                    {
                        { "other_table", key.OtherTable },
                        { "column", key.Column },
                        { "other_column", key.OtherColumn },
                    }
            )
            .ToList();

    /// <summary>Names for completion while SQL is typed; nothing for those who may not run SQL.</summary>
    private static JsonMap TableColumns(ViewContext v, Facts facts)
    {
        var known = v.App.Catalog.SchemaOf(facts.Database.Name) ?? facts.Schema;
        var map = new JsonMap();
        if (facts.MayExecuteSql)
        {
            // The catalogue's view, like the list itself. All of them: whoever may run SQL can read the schema as well.
            foreach (var table in known.Tables)
            {
                map.Add(table.Name, table.ColumnNames.Order(StringComparer.Ordinal).ToList<object?>());
            }
            foreach (var view in known.Views)
            {
                map.Add(view.Name, Array.Empty<object>());
            }
        }
        return map;
    }

    private static async Task<IResult> PageAsync(ViewContext v, Facts facts)
    {
        var database = facts.Database;
        var home = v.App.UrlOf(database);
        var showHidden = v.Args.Has("_show_hidden");
        var actions = await v.App.Hooks.Pages.DatabaseActionsAsync(v.App, v.Actor, new(database), v.Http);
        var tables = facts
            .Tables.Where(table => showHidden || !table.Schema.Hidden)
            .Select(table => new DatabaseTable(
                table.Schema.Name,
                v.App.UrlOf(database, table.Schema.Name),
                table.Schema.Hidden,
                table.IsPrivate,
                string.Join(", ", table.Schema.ColumnNames),
                RowCount(table)
            ));
        var alternate = v.Absolute(v.PathWithFormat("json"));
        v.IsPage("database", new PageSubject(database));
        var layout = await v.App.LayoutAsync(
            v.Http,
            database.Name,
            $"db db-{TildeEncoding.CssClass(database.Name)}",
            await Crumbs.OfAsync(v, database)
        );
        var hidden = facts.Tables.Count(table => table.Schema.Hidden);
        var forms = await EditForms.OfDatabaseAsync(v, database);
        var page = new DatabaseModel(
            (forms?.AddTo(v, layout) ?? layout) with
            {
                AlternateUrl = alternate,
                FooterLinks = facts.Metadata.Links(),
            },
            facts.Metadata["title"] ?? database.Name,
            database.Color,
            facts.IsPrivate,
            new("Database actions", [.. await WriteActions.LinksOfDatabaseAsync(v, database), .. actions])
            {
                Buttons = await WriteActions.OfDatabaseAsync(v, database),
            },
            facts.Metadata.Description(),
            tables.ToList(),
            facts.Views.Select(view => new IndexLink(view.Child!, v.App.UrlOf(database, view.Child), null, view.IsPrivate)).ToList(),
            facts.Queries.Select(pair => QueryLink(v, database, pair.Query, pair.IsPrivate)).ToList()
        )
        {
            SqlAction = facts.MayExecuteSql ? home + "/-/query" : null,
            FirstSql = FirstSql(facts),
            SchemaHref = home + "/-/schema",
            HiddenCount = showHidden ? 0 : hidden,
            HiddenHref = home + "?_show_hidden=1",
            Attached = database.IsMemory ? await AttachedAsync(v, database) : [],
            Download = await DownloadLinkAsync(v, database),
            Limits = QueryPageBuilder.Limits(v),
        };
        var template = PageTemplates.Database(database.Name, () => Variables(v, facts, page));
        return Respond.Html(Pages.DatabasePage.Create(page), 200, template).With("Link", HtmlLinks.Alternate(alternate));
    }

    private static JsonMap Variables(ViewContext v, Facts facts, DatabaseModel page)
    {
        var map = ToJson(v, facts);
        map.Add("database_color", facts.Database.Color);
        map.Add("schema_url", page.SchemaHref);
        map.Add("download_url", page.Download?.Href);
        PageVariables.AddActions(map, page.Actions);
        return map;
    }

    private static string FirstSql(Facts facts) =>
        facts.Tables.FirstOrDefault(table => !table.Schema.Hidden) is { } first
            ? "select * from " + SqlText.Quote(first.Schema.Name)
            : "select sqlite_version()";

    private static string RowCount(Table table) =>
        table.Count is not { } count ? "Many rows"
        : table.IsCountTruncated && table.Count == CountLimit + 1 ? ">10,000 rows"
        : Phrases.Count(count, "row");

    private static IndexLink QueryLink(ViewContext v, Database database, StoredQuery query, bool isPrivate)
    {
        var fragment = query.Fragment is { } anchor ? "#" + anchor : "";
        return new(
            query.Title ?? query.Name,
            v.App.UrlOf(database, query.Name) + fragment,
            query.Description ?? query.Sql.Trim(),
            isPrivate
        );
    }

    private static async Task<IReadOnlyList<IndexLink>> AttachedAsync(ViewContext v, Database database)
    {
        var links = new List<IndexLink>();
        foreach (var name in await AttachedRights.NamesAsync(v, database))
        {
            if (await v.AllowedAsync("view-database", name))
            {
                var sql = $"select * from [{name}].sqlite_master where type='table'";
                var path = v.App.UrlPath("/" + TildeEncoding.Encode(name));
                links.Add(new(name, $"{path}/-/query?sql={QueryArgs.Escape(sql)}", null, false));
            }
        }
        return links;
    }

    private static async Task<IndexLink?> DownloadLinkAsync(ViewContext v, Database database)
    {
        if (database.IsMutable || database.Path is null || !v.App.Settings.AllowDownload)
        {
            return null;
        }
        if (!await v.AllowedAsync("view-database-download", database.Name))
        {
            return null;
        }
        return new(database.Name + ".db", v.App.UrlOf(database) + ".db", Sizes.Text(database.SizeBytes), false);
    }

    public static async Task<IResult> DownloadAsync(ViewContext v)
    {
        var database = v.App.Databases[TildeEncoding.Decode(v.DatabaseSegment)] ?? throw new DatasetteException(404, "Invalid database");
        await v.EnsureAllowedAsync("view-database-download", database.Name);
        if (database.Path is not { } path)
        {
            throw new DatasetteException(404, "Cannot download in-memory databases");
        }
        if (database.IsMutable || !v.App.Settings.AllowDownload)
        {
            throw new DatasetteException(403, "Database download is forbidden");
        }
        return new FileResponse(path, database.Hash!);
    }
}
