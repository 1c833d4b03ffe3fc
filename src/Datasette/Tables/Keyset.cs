using System.Globalization;
using Datasette.Text;

namespace Datasette.Tables;

/// <summary>Conditions that continue behind a row, so that every row is visited exactly once (H141). Pure.</summary>
internal static class Keyset
{
    /// <summary>Rows behind the one with this key, keys ascending, NULLs first.</summary>
    /// <param name="columns">Key columns.</param>
    /// <param name="values">Their values in the last row seen.</param>
    /// <param name="parameters">Takes the values.</param>
    public static string After(IReadOnlyList<string> columns, IReadOnlyList<object?> values, Dictionary<string, object?> parameters)
    {
        var names = columns.Select(SqlText.Quote).ToArray();
        if (values.Any(v => v is null))
        {
            return AfterWithNulls(names, values, parameters);
        }

        var marks = values.Select(v => TableFilters.AddParameter(parameters, v)).ToArray();
        // A row value is compared left to right and SQLite finds its start in the index of the key.
        return names.Length == 1 ? $"{names[0]} > {marks[0]}" : $"({string.Join(", ", names)}) > ({string.Join(", ", marks)})";
    }

    /// <summary>Rows behind the one with this sort value and key.</summary>
    /// <param name="sort">Column sorted by.</param>
    /// <param name="descending">Its direction; keys are ascending in both.</param>
    /// <param name="sortValue">Its value in the last row seen.</param>
    /// <param name="columns">Key columns.</param>
    /// <param name="values">Their values in the last row seen.</param>
    /// <param name="parameters">Takes the values.</param>
    public static string After(
        string sort,
        bool descending,
        object? sortValue,
        IReadOnlyList<string> columns,
        IReadOnlyList<object?> values,
        Dictionary<string, object?> parameters
    )
    {
        var s = SqlText.Quote(sort);
        var key = After(columns, values, parameters);
        if (sortValue is null)
        {
            return descending ? $"({s} is null and {key})" : $"({s} is not null or ({s} is null and {key}))";
        }

        var mark = TableFilters.AddParameter(parameters, sortValue);
        return descending
            ? $"({s} is null or ({s} <= {mark} and ({s} < {mark} or {key})))"
            : $"({s} >= {mark} and ({s} > {mark} or {key}))";
    }

    /// <summary>The same as <see cref="After(IReadOnlyList{string}, IReadOnlyList{object}, Dictionary{string, object})"/> in the words of SQL from before row values, for people.</summary>
    /// <param name="columns">Key columns, at least two.</param>
    /// <param name="first">Number of the first parameter.</param>
    public static string InWords(IReadOnlyList<string> columns, int first)
    {
        var names = columns.Select(SqlText.Quote).ToArray();
        var cases = names.Select(
            (name, i) =>
            {
                var terms = names.Take(i).Select((other, j) => string.Create(CultureInfo.InvariantCulture, $"{other} = :p{first + j}"));
                return "("
                    + string.Join(" and ", terms.Append(string.Create(CultureInfo.InvariantCulture, $"{name} > :p{first + i}")))
                    + ")";
            }
        );
        return "(" + string.Join("\n  or\n", cases) + ")";
    }

    private static string AfterWithNulls(string[] names, IReadOnlyList<object?> values, Dictionary<string, object?> parameters)
    {
        var marks = values.Select(v => v is null ? "null" : TableFilters.AddParameter(parameters, v)).ToArray();
        var cases = new List<string>();
        for (var i = 0; i < names.Length; i++)
        {
            var equal = Enumerable.Range(0, i).Select(j => $"{names[j]} is {marks[j]}");
            var greater = values[i] is null ? $"{names[i]} is not null" : $"{names[i]} > {marks[i]}";
            cases.Add("(" + string.Join(" and ", equal.Append(greater)) + ")");
        }

        return "(" + string.Join(" or ", cases) + ")";
    }
}
