using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Datasette.Databases;
using Datasette.Text;

namespace Datasette.Tables;

/// <summary>One reading of one query string.</summary>
internal sealed partial class TableQueryParser(
    DatabaseSchema schema,
    RelationSchema relation,
    TableArguments arguments,
    TableQueryOptions options
)
{
    private readonly Dictionary<string, object?> _parameters = new(StringComparer.Ordinal);
    private readonly List<string> _where = [];
    private readonly List<string> _words = [];
    private (string Condition, string Words)? _inWords;

    private string _viewTies = "";

    // What tells rows apart: the row key, and the rowid behind it where keys may be NULL and so the same.
    private IReadOnlyList<string> _keys = relation.RowKeys;

    /// <summary>Row key, then all columns of a relation.</summary>
    public static IReadOnlyList<string> AllColumns(RelationSchema relation) =>
        relation.UsesRowid ? ["rowid", .. relation.ColumnNames] : relation.ColumnNames;

    public TableQuery Parse()
    {
        var pageSize = PageSize();
        var sortable = SortableColumns();
        var (sort, isDescending) = Sort(sortable);
        var columns = Columns();
        var filters = TableFilters.Parse(arguments.Pairs);
        _where.AddRange(filters.Select(f => TableFilters.Condition(f, relation.Name, _parameters)));
        var extraWheres = ExtraWheres();
        var search = AddSearch();
        AddThrough();
        AddAdded();

        var table = SqlText.Quote(relation.Name);
        var filterParameters = new Dictionary<string, object?>(_parameters, StringComparer.Ordinal);
        var from = $"from {table} " + (_where.Count == 0 ? "" : $"where {WhereText()} ");
        var words = Describe(filters, sort, isDescending);
        var isFiltered = _where.Count > 0;

        if (options.BreakTies && RowidName() is { } rowid)
        {
            _keys = [.. relation.RowKeys, rowid];
        }

        var offset = AddPage(sort, isDescending);
        string[] needed =
            relation.IsView ? []
            : sort is null ? [.. _keys]
            : [.. _keys, sort];
        var hidden = needed.Where(n => !columns.Contains(n)).Distinct().ToArray();
        var select = string.Join(", ", columns.Concat(hidden).Select(SqlText.Quote));
        var sql =
            $"select {select} from {table} "
            + (_where.Count == 0 ? "" : $"where {WhereText()} ")
            + Order(sort, isDescending)
            + (options.IsUnlimited ? "" : string.Create(CultureInfo.InvariantCulture, $"limit {(long)pageSize + 1}"))
            + (offset == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $" offset {offset}"));
        return new TableQuery(relation, hidden, offset, _keys)
        {
            Sql = sql.TrimEnd(),
            ReadableSql = _inWords is { } page
                ? sql.Replace(page.Condition, page.Words, StringComparison.Ordinal).TrimEnd()
                : sql.TrimEnd(),
            Parameters = _parameters,
            FromSql = from,
            FilterParameters = filterParameters,
            Columns = columns,
            PageSize = pageSize,
            Sort = sort,
            IsDescending = isDescending,
            SortableColumns = sortable,
            Filters = filters,
            ExtraWheres = extraWheres,
            Search = search,
            HumanDescription = words,
            IsFiltered = isFiltered,
        };
    }

    // The question without what only paging needs.
    private string Readable(string sql)
    {
        if (_inWords is { } page)
        {
            sql = sql.Replace(page.Condition, page.Words, StringComparison.Ordinal);
        }

        return (_viewTies.Length > 0 ? sql.Replace(_viewTies + " ", " ", StringComparison.Ordinal) : sql).TrimEnd();
    }

    private int PageSize()
    {
        var configured = options.TableConfig["size"];
        var text = arguments.First("_size") ?? (configured is JsonValue value ? value.ToString() : null);
        if (text is null)
        {
            return Math.Min(options.DefaultPageSize, options.MaxReturnedRows);
        }

        if (text == "max")
        {
            return options.MaxReturnedRows;
        }

        if (text.Length == 0 || !text.All(char.IsAsciiDigit))
        {
            throw new DatasetteException(400, "_size must be a positive integer");
        }

        return int.TryParse(text, CultureInfo.InvariantCulture, out var size) && size <= options.MaxReturnedRows
            ? size
            : throw new DatasetteException(400, $"_size must be <= {options.MaxReturnedRows}");
    }

    private string[] SortableColumns()
    {
        IEnumerable<string> columns = options.TableConfig["sortable_columns"] is JsonArray configured
            ? configured.OfType<JsonValue>().Select(v => v.ToString())
            : relation.ColumnNames;
        return relation.UsesRowid ? [.. columns, "rowid"] : [.. columns];
    }

    private (string? Column, bool IsDescending) Sort(string[] sortable)
    {
        var sort = arguments.First("_sort");
        var descending = arguments.First("_sort_desc");
        if (sort is null && descending is null)
        {
            sort = options.TableConfig["sort"]?.ToString();
            descending = options.TableConfig["sort_desc"]?.ToString();
        }

        if (sort is not null && descending is not null)
        {
            throw new DatasetteException(400, "Cannot use _sort and _sort_desc at the same time");
        }

        var column = sort ?? descending;
        if (column is not null && !sortable.Contains(column))
        {
            throw new DatasetteException(400, $"Cannot sort table by {column}");
        }

        return (column, descending is not null);
    }

    private string[] Columns()
    {
        var all = AllColumns(relation);
        var keys = relation.RowKeys;
        IEnumerable<string> columns = all;
        if (arguments.Has("_col"))
        {
            var wanted = arguments.All("_col").ToArray();
            RefuseColumns("_col", wanted.Where(c => !all.Contains(c)));
            columns = keys.Concat(wanted).Distinct();
        }

        if (arguments.Has("_nocol"))
        {
            var unwanted = arguments.All("_nocol").ToArray();
            RefuseColumns("_nocol", unwanted.Where(c => !all.Contains(c) || keys.Contains(c)));
            columns = columns.Where(c => !unwanted.Contains(c));
        }

        return [.. columns];
    }

    private static void RefuseColumns(string argument, IEnumerable<string> bad)
    {
        var names = string.Join(", ", bad);
        if (names.Length > 0)
        {
            throw new DatasetteException(400, $"{argument}={names} - invalid columns");
        }
    }

    private string[] ExtraWheres()
    {
        var wheres = arguments.All("_where").ToArray();
        if (wheres.Length == 0)
        {
            return wheres;
        }

        if (!options.AllowWhere)
        {
            throw new DatasetteException(403, "_where= is not allowed");
        }

        _where.AddRange(wheres.Select(Guarded));
        return wheres;
    }

    // As written where that is safe; in parentheses where an OR would swallow its neighbours or a comment the rest of the statement.
    private static string Guarded(string where) => OrOrComment().IsMatch(where) ? $"({where}\n)" : where;

    private TableSearch? AddSearch()
    {
        var ftsTable = arguments.First("_fts_table") ?? options.TableConfig["fts_table"]?.ToString() ?? relation.FtsTable;
        var ftsPk = arguments.First("_fts_pk") ?? options.TableConfig["fts_pk"]?.ToString() ?? "rowid";
        if (ftsTable is null)
        {
            return null;
        }

        var mode = arguments.First("_searchmode") ?? options.TableConfig["searchmode"]?.ToString();
        var isRaw = mode == "raw";
        // White space alone is no search: who presses Apply with an empty box wants all rows.
        var text = arguments.First("_search") is { } given && !string.IsNullOrWhiteSpace(given) ? given : null;
        var search = new TableSearch(ftsTable, ftsPk, isRaw, text);
        if (text is not null)
        {
            AddMatch(search, SqlText.Quote(ftsTable), "search", text, $"search matches \"{text}\"");
            return search;
        }

        var number = 0;
        foreach (
            var (key, value) in arguments.Pairs.Where(p => p.Key.StartsWith("_search_", StringComparison.Ordinal) && p.Value.Length > 0)
        )
        {
            var column = key["_search_".Length..];
            if (schema.Relation(ftsTable)?.Column(column) is null)
            {
                throw new DatasetteException(400, "Cannot search by that column");
            }

            var name = "search_" + (number++).ToString(CultureInfo.InvariantCulture);
            AddMatch(search, SqlText.Quote(column), name, value, $"search column \"{column}\" matches \"{value}\"");
        }

        return search;
    }

    private void AddMatch(TableSearch search, string matched, string parameter, string text, string words)
    {
        var match = search.IsRaw ? ":" + parameter : $"escape_fts(:{parameter})";
        var table = SqlText.Quote(search.FtsTable);
        _where.Add($"{SqlText.Quote(search.FtsPk)} in (select rowid from {table} where {matched} match {match})");
        _parameters[parameter] = text;
        _words.Add(words);
    }

    private void AddThrough()
    {
        foreach (var text in arguments.All("_through"))
        {
            var (table, column, value) = ParseThrough(text);
            var key = schema.Table(table)?.ForeignKeysOut.FirstOrDefault(k => k.OtherTable == relation.Name);
            if (key is null || schema.Table(table)?.Column(column) is null)
            {
                throw new DatasetteException(400, "Invalid _through - could not find corresponding foreign key");
            }

            var mark = TableFilters.AddParameter(_parameters, value);
            _where.Add(
                $"{SqlText.Quote(key.OtherColumn)} in (select {SqlText.Quote(key.Column)} from {SqlText.Quote(table)} "
                    + $"where {SqlText.Quote(column)} = {mark})"
            );
            _words.Add($"{table}.{column} = \"{value}\"");
        }
    }

    private void AddAdded()
    {
        foreach (var added in options.Added)
        {
            if (added.Parameters.FirstOrDefault(pair => !_parameters.TryAdd(pair.Key, pair.Value)).Key is { } taken)
            {
                throw new DatasetteException(500, $"Two conditions have a parameter called :{taken}");
            }

            // Each on its own: a comment or an OR in it ends with it.
            _where.AddRange(added.Conditions.Select(condition => $"({condition}\n)"));
            _words.AddRange(added.Words);
        }
    }

    private static (string Table, string Column, string Value) ParseThrough(string text)
    {
        try
        {
            if (
                ForeignJson.Parse(text) is JsonObject through
                && through["table"]?.ToString() is { } table
                && through["column"]?.ToString() is { } column
                && through["value"]?.ToString() is { } value
            )
            {
                return (table, column, value);
            }
        }
        catch (JsonException)
        {
            // The same complaint as for JSON of another shape.
        }

        throw new DatasetteException(400, "Invalid _through - it must be a JSON object with table, column and value");
    }

    private int AddPage(string? sort, bool isDescending)
    {
        if (arguments.First("_next") is not { } token)
        {
            return 0;
        }

        if (relation.IsView)
        {
            return token.All(char.IsAsciiDigit) && int.TryParse(token, CultureInfo.InvariantCulture, out var offset)
                ? offset
                : throw new DatasetteException(400, "_next must be an integer for a view");
        }

        var keys = relation.RowKeys;
        if (RowidName() is { } rowid && token.Count(c => c == ',') == relation.RowKeys.Count + (sort is null ? 0 : 1))
        {
            // One component more than the key has: the token comes from a page that broke ties.
            _keys = [.. relation.RowKeys, rowid];
            keys = _keys;
        }

        string[] names = sort is null ? [.. keys] : [sort, .. keys];
        var values = PageToken.Read(token, [.. names.Select(relation.Column)]);
        if (values is not null)
        {
            var first = _parameters.Count;
            var condition = sort is null
                ? Keyset.After(keys, values, _parameters)
                : Keyset.After(sort, isDescending, values[0], keys, values[1..], _parameters);
            _where.Add(condition);
            if (sort is null && keys.Count > 1 && values.All(value => value is not null))
            {
                _inWords = (condition, Keyset.InWords(keys, first));
            }
        }

        return 0;
    }

    private string Order(string? sort, bool isDescending)
    {
        var terms = new List<string>();
        if (sort is not null)
        {
            terms.Add(SqlText.Quote(sort) + (isDescending ? " desc" : ""));
        }

        if (sort is not null && relation.IsView)
        {
            // Pages of a view are cut by counting, and rows that compare as equal may change places between two counts.
            _viewTies = ", " + string.Join(", ", relation.ColumnNames.Where(name => name != sort).Select(SqlText.Quote));
            _viewTies = _viewTies.Length > 2 ? _viewTies : "";
            terms[0] += _viewTies;
        }

        terms.AddRange(_keys.Where(k => k != sort).Select(SqlText.Quote));
        // Without an order the blank stays, as in the SQL that other tools have stored.
        return terms.Count == 0 ? " " : $"order by {string.Join(", ", terms)} ";
    }

    // The name under which SQLite gives the rowid of a table with a declared key; null where it gives none.
    private string? RowidName() =>
        relation is TableSchema { IsRowidTable: true, IsVirtual: false, UsesRowid: false }
            ? new[] { "rowid", "_rowid_", "oid" }.FirstOrDefault(name =>
                relation.Columns.All(column => !column.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
            )
            : null;

    private string WhereText() => string.Join(" and ", _where);

    private string Describe(IReadOnlyList<TableFilter> filters, string? sort, bool isDescending)
    {
        var words = _words.Concat(filters.Select(TableFilters.Describe)).ToArray();
        var where = words.Length switch
        {
            0 => "",
            1 => "where " + words[0],
            _ => $"where {string.Join(", ", words[..^1])} and {words[^1]}",
        };
        var order = sort is null ? "" : $"sorted by {sort}{(isDescending ? " descending" : "")}";
        return where.Length > 0 && order.Length > 0 ? $"{where} {order}" : where + order;
    }

    [GeneratedRegex(@"\bor\b|--|/\*", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex OrOrComment();
}
