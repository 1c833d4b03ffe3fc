using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Datasette.Databases;
using Datasette.Text;

namespace Datasette.Tables;

/// <summary>What a facet counts.</summary>
public enum FacetKind
{
    /// <summary>Values of a column.</summary>
    Column,

    /// <summary>Items of JSON arrays in a column.</summary>
    Array,

    /// <summary>Days of a column.</summary>
    Date,

    /// <summary>What a plugin counts.</summary>
    Custom,
}

/// <summary>One facet of a table page.</summary>
/// <param name="Kind">What it counts.</param>
/// <param name="Column">The column.</param>
/// <param name="IsConfigured">From configuration: shown always, cannot be hidden.</param>
public sealed record FacetRequest(FacetKind Kind, string Column, bool IsConfigured)
{
    /// <summary>What a plugin counts; null for the host's own kinds.</summary>
    public CustomFacet? Custom { get; init; }

    /// <summary>The word of JSON and configuration: column, array, date, or a plugin's.</summary>
    public string Type =>
        Kind switch
        {
            FacetKind.Array => "array",
            FacetKind.Date => "date",
            FacetKind.Custom => Custom!.Type,
            _ => "column",
        };

    /// <summary>The argument that asks for it: <c>_facet</c>, <c>_facet_array</c> or <c>_facet_date</c>.</summary>
    public string Argument => Kind == FacetKind.Column ? "_facet" : "_facet_" + Type;

    /// <summary>The key of the filter that picks one of its values.</summary>
    public string FilterKey =>
        Kind switch
        {
            FacetKind.Array => Column + "__arraycontains",
            FacetKind.Date => Column + "__date",
            FacetKind.Custom => Custom!.FilterKey(Column),
            _ => TableFilters.KeyOf(Column),
        };
}

/// <summary>Facets and their suggestions as SQL (H160 to H169). Pure.</summary>
public static class Facets
{
    /// <summary>Rows that a column suggestion looks at.</summary>
    public const int SuggestRows = 1000;

    /// <summary>The facets of a page: those of configuration first, then those of the query string; each once.</summary>
    /// <param name="arguments">Pairs of the query string.</param>
    /// <param name="tableConfig">The block of the table.</param>
    /// <param name="relation">The table or view.</param>
    /// <param name="custom">Kinds of plugins; null for none.</param>
    /// <exception cref="DatasetteException">400: a column that is not there.</exception>
    public static IReadOnlyList<FacetRequest> Parse(
        IReadOnlyList<KeyValuePair<string, string>> arguments,
        JsonObject tableConfig,
        RelationSchema relation,
        IReadOnlyList<CustomFacet>? custom = null
    )
    {
        custom ??= [];
        var facets = Configured(tableConfig, custom).ToList();
        facets.AddRange(Requested(arguments, "_facet", FacetKind.Column));
        facets.AddRange(Requested(arguments, "_facet_date", FacetKind.Date));
        facets.AddRange(Requested(arguments, "_facet_array", FacetKind.Array));
        facets.AddRange(
            custom.SelectMany(kind =>
                Requested(arguments, "_facet_" + kind.Type, FacetKind.Custom).Select(facet => facet with { Custom = kind })
            )
        );
        var columns = TableQueryParser.AllColumns(relation);
        var unknown = facets.FirstOrDefault(f => !columns.Contains(f.Column));
        if (unknown is not null)
        {
            throw new DatasetteException(400, $"{unknown.Argument}={unknown.Column} - no such column");
        }

        return [.. facets.DistinctBy(f => (f.Type, f.Column))];
    }

    /// <summary>Values of a facet: <c>_facet_size</c>, else configured <c>facet_size</c>, else the default; never above the maximum.</summary>
    public static int Size(IReadOnlyList<KeyValuePair<string, string>> arguments, JsonObject tableConfig, int defaultSize, int maximum)
    {
        return Math.Min(
            maximum,
            ParseSize(new TableArguments(arguments).First("_facet_size"), maximum)
                ?? ParseSize(tableConfig["facet_size"]?.ToString(), maximum)
                ?? defaultSize
        );
    }

    /// <summary>Names for the results: a second facet of the same column is <c>name_2</c>, and so on.</summary>
    public static IReadOnlyList<string> Names(IReadOnlyList<FacetRequest> facets)
    {
        var names = new List<string>();
        foreach (var facet in facets)
        {
            var name = facet.Column;
            for (var i = 2; names.Contains(name); i++)
            {
                name = facet.Column + "_" + i.ToString(CultureInfo.InvariantCulture);
            }

            names.Add(name);
        }

        return names;
    }

    /// <summary>SQL of a facet: rows value, count; one more than <paramref name="size"/> to know whether more exist.</summary>
    /// <param name="facet">The facet.</param>
    /// <param name="allRows"><see cref="TableQuery.AllRowsSql"/>; its parameters go with it.</param>
    /// <param name="size">Values wanted.</param>
    public static string Sql(FacetRequest facet, string allRows, int size)
    {
        if (facet.Custom is { } custom)
        {
            return custom.Sql(facet.Column, allRows, size + 1);
        }

        var column = SqlText.Quote(facet.Column);
        var limit = (size + 1).ToString(CultureInfo.InvariantCulture);
        return facet.Kind switch
        {
            FacetKind.Column => $"select {column} as value, count(*) as count from (\n    {allRows}\n)\nwhere {column} is not null\n"
                + $"group by {column} order by count desc, value limit {limit}",
            FacetKind.Date => $"select date({column}) as value, count(*) as count from (\n    {allRows}\n)\n"
                + $"where date({column}) is not null\ngroup by date({column}) order by count desc, value limit {limit}",
            _ => $"with rows_to_count as (select row_number() over () as number, {column} as items from (\n    {allRows}\n)),\n"
                + "items as (select distinct r.number, j.value from rows_to_count r join json_each(r.items) j)\n"
                + $"select value, count(*) as count from items group by value order by count desc, value limit {limit}",
        };
    }

