using Datasette.Databases;
using Datasette.Responses;
using Datasette.Tables;

namespace Datasette.Views;

/// <summary>One value of a facet.</summary>
internal sealed record FacetValue(object? Value, object? Label, long Count, string ToggleUrl, bool IsSelected);

/// <summary>One facet with its values.</summary>
internal sealed record FacetResult(string Key, FacetRequest Request, IReadOnlyList<FacetValue> Values, bool IsTruncated, string HideHref)
{
    public JsonMap ToJson() =>
        new()
        {
            { "name", Request.Column },
            { "type", Request.Type },
            { "hideable", !Request.IsConfigured },
            { "toggle_url", HideHref },
            { "results", Values.Select(value => (object)ValueJson(value)).ToList() },
            { "truncated", IsTruncated },
        };

    private static JsonMap ValueJson(FacetValue value) =>
        new()
        {
            { "value", value.Value },
            { "label", value.Label },
            { "count", value.Count },
            { "toggle_url", value.ToggleUrl },
            { "selected", value.IsSelected },
        };
}

/// <summary>All facets of a page and those that ran out of time.</summary>
internal sealed record FacetResults(IReadOnlyList<FacetResult> Results, IReadOnlyList<string> TimedOut)
{
    public static readonly FacetResults None = new([], []);

    /// <summary>Configured ones first, in their order; the others by number of values, then name, both descending.</summary>
    public IEnumerable<FacetResult> Sorted =>
        Results
            .Where(facet => facet.Request.IsConfigured)
            .Concat(
                Results
                    .Where(facet => !facet.Request.IsConfigured)
                    .OrderByDescending(facet => facet.Values.Count)
                    .ThenByDescending(facet => facet.Request.Column, StringComparer.Ordinal)
            );

    public JsonMap ToJson()
    {
        var map = new JsonMap();
        foreach (var facet in Results)
        {
            map.Add(facet.Key, facet.ToJson());
        }
        return new JsonMap { { "results", map }, { "timed_out", TimedOut } };
    }
}

/// <summary>A facet worth asking for.</summary>
internal sealed record SuggestedFacet(string Name, string? Type, string ToggleUrl);

/// <summary>Runs facets and their suggestions, each with its own time limit.</summary>
internal sealed class FacetRunner(ViewContext v, Database database, DatabaseSchema schema, RelationSchema relation, TableQuery query)
{
    private readonly System.Text.Json.Nodes.JsonObject config = v.App.Config.Table(database.Name, relation.Name);

    private IReadOnlyList<CustomFacet> Custom => v.App.Hooks.Registered.Facets;

    private int Size => Facets.Size(v.Args.Pairs, config, v.App.Settings.DefaultFacetSize, v.App.Settings.MaxReturnedRows);

    public async Task<FacetResults> RunAsync(bool withConfigured)
    {
        var requests = Facets.Parse(v.Args.Pairs, withConfigured ? config : [], relation, Custom);
        var names = Facets.Names(requests);
        var results = new List<FacetResult>();
        var timedOut = new List<string>();
        var limit = TimeSpan.FromMilliseconds(v.App.Settings.FacetTimeLimitMs);
        for (var i = 0; i < requests.Count; i++)
        {
            var facet = requests[i];
            try
            {
                var rows = (
                    await database.ExecuteAsync(Facets.Sql(facet, query.AllRowsSql, Size), query.FilterParameters, null, limit, v.Ct)
                ).Rows;
                var values = await ValuesAsync(facet, rows.Take(Size).ToList());
                var hide = v.App.UrlPath(v.Args.WithoutPair(facet.Argument, facet.Column).ToPath(v.Path));
                results.Add(new(names[i], facet, values, rows.Count > Size, hide));
            }
            catch (QueryInterruptedException)
            {
                timedOut.Add(names[i]);
            }
        }
        return new(results, timedOut);
    }

