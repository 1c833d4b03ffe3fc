using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Datasette.Databases;
using Datasette.Text;

namespace Datasette.Tables;

/// <summary>A table page as SQL: what a query string asks of a table or view. Pure and immutable.</summary>
public sealed record TableQuery
{
    private readonly RelationSchema _relation;
    private readonly IReadOnlyList<string> _hiddenColumns;
    private readonly int _offset;
    private readonly IReadOnlyList<string> _keys;

    internal TableQuery(RelationSchema relation, IReadOnlyList<string> hiddenColumns, int offset, IReadOnlyList<string> keys)
    {
        _keys = keys;
        _relation = relation;
        _hiddenColumns = hiddenColumns;
        _offset = offset;
    }

    /// <summary>The SQL of the page, one row longer than the page to know whether another follows.</summary>
    public required string Sql { get; init; }

    /// <summary>The same question as <see cref="Sql"/> in the form that people have stored and edited for years.</summary>
    public required string ReadableSql { get; init; }

    /// <summary>Values for <see cref="Sql"/> by name without colon.</summary>
    public required IReadOnlyDictionary<string, object?> Parameters { get; init; }

    /// <summary><c>from t where ... </c> without page: what counts and facets stand on. Uses <see cref="FilterParameters"/>.</summary>
    public required string FromSql { get; init; }

    /// <summary>Values for <see cref="FromSql"/> by name without colon.</summary>
    public required IReadOnlyDictionary<string, object?> FilterParameters { get; init; }

    /// <summary>Shown columns: row key first, then as asked for.</summary>
    public required IReadOnlyList<string> Columns { get; init; }

    /// <summary>Rows of a page.</summary>
    public required int PageSize { get; init; }

    /// <summary>Column sorted by, from the query string or from configuration; null = by key.</summary>
    public string? Sort { get; init; }

    /// <summary>Direction of <see cref="Sort"/>.</summary>
    public bool IsDescending { get; init; }

    /// <summary>Columns that a visitor may sort by.</summary>
    public required IReadOnlyList<string> SortableColumns { get; init; }

    /// <summary>The column filters.</summary>
    public required IReadOnlyList<TableFilter> Filters { get; init; }

    /// <summary>The <c>_where</c> conditions, as written.</summary>
    public required IReadOnlyList<string> ExtraWheres { get; init; }

    /// <summary>Full-text search that applies to this table, if any.</summary>
    public TableSearch? Search { get; init; }

    /// <summary>Filters and order in words; empty when nothing applies.</summary>
    public required string HumanDescription { get; init; }

    /// <summary>True when something narrows the rows, so that the number of all rows is not theirs.</summary>
    public bool IsFiltered { get; init; }

    /// <summary>Counts all rows that match.</summary>
    public string CountSql => "select count(*) " + FromSql;

    /// <summary>Every column with row key of every matching row: what facets are computed from.</summary>
    public string AllRowsSql => $"select {string.Join(", ", TableQueryParser.AllColumns(_relation).Select(SqlText.Quote))} {FromSql}";

    /// <summary>Turns a query string into a page.</summary>
    /// <param name="schema">Schema of the database; needed for <c>_through</c> and search.</param>
    /// <param name="relation">The table or view.</param>
    /// <param name="arguments">Pairs of the query string, decoded, in order.</param>
    /// <param name="options">Limits, rights, configuration.</param>
    /// <exception cref="DatasetteException">400 for an argument that cannot be, 403 for <c>_where</c> without the right.</exception>
    public static TableQuery Parse(
        DatabaseSchema schema,
        RelationSchema relation,
        IReadOnlyList<KeyValuePair<string, string>> arguments,
        TableQueryOptions options
    ) => new TableQueryParser(schema, relation, new TableArguments(arguments), options).Parse();

    /// <summary>Cuts what SQLite returned to the page, and finds the token of the next one.</summary>
    /// <param name="rows">Rows of <see cref="Sql"/>, all of them.</param>
    public TablePage Complete(IReadOnlyList<object?[]> rows)
    {
        var page = rows.Take(PageSize).ToArray();
        string? next = null;
        var needsTieBreak = false;
        if (rows.Count > PageSize && PageSize > 0)
        {
            needsTieBreak = _keys.Count == _relation.RowKeys.Count && EndsInNull(page[^1]);
            next = _relation.IsView ? (_offset + PageSize).ToString(CultureInfo.InvariantCulture) : Token(page[^1]);
        }

        if (_hiddenColumns.Count > 0)
        {
            page = [.. page.Select(r => r[..Columns.Count])];
        }

        return new TablePage(Columns, page, next) { NeedsTieBreak = needsTieBreak };
    }

    private bool EndsInNull(object?[] row)
    {
        var all = Columns.Concat(_hiddenColumns).ToList();
        return _relation is TableSchema { IsRowidTable: true, UsesRowid: false } && _keys.Any(key => row[all.IndexOf(key)] is null);
    }

    /// <summary>The token that continues behind a row of <see cref="Sql"/>, hidden columns included.</summary>
    internal string Token(object?[] row)
    {
        var all = Columns.Concat(_hiddenColumns).ToList();
        string[] names = Sort is null ? [.. _keys] : [Sort, .. _keys];
        return PageToken.Write([.. names.Select(n => row[all.IndexOf(n)])], [.. names.Select(_relation.Column)]);
    }
}

/// <summary>One page of rows.</summary>
/// <param name="Columns">Shown columns.</param>
/// <param name="Rows">Rows, at most a page.</param>
/// <param name="Next">Token of the next page; null on the last one.</param>
public sealed record TablePage(IReadOnlyList<string> Columns, IReadOnlyList<object?[]> Rows, string? Next)
{
    /// <summary>
    /// True when the page ends at a row whose key is NULL: others may have the same, and only the rowid tells them apart. Ask again with
    /// <see cref="TableQueryOptions.BreakTies"/>.
    /// </summary>
    public bool NeedsTieBreak { get; init; }
}

/// <summary>How a table or view is searched.</summary>
/// <param name="FtsTable">The full-text table.</param>
/// <param name="FtsPk">The column of the searched table that its rowid stands for.</param>
/// <param name="IsRaw">True when the visitor's text is a full-text query; false when every word is taken as it is.</param>
/// <param name="Text">The text searched for in all columns; null when none.</param>
public sealed record TableSearch(string FtsTable, string FtsPk, bool IsRaw, string? Text);