    /// <summary>The value of an array facet as it is given out: always text.</summary>
    /// <param name="value">Value as SQLite returned it.</param>
    public static string ArrayValue(object? value) => PageToken.Text(value);

    /// <summary>SQL that shows whether a column facet is worth suggesting: rows value, n.</summary>
    public static string SuggestColumnSql(string column, string allRows, int facetSize)
    {
        var c = SqlText.Quote(column);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"with limited as (select * from (\n    {allRows}\n) limit {SuggestRows})\nselect {c} as value, count(*) as n from limited where {c} is not null group by {c} limit {facetSize + 1}"
        );
    }

    /// <summary>Whether a column facet is worth suggesting.</summary>
    /// <param name="rows">Rows of <see cref="SuggestColumnSql"/>.</param>
    /// <param name="rowCount">Matching rows.</param>
    /// <param name="facetSize">Values of a facet.</param>
    public static bool IsColumnSuggested(IReadOnlyList<object?[]> rows, long rowCount, int facetSize)
    {
        return rows.Count > 1 && rows.Count <= facetSize && rows.Count < Math.Min(rowCount, SuggestRows) && rows.Any(r => r[1] is > 1L);
    }

    /// <summary>SQL that shows the JSON types of a column: one row a type.</summary>
    public static string SuggestArrayTypesSql(string column, string allRows)
    {
        var c = SqlText.Quote(column);
        return $"select distinct json_type({c}) from ({First(allRows)}) where {c} is not null and {c} != ''";
    }

    /// <summary>SQL that returns the first arrays with items of a column.</summary>
    public static string SuggestArrayItemsSql(string column, string allRows)
    {
        var c = SqlText.Quote(column);
        return $"select {c} from ({First(allRows)}) where {c} is not null and {c} != '' and json_array_length({c}) > 0 limit 100";
    }

    /// <summary>Whether an array facet is worth suggesting: arrays only, and of texts only.</summary>
    /// <param name="types">Rows of <see cref="SuggestArrayTypesSql"/>.</param>
    /// <param name="arrays">Rows of <see cref="SuggestArrayItemsSql"/>.</param>
    public static bool IsArraySuggested(IReadOnlyList<object?[]> types, IReadOnlyList<object?[]> arrays)
    {
        return types is [["array"]] && arrays.Count > 0 && arrays.All(r => r[0] is string text && IsArrayOfTexts(text));
    }

    /// <summary>SQL that shows whether the first rows that look like dates are dates.</summary>
    public static string SuggestDateSql(string column, string allRows)
    {
        var c = SqlText.Quote(column);
        return $"select date({c}) from ({First(allRows)}) where {c} glob '????-??-*' limit 100";
    }

    // A suggestion is a guess; it must not read a table of millions of rows to its end.
    private static string First(string allRows) =>
        string.Create(CultureInfo.InvariantCulture, $"select * from (\n    {allRows}\n) limit {SuggestRows}");

    /// <summary>Whether a date facet is worth suggesting.</summary>
    /// <param name="rows">Rows of <see cref="SuggestDateSql"/>.</param>
    public static bool IsDateSuggested(IReadOnlyList<object?[]> rows) => rows.Any(r => r[0] is not null);

    private static bool IsArrayOfTexts(string text)
    {
        try
        {
            return ForeignJson.Parse(text) is JsonArray array && array.All(i => i?.GetValueKind() == JsonValueKind.String);
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static IEnumerable<FacetRequest> Configured(JsonObject tableConfig, IReadOnlyList<CustomFacet> custom)
    {
        foreach (var facet in tableConfig["facets"] as JsonArray ?? [])
        {
            switch (facet)
            {
                case JsonValue column:
                    yield return new FacetRequest(FacetKind.Column, column.ToString(), true);
                    break;
                case JsonObject { Count: 1 } typed:
                    var (kind, name) = typed.First();
                    if (ParseKind(kind) is { } known && name is JsonValue)
                    {
                        yield return new FacetRequest(known, name.ToString(), true);
                    }
                    else if (custom.FirstOrDefault(other => other.Type == kind) is { } other && name is JsonValue)
                    {
                        yield return new FacetRequest(FacetKind.Custom, name.ToString(), true) { Custom = other };
                    }

                    break;
            }
        }
    }

    private static IEnumerable<FacetRequest> Requested(
        IReadOnlyList<KeyValuePair<string, string>> arguments,
        string argument,
        FacetKind kind
    )
    {
        foreach (var value in new TableArguments(arguments).All(argument))
        {
            yield return new FacetRequest(kind, value.StartsWith('{') ? ColumnOf(value) : value, false);
        }
    }

    private static string ColumnOf(string json)
    {
        try
        {
            return (ForeignJson.Parse(json) as JsonObject)?["column"]?.ToString() ?? json;
        }
        catch (JsonException)
        {
            return json;
        }
    }

    private static FacetKind? ParseKind(string word)
    {
        return word switch
        {
            "column" => FacetKind.Column,
            "array" => FacetKind.Array,
            "date" => FacetKind.Date,
            _ => null,
        };
    }

    private static int? ParseSize(string? text, int maximum)
    {
        return text == "max" ? maximum
            : text is { Length: > 0 } && text.All(char.IsAsciiDigit)
                ? int.TryParse(text, CultureInfo.InvariantCulture, out var size) ? size
                    : maximum
            : null;
    }
}
