using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Datasette.Text;

namespace Datasette.Tables;

/// <summary>One operator of a column filter, as the drop-down of the table page lists it.</summary>
/// <param name="Key">What stands behind <c>__</c> in the query string.</param>
/// <param name="Label">What the drop-down shows.</param>
/// <param name="TakesValue">False when the value is ignored.</param>
public sealed record FilterOperator(string Key, string Label, bool TakesValue = true);

/// <summary>One filter of a table page.</summary>
/// <param name="Column">Column name as written; need not exist.</param>
/// <param name="Operator">Key of the operator.</param>
/// <param name="Value">Value as written.</param>
public sealed record TableFilter(string Column, string Operator, string Value);

/// <summary>Column filters of a query string to SQL conditions and to words (H110 to H135). Pure.</summary>
public static class TableFilters
{
    /// <summary>All operators in the order of the drop-down.</summary>
    public static IReadOnlyList<FilterOperator> Operators { get; } =
    [
        new("exact", "="),
        new("not", "!="),
        new("contains", "contains"),
        new("notcontains", "does not contain"),
        new("endswith", "ends with"),
        new("startswith", "starts with"),
        new("gt", ">"),
        new("gte", "≥"),
        new("lt", "<"),
        new("lte", "≤"),
        new("like", "like"),
        new("notlike", "not like"),
        new("glob", "glob"),
        new("in", "in"),
        new("notin", "not in"),
        new("arraycontains", "array contains"),
        new("arraynotcontains", "array does not contain"),
        new("date", "date"),
        new("isnull", "is null", false),
        new("notnull", "is not null", false),
        new("isblank", "is blank", false),
        new("notblank", "is not blank", false),
    ];

    /// <summary>The filters of a query string, sorted by key and value; keys that are no filters and unknown operators are left out.</summary>
    public static IReadOnlyList<TableFilter> Parse(IEnumerable<KeyValuePair<string, string>> arguments)
    {
        return
        [
            .. arguments
                .Where(p => !IsSpecial(p.Key))
                .OrderBy(p => p.Key, StringComparer.Ordinal)
                .ThenBy(p => p.Value, StringComparer.Ordinal)
                .Select(ToFilter)
                .Where(f => Operators.Any(o => o.Key == f.Operator)),
        ];
    }

    /// <summary>A key that begins with <c>_</c> and holds no <c>__</c> is an argument of the page, never a filter.</summary>
    public static bool IsSpecial(string key) => key.StartsWith('_') && !key.Contains("__", StringComparison.Ordinal);

    /// <summary>The key that filters by equality: the column's name, with its operator where the bare name would mean something else.</summary>
    /// <param name="column">Any column.</param>
    public static string KeyOf(string column) =>
        column.StartsWith('_') || column.Contains("__", StringComparison.Ordinal) ? column + "__exact" : column;

    /// <summary>Splits a key into column and operator.</summary>
    /// <param name="key">Key of a query string pair.</param>
    public static (string Column, string Operator) SplitKey(string key)
    {
        var split = key.LastIndexOf("__", StringComparison.Ordinal);
        return split < 0 ? (key, "exact") : (key[..split], key[(split + 2)..]);
    }

    /// <summary>The condition of a filter.</summary>
    /// <param name="filter">The filter.</param>
    /// <param name="table">Name of the table or view.</param>
    /// <param name="parameters">Takes its values under the next free names <c>p0</c>, <c>p1</c> and so on.</param>
    internal static string Condition(TableFilter filter, string table, Dictionary<string, object?> parameters)
    {
        // Always quoted: a name that is no column then is a text to SQLite, and the answer has no rows (H134).
        var c = SqlText.QuoteAlways(filter.Column);
        var v = filter.Value;
        string P(object? value) => AddParameter(parameters, value);
        string ArrayColumn() => $"{Bracket(table)}.{Bracket(filter.Column)}";
        return filter.Operator switch
        {
            "exact" => $"{c} = {P(v)}",
            "not" => $"{c} != {P(v)}",
            "contains" => $"{c} like {P($"%{v}%")}",
            "notcontains" => $"{c} not like {P($"%{v}%")}",
            "endswith" => $"{c} like {P($"%{v}")}",
            "startswith" => $"{c} like {P($"{v}%")}",
            "gt" => $"{c} > {P(Numeric(v))}",
            "gte" => $"{c} >= {P(Numeric(v))}",
            "lt" => $"{c} < {P(Numeric(v))}",
            "lte" => $"{c} <= {P(Numeric(v))}",
            "like" => $"{c} like {P(v)}",
            "notlike" => $"{c} not like {P(v)}",
            "glob" => $"{c} glob {P(v)}",
            "in" => $"{SqlText.Quote(filter.Column)} in ({InParameters(v, parameters)})",
            "notin" => $"{SqlText.Quote(filter.Column)} not in ({InParameters(v, parameters)})",
            "arraycontains" => $"{P(v)} in (select value from json_each({ArrayColumn()}))",
            "arraynotcontains" => $"{P(v)} not in (select value from json_each({ArrayColumn()}))",
            "date" => $"date({c}) = {P(v)}",
            "isnull" => $"{c} is null",
            "notnull" => $"{c} is not null",
            "isblank" => $"({c} is null or {c} = \"\")",
            "notblank" => $"({c} is not null and {c} != \"\")",
            _ => throw new ArgumentException($"Unknown operator {filter.Operator}.", nameof(filter)),
        };
    }

