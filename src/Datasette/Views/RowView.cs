using System.Diagnostics;
using Datasette.Databases;
using Datasette.Pages;
using Datasette.Plugins;
using Datasette.Responses;
using Datasette.Tables;
using Datasette.Text;
using Microsoft.AspNetCore.Http;

namespace Datasette.Views;

/// <summary>One row: page, JSON, CSV, or the bytes of one of its cells.</summary>
internal static class RowView
{
    public static async Task<IResult> ShowAsync(ViewContext v)
    {
        var database = v.Database;
        var schema = await database.SchemaAsync(v.Ct);
        PageHeaders.NoReferrer(v);
        var table = schema.Relation(v.TableName) switch
        {
            TableSchema found => found,
            null => throw new DatasetteException(404, "Table not found"),
            _ => throw new DatasetteException(404, "Rows of a view have no key and no address"),
        };
        await v.EnsureAllowedAsync("view-table", database.Name, table.Name);
        Formats.Ensure(v, "json", "csv", "blob");
        var start = Stopwatch.GetTimestamp();
        var query = RowQuery.Parse(table, v.PksSegment);
        var results = await database.ExecuteAsync(query.Sql, query.Parameters, 1, TableData.TimeLimit(v), v.Ct);
        if (results.Rows.Count == 0)
        {
            throw new DatasetteException(404, "Row not found");
        }
        var data = new RowData(database, schema, table, query, results.Columns, results.Rows[0], Stopwatch.GetElapsedTime(start));
        return v.Format switch
        {
            "blob" => PageHeaders.Cached(v, Blob(v, data)),
            "json" => PageHeaders.Cached(v, await JsonAsync(v, data)),
            "csv" => PageHeaders.Cached(v, TableCsv.Row(v, data)),
            null => PageHeaders.Cached(v, await PageAsync(v, data)),
            _ => await Formats.AnswerAsync(v, Formats.Of(v, data)),
        };
    }

    private static Response Blob(ViewContext v, RowData data)
    {
        var column = v.Args["_blob_column"] ?? throw new DatasetteException(400, "?_blob_column= is required");
        var index = data.Columns.IndexOf(column);
        if (index < 0)
        {
            throw new DatasetteException(400, $"{column} is not a valid column");
        }
        var bytes = Blobs.Bytes(data.Row[index]);
        var hash = v.Args["_blob_hash"];
        if (hash is not null && Cells.Hash(bytes) != hash)
        {
            throw new DatasetteException(400, "Link has expired - the requested binary content has changed or could not be found.");
        }
        var parts = new List<string> { TildeEncoding.CssClass(data.Table.Name) };
        parts.AddRange(data.Query.KeyValues);
        parts.Add(TildeEncoding.CssClass(column));
        if (hash is not null)
        {
            parts.Add(hash[..6]);
        }
        return Blobs.Answer(bytes, string.Join('-', parts));
    }

    private static async Task<Response> JsonAsync(ViewContext v, RowData data)
    {
        var head = new JsonMap { { "database", data.Database.Name }, { "table", data.Table.Name } };
        var tail = new JsonMap
        {
            { "primary_keys", data.Query.KeyColumns },
            { "primary_key_values", data.Query.KeyValues },
            { "query_ms", data.Elapsed.TotalMilliseconds },
            { "truncated", false },
        };
        if (Extras.Asked(v.Args).Count > 0)
        {
            var always = new[] { "database", "table", "primary_keys" };
            await Available(v, data).FillAsync(v, tail, always.Contains);
        }
        var keyOf = data.Table.PrimaryKeys.Count == 0 ? null : RowKeys.Of(data.Table, data.Columns);
        return DataShapes.Render(
            v.Args,
            new(data.Columns, [data.Row])
            {
                Head = head,
                Tail = tail,
                IsTable = true,
                KeyOf = keyOf,
            }
        );
    }

