using Datasette.Databases;
using Datasette.Responses;
using Datasette.Tables;
using Microsoft.AspNetCore.Http;

namespace Datasette.Views;

/// <summary>Tables, rows and query results as CSV.</summary>
internal static class TableCsv
{
    private const int LabelBatch = 200;

    public static async Task<IResult> ShowAsync(ViewContext v, Database database, DatabaseSchema schema, RelationSchema relation)
    {
        var wantsLabels = Wanted(v);
        if (v.Args.Flag("_stream"))
        {
            return PageHeaders.Cached(v, await StreamAsync(v, database, schema, relation, wantsLabels));
        }
        var data = await TableData.LoadAsync(v, database, schema, relation);
        var answer = Make(v, database, schema, relation, data.Page.Columns, AsStream(data.Page.Rows), wantsLabels);
        if (data.NextUrl is { } next)
        {
            answer.With("Link", HtmlLinks.Next(next));
        }
        return PageHeaders.Cached(v, answer);
    }

    public static Response Row(ViewContext v, RowData data) =>
        Make(v, data.Database, data.Schema, data.Table, data.Columns, AsStream([data.Row]), Wanted(v));

    public static Response Query(
        ViewContext v,
        Database database,
        IReadOnlyList<string> columns,
        IReadOnlyList<object?[]> rows,
        string fileName
    )
    {
        var bytes = rows.Select(row =>
                row.Select((value, i) => value is byte[] blob ? (object)v.Absolute(Blobs.QueryHref(v, columns[i], blob)) : value).ToArray()
            )
            .ToList();
        return Finish(v, columns, AsStream(bytes), fileName);
    }

    private static Func<string, bool> Wanted(ViewContext v)
    {
        var some = v.Args.All("_label").ToHashSet();
        var all = v.Args["_labels"] is { } text && DataShapes.ParseBoolean(text) == true;
        return column => all || some.Contains(column);
    }

    private static async Task<Response> StreamAsync(
        ViewContext v,
        Database database,
        DatabaseSchema schema,
        RelationSchema relation,
        Func<string, bool> wantsLabels
    )
    {
        if (!v.App.Settings.AllowCsvStream)
        {
            throw new DatasetteException(400, "CSV streaming is disabled");
        }
        if (v.Args.Flag("_next"))
        {
            throw new DatasetteException(400, "_next not allowed for CSV streaming");
        }
        var options = new TableQueryOptions
        {
            AllowWhere = !v.Args.Has("_where") || await v.AllowedAsync("execute-sql", database.Name),
            TableConfig = v.App.Config.Table(database.Name, relation.Name),
            Added = await TableData.AddedAsync(v, database, relation),
            IsUnlimited = true,
            MaxReturnedRows = int.MaxValue,
        };
        await TableData.EnsureOthersAsync(v, database, schema, relation);
        var query = TableQuery.Parse(schema, relation, v.Args.Pairs.Where(pair => pair.Key != "_size").ToList(), options);
        var rows = SkipHeader(database.StreamAsync(query.Sql, query.Parameters, TableData.TimeLimit(v), v.Ct), query.Columns.Count);
        return Make(v, database, schema, relation, query.Columns, rows, wantsLabels);
    }

    private static async IAsyncEnumerable<object?[]> SkipHeader(IAsyncEnumerable<object?[]> source, int columns)
    {
        var isHeader = true;
        await foreach (var row in source)
        {
            if (!isHeader)
            {
                yield return row.Length > columns ? row[..columns] : row;
            }
            isHeader = false;
        }
    }

    private static async IAsyncEnumerable<object?[]> AsStream(IReadOnlyList<object?[]> rows)
    {
        foreach (var row in rows)
        {
            yield return row;
        }
        await Task.CompletedTask;
    }

    private static Response Make(
        ViewContext v,
        Database database,
        DatabaseSchema schema,
        RelationSchema relation,
        IReadOnlyList<string> columns,
        IAsyncEnumerable<object?[]> rows,
        Func<string, bool> wantsLabels
    )
    {
        var labelled = LabelExpander
            .Expandable(v, database, schema, relation)
            .Select(column => column.Key.Column)
            .Where(wantsLabels)
            .ToHashSet();
        var header = columns.SelectMany(name => labelled.Contains(name) ? new[] { name, name + "_label" } : [name]).ToList();
        var home = v.Absolute(v.App.UrlOf(database, relation.Name));
        var keyOf = relation.IsView ? null : RowKeys.Of(relation, columns);
        return Finish(v, header, Expand(), v.TableSegment);

        async IAsyncEnumerable<object?[]> Expand()
        {
            var batch = new List<object?[]>(LabelBatch);
            await foreach (var row in rows)
            {
                batch.Add(row);
                if (batch.Count == LabelBatch)
                {
                    foreach (var line in await LinesAsync(batch))
                    {
                        yield return line;
                    }
                    batch.Clear();
                }
            }
            foreach (var line in await LinesAsync(batch))
            {
                yield return line;
            }
        }

        async Task<IReadOnlyList<object?[]>> LinesAsync(List<object?[]> batch)
        {
            var labels =
                labelled.Count == 0
                    ? null
                    : await LabelExpander.LoadAsync(v, database, schema, relation, columns, batch, labelled.Contains);
            return batch.Select(row => Line(row, labels)).ToList();
        }

        // Rows of a view have no address; their bytes are found again by their hash.
        string BlobHref(object?[] row, string column, byte[] blob) =>
            keyOf is not null
                ? $"{home}/{keyOf(row)}.blob?_blob_column={QueryArgs.Escape(column)}"
                : $"{v.Absolute(v.App.UrlOf(database))}/-/query.blob?"
                    + QueryArgs
                        .FromPairs([
                            new("sql", "select * from " + Text.SqlText.Quote(relation.Name)),
                            new("_blob_column", column),
                            new("_blob_hash", Cells.Hash(blob)),
                        ])
                        .Raw;

        object?[] Line(object?[] row, LabelExpander? labels)
        {
            var line = new List<object?>(header.Count);
            for (var i = 0; i < columns.Count; i++)
            {
                line.Add(row[i] is byte[] blob ? BlobHref(row, columns[i], blob) : row[i]);
                if (labelled.Contains(columns[i]))
                {
                    object? label = null;
                    labels?.TryGet(columns[i], row[i], out label, out _);
                    line.Add(label);
                }
            }
            return line.ToArray();
        }
    }

    private static Response Finish(ViewContext v, IReadOnlyList<string> header, IAsyncEnumerable<object?[]> rows, string fileName)
    {
        var limit = (long)v.App.Settings.MaxCsvMb << 20;
        var download = v.Args.Flag("_dl");
        return new CsvResponse(v.Args["_header"] == "off" ? null : header, rows, limit)
        {
            ContentType = download ? "text/csv; charset=utf-8" : Respond.TextType,
        }.With("Content-Disposition", download ? $"attachment; filename=\"{fileName}.csv\"" : null);
    }
}
