using System.Globalization;
using System.Text.Json.Nodes;
using Datasette.Databases;
using Datasette.Responses;
using Datasette.Tables;
using Datasette.Text;

namespace Datasette.Views;

/// <summary>One page of a table or view: the question, the rows, and on demand what else may be shown.</summary>
internal sealed class TableData
{
    public const int CountLimit = 10_000;
    private readonly ViewContext v;
    private (long? Count, bool IsLoaded) count;
    private FacetResults? facets;

    private TableData(ViewContext v, Database database, DatabaseSchema schema, RelationSchema relation)
    {
        this.v = v;
        Database = database;
        Schema = schema;
        Relation = relation;
    }

    public DatasetteApp App => v.App;

    public Database Database { get; }

    public DatabaseSchema Schema { get; }

    public RelationSchema Relation { get; }

    public JsonObject Config { get; private init; } = [];

    public required TableQuery Query { get; init; }

    public required TablePage Page { get; init; }

    public TimeSpan Elapsed { get; private init; }

    /// <summary>The next page, absolute; null on the last one.</summary>
    public string? NextUrl { get; private init; }

    public string Name => Relation.Name;

    public static async Task<TableData> LoadAsync(ViewContext v, Database database, DatabaseSchema schema, RelationSchema relation)
    {
        var settings = v.App.Settings;
        var config = v.App.Config.Table(database.Name, relation.Name);
        if (!settings.AllowFacet && v.Args.Pairs.Any(pair => pair.Key.StartsWith("_facet", StringComparison.Ordinal)))
        {
            throw new DatasetteException(400, "_facet= is not allowed");
        }
        var options = new TableQueryOptions
        {
            DefaultPageSize = settings.DefaultPageSize,
            MaxReturnedRows = settings.MaxReturnedRows,
            AllowWhere = !v.Args.Has("_where") || await v.AllowedAsync("execute-sql", database.Name),
            TableConfig = config,
            Added = await AddedAsync(v, database, relation),
        };
        await EnsureOthersAsync(v, database, schema, relation);
        var query = TableQuery.Parse(schema, relation, v.Args.Pairs, options);
        var results = await database.ExecuteAsync(query.Sql, query.Parameters, null, TimeLimit(v), v.Ct);
        var page = query.Complete(results.Rows);
        if (page.NeedsTieBreak)
        {
            query = TableQuery.Parse(schema, relation, v.Args.Pairs, options with { BreakTies = true });
            results = await database.ExecuteAsync(query.Sql, query.Parameters, null, TimeLimit(v), v.Ct);
            page = query.Complete(results.Rows);
        }
        return new TableData(v, database, schema, relation)
        {
            Config = config,
            Query = query,
            Page = page,
            Elapsed = results.Elapsed,
            NextUrl = page.Next is { } token ? NextOf(v, query, token) : null,
        };
    }

    /// <summary>Conditions of plugins.</summary>
    public static async ValueTask<IReadOnlyList<AddedCondition>> AddedAsync(ViewContext v, Database database, RelationSchema relation)
    {
        var conditions = await v.App.Hooks.FiltersFromRequestAsync(v.App, v.Http, database, relation.Name);
        return conditions.Count == 0
            ? []
            : [.. conditions.Select(added => new AddedCondition(added.Conditions, added.Parameters, added.Words))];
    }

    /// <summary>Arguments may lead to other tables, and to SQL of the visitor: each with the right that it needs.</summary>
    /// <exception cref="DatasetteException">403: the visitor may not view a table that an argument names.</exception>
    public static async Task EnsureOthersAsync(ViewContext v, Database database, DatabaseSchema schema, RelationSchema relation)
    {
        if (v.Args.Has("_where"))
        {
            VisitorSql.Begin();
        }
        var others = v.Args.All("_through").Select(ThroughTable).OfType<string>().ToList();
        if (v.Args["_fts_table"] is { } fts && fts != relation.FtsTable)
        {
            others.Add(fts);
        }
        foreach (var other in others.Distinct())
        {
            // SQLite finds names in any case; rights are asked for the name that it finds.
            var name = schema.Tables.FirstOrDefault(table => table.Name.Equals(other, StringComparison.OrdinalIgnoreCase))?.Name ?? other;
            await v.EnsureAllowedAsync("view-table", database.Name, name);
        }
    }

    private static string? ThroughTable(string text)
    {
        try
        {
            return (ForeignJson.Parse(text) as JsonObject)?["table"]?.ToString();
        }
        catch (System.Text.Json.JsonException)
        {
            // Told where the argument is used.
            return null;
        }
    }

    /// <summary>The limit of the setting, lowered by <c>_timelimit</c>.</summary>
    public static TimeSpan TimeLimit(ViewContext v)
    {
        var limit = v.App.Settings.SqlTimeLimitMs;
        if (v.Args["_timelimit"] is { Length: > 0 } text)
        {
            limit = int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var asked)
                ? Math.Min(asked, limit)
                : throw new DatasetteException(400, "_timelimit must be a number of milliseconds");
        }
        return TimeSpan.FromMilliseconds(limit);
    }

    /// <summary>Rows that match; no more than the limit plus one; null when the time ran out or nobody wants to know.</summary>
    public async Task<long?> CountAsync()
    {
        if (!count.IsLoaded)
        {
            count = (await FindCountAsync(), true);
        }
        return count.Count;
    }

    public bool IsCountTruncated => count.Count == CountLimit + 1 && Database.IsMutable;

    public async Task<FacetResults> FacetsAsync(bool withConfigured) =>
        facets ??= v.Args.Flag("_nofacet")
            ? FacetResults.None
            : await new FacetRunner(v, Database, Schema, Relation, Query).RunAsync(withConfigured);

    public async Task<IReadOnlyList<SuggestedFacet>> SuggestedFacetsAsync() =>
        await new FacetRunner(v, Database, Schema, Relation, Query).SuggestAsync(await CountAsync() ?? long.MaxValue, IsSteady);

    private async Task<long?> FindCountAsync()
    {
        if (v.Args.Flag("_nocount"))
        {
            return null;
        }
        if (!Query.IsFiltered && !Database.IsMutable && !Relation.IsView)
        {
            return await TableCounts.OfAsync(v.App, Database, Name, CountLimit + 1, TimeLimit(v), v.Ct);
        }
        return IsSteady
            ? await Database.RememberAsync(Memory.Key("count", Query.FromSql, Query.FilterParameters), CountToKeepAsync, v.Ct)
            : await CountNowAsync();
    }

    // A view and a condition of the visitor's own may hold what changes by itself: the time, chance, another database.
    private bool IsSteady => Relation is TableSchema { IsVirtual: false } && Query.ExtraWheres.Count == 0;

    // That the time ran out says something of this moment, not of the table.
    private async Task<(long? Count, bool Keep)> CountToKeepAsync() => await CountNowAsync() is { } rows ? (rows, true) : (null, false);

    private Task<long?> CountNowAsync() => Database.CountAsync(Query.FromSql, Query.FilterParameters, CountLimit + 1, TimeLimit(v), v.Ct);

    private static string NextOf(ViewContext v, TableQuery query, string token)
    {
        var args = v.Args.ReplaceInPage("_next", token);
        if (query.Sort is { } sort)
        {
            args = args.ReplaceInPage(query.IsDescending ? "_sort_desc" : "_sort", sort);
        }
        return v.Absolute(v.App.UrlPath(args.ToPath(v.Path)));
    }
}