    private static Extras Available(ViewContext v, RowData data)
    {
        var extras = new Extras();
        extras.Add("columns", "Columns of the row", () => data.Columns);
        extras.Add("primary_keys", "Columns of the key", () => data.Query.KeyColumns);
        extras.Add("column_details", "Type and constraints of each column", () => Extras.ColumnDetails(data.Table));
        extras.Add(
            "render_cell",
            "HTML of cells that a plugin renders",
            () => Extras.RenderedCells(v, data.Database.Name, data.Table.Name, data.Columns, [data.Row])
        );
        extras.Add(
            "debug",
            "How the address was understood",
            () =>
                new JsonMap
                {
                    { "url_vars", Extras.UrlVars(v) },
                    {
                        "resolved",
                        new JsonMap
                        {
                            { "table", data.Table.Name },
                            { "sql", data.Query.Sql },
                            { "pks", data.Query.KeyColumns },
                            { "pk_values", data.Query.KeyValues },
                        }
                    },
                }
        );
        extras.Add("request", "The request as the server saw it", () => Extras.RequestJson(v));
        extras.Add(
            "query",
            "The SQL and its parameters",
            () => new JsonMap { { "sql", data.Query.Sql }, { "params", Extras.ParametersJson(data.Query.Parameters) } }
        );
        extras.Add("column_types", "Types given to columns", () => ColumnTypes.ToJson(v, data.Database.Name, data.Table));
        extras.Add(
            "metadata",
            "What the metadata says of the table",
            () => Metadata.Table(v.App, data.Database.Name, data.Table.Name).ToJsonWithColumns()
        );
        extras.Add("database", "Name of the database", () => data.Database.Name);
        extras.Add("table", "Name of the table", () => data.Table.Name);
        extras.Add("database_color", "Colour of the database", () => data.Database.Color);
        extras.Add(
            "private",
            "Whether anonymous visitors do not see it",
            async () => await v.IsPrivateAsync("view-table", data.Database.Name, data.Table.Name)
        );
        extras.Add(
            "foreign_key_tables",
            "Rows of other tables that point here",
            async () =>
                (await IncomingAsync(v, data))
                    .Select(link =>
                        (object)
                            new JsonMap
                            {
                                { "other_table", link.Key.OtherTable },
                                { "column", link.Key.Column },
                                { "other_column", link.Key.OtherColumn },
                                { "count", link.Count },
                                { "link", link.Href },
                            }
                    )
                    .ToList()
        );
        return extras;
    }

    private sealed record Incoming(ForeignKey Key, long Count, string Href);

    /// <summary>What points to this row. Nothing for compound keys, and nothing when counting takes too long.</summary>
    private static async Task<IReadOnlyList<Incoming>> IncomingAsync(ViewContext v, RowData data)
    {
        if (data.Table.PrimaryKeys.Count != 1 || data.Table.ForeignKeysIn.Count == 0)
        {
            return [];
        }
        var value = data.Query.KeyValues[0];
        var keys = new List<ForeignKey>();
        foreach (var key in data.Table.ForeignKeysIn)
        {
            if (await v.AllowedAsync("view-table", data.Database.Name, key.OtherTable))
            {
                keys.Add(key);
            }
        }
        if (keys.Count == 0)
        {
            return [];
        }
        var counts = keys.Select(
            (key, i) => $"(select count(*) from {SqlText.Quote(key.OtherTable)} where {SqlText.Quote(key.OtherColumn)}=:id) as c{i}"
        );
        try
        {
            var results = await database(data)
                .ExecuteAsync($"select {string.Join(", ", counts)}", new Dictionary<string, object?> { ["id"] = value }, 1, null, v.Ct);
            return keys.Select(
                    (key, i) =>
                    {
                        var name = TableFilters.KeyOf(key.OtherColumn);
                        var href = QueryArgs.FromPairs([new(name, value)]).ToPath(v.App.UrlOf(data.Database, key.OtherTable));
                        return new Incoming(key, (long)results.Rows[0][i]!, href);
                    }
                )
                .ToList();
        }
        catch (QueryInterruptedException)
        {
            return [];
        }
        static Database database(RowData data) => data.Database;
    }

