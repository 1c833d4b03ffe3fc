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
    /// <summary>Where so many questions ran out of time, the others would too.</summary>
    private const int MostInterrupted = 3;

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
    /// <param name="rowCount">Rows that match.</param>
    /// <param name="isSteady">Whether the same rows match until somebody writes.</param>
    public async Task<IReadOnlyList<SuggestedFacet>> SuggestAsync(long rowCount, bool isSteady)
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
        var candidates = new[] { FacetKind.Column, FacetKind.Date, FacetKind.Array }
            .SelectMany(kind => columns.Select(column => new Candidate(kind, null, column)))
            .Concat(Custom.SelectMany(custom => columns.Select(column => new Candidate(FacetKind.Custom, custom, column))))
            .Where(candidate => !requested.Any(candidate.IsFor))
            .ToList();
        Task<(List<Candidate> Worth, bool Keep)> Find() => WorthAsync(candidates, rowCount);
        // What a plugin asks for may change by itself.
        var key = Memory.Key($"facets {Size} {string.Join(' ', candidates)}", query.AllRowsSql, query.FilterParameters);
        var worth = isSteady && Custom.Count == 0 ? await database.RememberAsync(key, Find, v.Ct) : (await Find()).Worth;
        return worth.Select(Suggestion).ToList();
    }

    /// <summary>A facet that might be worth suggesting.</summary>
    private sealed record Candidate(FacetKind Kind, CustomFacet? Custom, string Column)
    {
        public bool IsFor(FacetRequest facet) => facet.Column == Column && facet.Custom == Custom && facet.Kind == Kind;
    }

    private async Task<(List<Candidate> Worth, bool Keep)> WorthAsync(List<Candidate> candidates, long rowCount)
    {
        var worth = new List<Candidate>();
        var interrupted = 0;
        foreach (var candidate in candidates)
        {
            try
            {
                if (await IsWorthAsync(candidate, rowCount))
                {
                    worth.Add(candidate);
                }
            }
            catch (Microsoft.Data.Sqlite.SqliteException)
            {
                // Text that is no JSON, a function that is missing: no facet of this column.
            }
            catch (QueryInterruptedException) when (++interrupted < MostInterrupted)
            {
                // Another column may be quicker.
            }
            catch (QueryInterruptedException)
            {
                break;
            }
        }
        // That the time ran out says something of this moment, not of the table.
        return (worth, interrupted == 0);
    }

    private async Task<bool> IsWorthAsync(Candidate candidate, long rowCount)
    {
        var (kind, custom, column) = candidate;
        var all = query.AllRowsSql;
        if (custom is not null)
        {
            return custom.SuggestSql(column, all) is { } sql && (await AskAsync(sql)).Count > 0;
        }
        if (kind == FacetKind.Column)
        {
            return Facets.IsColumnSuggested(await AskAsync(Facets.SuggestColumnSql(column, all, Size)), rowCount, Size);
        }
        if (kind == FacetKind.Date)
        {
            return Facets.IsDateSuggested(await AskAsync(Facets.SuggestDateSql(column, all)));
        }
        var types = await AskAsync(Facets.SuggestArrayTypesSql(column, all));
        return types is [["array"]] && Facets.IsArraySuggested(types, await AskAsync(Facets.SuggestArrayItemsSql(column, all)));
    }

    private async Task<IReadOnlyList<object?[]>> AskAsync(string sql) =>
        (
            await database.ExecuteAsync(
                sql,
                query.FilterParameters,
                null,
                TimeSpan.FromMilliseconds(v.App.Settings.FacetSuggestTimeLimitMs),
                v.Ct
            )
        ).Rows;

    private SuggestedFacet Suggestion(Candidate candidate)
    {
        var type =
            candidate.Custom?.Type
            ?? candidate.Kind switch
            {
                FacetKind.Column => null,
                FacetKind.Date => "date",
                _ => "array",
            };
        var argument = type is null ? "_facet" : "_facet_" + type;
        return new(candidate.Column, type, v.Absolute(v.App.UrlPath(v.Args.With(argument, candidate.Column).ToPath(v.Path))));
    }
}