    /// <summary>A filter in words.</summary>
    public static string Describe(TableFilter filter)
    {
        var (c, v) = (filter.Column, filter.Value);
        string Equals(string sign) => IsDigits(v) ? $"{c} {sign} {v}" : $"{c} {sign} \"{v}\"";
        return filter.Operator switch
        {
            "exact" => Equals("="),
            "not" => Equals("!="),
            "contains" => $"{c} contains \"{v}\"",
            "notcontains" => $"{c} does not contain \"{v}\"",
            "endswith" => $"{c} ends with \"{v}\"",
            "startswith" => $"{c} starts with \"{v}\"",
            "gt" => $"{c} > {v}",
            "gte" => $"{c} ≥ {v}",
            "lt" => $"{c} < {v}",
            "lte" => $"{c} ≤ {v}",
            "like" => $"{c} like \"{v}\"",
            "notlike" => $"{c} not like \"{v}\"",
            "glob" => $"{c} glob \"{v}\"",
            "in" => $"{c} in {PythonJson.Write(InValues(v))}",
            "notin" => $"{c} not in {PythonJson.Write(InValues(v))}",
            "arraycontains" => $"{c} contains \"{v}\"",
            "arraynotcontains" => $"{c} does not contain \"{v}\"",
            "date" => $"\"{c}\" is on date {v}",
            "isnull" => $"{c} is null",
            "notnull" => $"{c} is not null",
            "isblank" => $"{c} is blank",
            "notblank" => $"{c} is not blank",
            _ => "",
        };
    }

    /// <summary>Adds a value under the next free name and returns the name with its colon.</summary>
    internal static string AddParameter(Dictionary<string, object?> parameters, object? value)
    {
        var number = parameters.Count;
        string name;
        do
        {
            name = "p" + (number++).ToString(CultureInfo.InvariantCulture);
        } while (parameters.ContainsKey(name));

        parameters[name] = value;
        return ":" + name;
    }

    private static TableFilter ToFilter(KeyValuePair<string, string> pair)
    {
        var (column, @operator) = SplitKey(pair.Key);
        return new TableFilter(column, @operator, pair.Value);
    }

    private static object Numeric(string value)
    {
        return IsDigits(value) && long.TryParse(value, CultureInfo.InvariantCulture, out var number) ? number : value;
    }

    private static bool IsDigits(string value) => value.Length > 0 && value.All(char.IsAsciiDigit);

    // The original's spelling inside json_each; a name with a bracket cannot be spelled so.
    private static string Bracket(string name) => name.Contains(']', StringComparison.Ordinal) ? SqlText.QuoteAlways(name) : $"[{name}]";

    private static string InParameters(string value, Dictionary<string, object?> parameters)
    {
        return string.Join(", ", InValues(value).Select(item => AddParameter(parameters, ToSqlValue(item))));
    }

    private static object? ToSqlValue(JsonNode? item)
    {
        return item?.GetValueKind() switch
        {
            null => null,
            JsonValueKind.String => item.GetValue<string>(),
            JsonValueKind.True => 1L,
            JsonValueKind.False => 0L,
            JsonValueKind.Number => ((JsonValue)item).TryGetValue<long>(out var whole) ? (object)whole : item.GetValue<double>(),
            _ => throw new DatasetteException(400, "in and notin take a JSON list of texts and numbers only"),
        };
    }

    private static JsonArray InValues(string value)
    {
        if (!value.StartsWith('['))
        {
            return new JsonArray([.. value.Split(',').Select(item => (JsonNode)JsonValue.Create(item.Trim()))]);
        }

        try
        {
            return (JsonArray)ForeignJson.Parse(value)!;
        }
        catch (JsonException)
        {
            throw new DatasetteException(400, $"Invalid JSON list: {value}");
        }
    }
}