    private static async Task<Response> PageAsync(ViewContext v, RowData data)
    {
        var labels = await LabelExpander.LoadAsync(v, data.Database, data.Schema, data.Table, data.Columns, [data.Row], _ => true);
        var incoming = await IncomingAsync(v, data);
        var metadata = Metadata.Table(v.App, data.Database.Name, data.Table.Name);
        var alternate = v.Absolute(v.PathWithFormat("json"));
        var css = $"row db-{TildeEncoding.CssClass(data.Database.Name)} table-{TildeEncoding.CssClass(data.Table.Name)}";
        var title = $"{data.Database.Name}: {data.Table.Name}";
        var subject = new PageSubject(data.Database, data.Table.Name, PrimaryKeys: data.Query.KeyValues);
        v.IsPage("row", subject, data.Columns);
        var layout = await v.App.LayoutAsync(v.Http, title, css, await Crumbs.OfAsync(v, data.Database, data.Table.Name));
        var forms = await EditForms.OfTableAsync(v, data.Database, data.Schema, data.Table, v.PksSegment);
        var isPrivate = await v.IsPrivateAsync("view-table", data.Database.Name, data.Table.Name);
        var model = new RowPageModel(
            (forms?.AddTo(v, layout) ?? layout) with
            {
                AlternateUrl = alternate,
                FooterLinks = metadata.Links(),
                QueryMilliseconds = data.Elapsed.TotalMilliseconds,
            },
            $"{data.Table.Name}: {string.Join(", ", data.Query.KeyValues)}{(isPrivate ? " 🔒" : "")}",
            data.Database.Color,
            new("Row actions", await v.App.Hooks.Pages.RowActionsAsync(v.App, v.Actor, subject, v.Http))
            {
                Buttons = await WriteActions.OfRowAsync(v, data.Database, data.Table, v.PksSegment, data.Columns, data.Row),
            },
            v.PathWithFormat("json"),
            Rows(v, data, labels, metadata),
            incoming
                .Select(link => new RowLinkModel(Phrases.Count(link.Count, "row"), link.Href, link.Key.OtherColumn, link.Key.OtherTable))
                .ToList()
        )
        {
            Formats = Formats.Links(v, Formats.Of(v, data)),
        };
        var template = PageTemplates.Row(data.Database.Name, data.Table.Name, () => PageVariables.Of(data, model, isPrivate, metadata));
        return Respond
            .Html(RowSlice.Create(model), 200, template)
            .With("Link", HtmlLinks.Alternate(alternate))
            .With("Cache-Control", forms is null ? null : EditForms.CacheControl);
    }

    private static RowsModel Rows(ViewContext v, RowData data, LabelExpander labels, Metadata metadata)
    {
        // The key comes first, whatever the order of the table's columns.
        var order = data
            .Columns.Select((name, i) => (Name: name, Index: i))
            .OrderBy(pair => data.Query.KeyColumns.IndexOf(pair.Name) is var at and >= 0 ? at : int.MaxValue)
            .ToList();
        var cells = new Cells(v, data.Database, data.Table.Name) { Columns = data.Columns, Row = data.Row };
        var home = v.App.UrlOf(data.Database, data.Table.Name);
        var key = RowQuery.Segment(data.Query.KeyColumns.Select(name => data.Row[data.Columns.IndexOf(name)]));
        var columns = new List<ColumnModel>();
        var list = new List<CellModel>();
        foreach (var (name, index) in order)
        {
            var info = data.Table.Column(name);
            var isPk = data.Query.KeyColumns.Contains(name);
            columns.Add(
                new(name, Cells.Class(name))
                {
                    HasDetails = true,
                    Type = info is null ? "integer" : info.Type.ToLowerInvariant(),
                    IsNotNull = info?.NotNull == true,
                    IsPk = isPk,
                    Description = metadata.Columns.FirstOrDefault(pair => pair.Key == name) is { Key: not null } described
                        ? described.Value
                        : null,
                }
            );
            var value = data.Row[index];
            list.Add(
                value is not null && labels.TryGet(name, value, out var label, out var foreign)
                    ? cells.Expanded(name, value, label, $"{v.App.UrlOf(data.Database, foreign.OtherTable)}/{RowQuery.Segment([value])}")
                    : cells.Make(name, value, $"{home}/{key}.blob?_blob_column={QueryArgs.Escape(name)}", isPk)
            );
        }
        var labelColumn = RowLabels.ColumnOf(v, data.Database.Name, data.Table) is { } column ? data.Columns.IndexOf(column) : -1;
        var rowLabel = labelColumn >= 0 && data.Row[labelColumn] is not (null or "") ? PageToken.Text(data.Row[labelColumn]) : null;
        return new($"Row of {data.Table.Name}", columns, [new(key, rowLabel, list)]);
    }
}