    private async Task<IReadOnlyList<FacetValue>> ValuesAsync(FacetRequest facet, IReadOnlyList<object?[]> rows)
    {
        LabelMap? labels = null;
        if (facet.Kind == FacetKind.Column)
        {
            var expandable = LabelExpander
                .Expandable(v, database, schema, relation)
                .FirstOrDefault(column => column.Key.Column == facet.Column);
            labels = expandable is null ? null : await LabelExpander.MapAsync(v, database, expandable, rows.Select(row => row[0]));
        }
        var values = new List<FacetValue>();
        foreach (var row in rows)
        {
            var value = facet.Kind == FacetKind.Array ? Facets.ArrayValue(row[0]) : row[0];
            var text = PageToken.Text(value);
            var selected = v.Args.Pairs.Any(pair => pair.Key == facet.FilterKey && pair.Value == text);
            var args = selected ? v.Args.WithoutPair(facet.FilterKey, text) : v.Args.With(facet.FilterKey, text);
            object? label = value;
            if (labels is not null && labels.TryGet(value, out var found))
            {
                label = found;
            }
            values.Add(new(value, label, (long)row[1]!, v.Absolute(v.App.UrlPath(args.Without("_next").ToPath(v.Path))), selected));
        }
        return values;
    }

    /// <summary>Columns first, then dates, then arrays. What takes too long or fails is not worth suggesting.</summary>
    public async Task<IReadOnlyList<SuggestedFacet>> SuggestAsync(long rowCount)
    {
        if (
            !v.App.Settings.SuggestFacets
            || !v.App.Settings.AllowFacet
            || v.Args.Flag("_next")
            || v.Args.Flag("_nofacet")
            || v.Args.Flag("_nosuggest")
        )
        {
            return [];
        }
        var requested = Facets.Parse(v.Args.Pairs, config, relation, Custom);
        var columns = TableQueryParser.AllColumns(relation);
        var all = new List<SuggestedFacet>();
        foreach (var column in columns.Where(column => !requested.Any(facet => facet.Kind == FacetKind.Column && facet.Column == column)))
        {
            await TryAsync(
                Facets.SuggestColumnSql(column, query.AllRowsSql, Size),
                rows => Facets.IsColumnSuggested(rows, rowCount, Size),
                () => all.Add(Suggestion(column, null, "_facet"))
            );
        }
        foreach (var column in columns.Where(column => !requested.Any(facet => facet.Kind == FacetKind.Date && facet.Column == column)))
        {
            await TryAsync(
                Facets.SuggestDateSql(column, query.AllRowsSql),
                Facets.IsDateSuggested,
                () => all.Add(Suggestion(column, "date", "_facet_date"))
            );
        }
        foreach (var column in columns.Where(column => !requested.Any(facet => facet.Kind == FacetKind.Array && facet.Column == column)))
        {
            await TryAsync(
                Facets.SuggestArrayTypesSql(column, query.AllRowsSql),
                types => types is [["array"]],
                async types =>
                    await TryAsync(
                        Facets.SuggestArrayItemsSql(column, query.AllRowsSql),
                        arrays => Facets.IsArraySuggested(types, arrays),
                        () => all.Add(Suggestion(column, "array", "_facet_array"))
                    )
            );
        }
        foreach (var kind in Custom)
        {
            foreach (var column in columns.Where(column => !requested.Any(facet => facet.Custom == kind && facet.Column == column)))
            {
                if (kind.SuggestSql(column, query.AllRowsSql) is { } sql)
                {
                    await TryAsync(sql, rows => rows.Count > 0, () => all.Add(Suggestion(column, kind.Type, "_facet_" + kind.Type)));
                }
            }
        }
        return all;
    }

    private SuggestedFacet Suggestion(string column, string? type, string argument) =>
        new(column, type, v.Absolute(v.App.UrlPath(v.Args.With(argument, column).ToPath(v.Path))));

    private Task TryAsync(string sql, Func<IReadOnlyList<object?[]>, bool> isGood, Action add) =>
        TryAsync(
            sql,
            isGood,
            _ =>
            {
                add();
                return Task.CompletedTask;
            }
        );

    private async Task TryAsync(string sql, Func<IReadOnlyList<object?[]>, bool> isGood, Func<IReadOnlyList<object?[]>, Task> then)
    {
        IReadOnlyList<object?[]> rows;
        try
        {
            var limit = TimeSpan.FromMilliseconds(v.App.Settings.FacetSuggestTimeLimitMs);
            rows = (await database.ExecuteAsync(sql, query.FilterParameters, null, limit, v.Ct)).Rows;
        }
        catch (Exception e) when (e is QueryInterruptedException or Microsoft.Data.Sqlite.SqliteException)
        {
            return;
        }
        if (isGood(rows))
        {
            await then(rows);
        }
    }
}
