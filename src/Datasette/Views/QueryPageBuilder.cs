using System.Globalization;
using Datasette.Configuration;
using Datasette.Databases;
using Datasette.Pages;
using Datasette.Plugins;
using Datasette.Responses;
using Datasette.Text;

namespace Datasette.Views;

/// <summary>The page of SQL by hand or of a stored query.</summary>
internal sealed class QueryPageBuilder(ViewContext v, Database database, StoredQuery? stored, string sql, IReadOnlyList<string> names)
{
    /// <summary>Whether the SQL is hidden now; stored queries may ask for it, visitors may overrule.</summary>
    private bool IsHidden => stored?.HideSql == true ? !v.Args.Flag("_show_sql") : v.Args.Flag("_hide_sql");

    private string ToggleArgument => stored?.HideSql == true ? "_show_sql" : "_hide_sql";

    public async Task<Response> MakeAsync(QueryResults? results, string? error, int? place = null)
    {
        var metadata = Metadata.Database(v.App, database.Name);
        var alternate = v.Absolute(v.PathWithFormat("json"));
        var css =
            $"query db-{TildeEncoding.CssClass(database.Name)}" + (stored is null ? "" : $" query-{TildeEncoding.CssClass(stored.Name)}");
        var title = sql.Length == 0 ? database.Name : $"{database.Name}: {sql}";
        var subject = new PageSubject(database, Query: stored?.Name, Sql: sql);
        v.IsPage("query", subject, results?.Columns);
        var layout = await v.App.LayoutAsync(v.Http, title, css, await Crumbs.OfAsync(v, database));
        var hasRows = results?.Rows.Count > 0;
        var model = new QueryModel
        {
            Layout = layout with { AlternateUrl = alternate, FooterLinks = metadata.Links() },
            Heading = await HeadingAsync(),
            Color = database.Color,
            Actions = new(
                "Query actions",
                [
                    .. await WriteActions.LinksOfQueryAsync(v, database, stored),
                    .. await v.App.Hooks.Pages.QueryActionsAsync(v.App, v.Actor, subject, v.Http),
                ]
            ),
            Description = stored is null ? metadata.Description() : new(stored.DescriptionHtml, stored.Description, []),
            Action = stored is null ? v.App.UrlOf(database) : v.App.UrlOf(database, stored.Name),
            Outcome = Outcome(results),
            Sql = sql.Length > 0 ? sql : await FirstSqlAsync(),
            IsEditable = stored is null,
            IsWrite = stored?.IsWrite == true,
            CanWrite = database.IsMutable,
            IsHidden = IsHidden,
            ToggleHref = ToggleHref(),
            Hidden = Hidden(),
            Parameters = names.Select(name => new ParameterModel(name, v.Args[name] ?? "")).ToList(),
            Error = error,
            Advice = await AdviceAsync(error),
            ParametersHref = stored is null ? v.App.UrlOf(database) + "/-/query/parameters" : null,
            SaveHref = await SaveHrefAsync(error),
            ErrorPlace = PlaceOf(error, place) is { } at && !IsHidden ? Place(at) : null,
            EditHref = await EditHrefAsync(),
            JsonHref = hasRows ? v.PathWithFormat("json") : null,
            Formats = hasRows ? Formats.Links(v, Formats.Of(v, database, stored, sql, results!, null)) : [],
            CsvHref = hasRows ? v.PathWithFormat("csv", "_size=max") : null,
            Note = Note(results),
            Rows = hasRows ? Rows(v, database, results!.Columns, results.Rows) : null,
            Limits = stored?.IsWrite == true ? "Changes this database." : Limits(v),
        };
        var status = error is null ? 200 : 400;
        var template = PageTemplates.Query(
            database.Name,
            stored?.Name,
            () => PageVariables.Of(database, stored?.Name, model, results, metadata)
        );
        return Respond.Html(QuerySlice.Create(model), status, template).With("Link", HtmlLinks.Alternate(alternate));
    }

    public static string Limits(ViewContext v)
    {
        var seconds = (v.App.Settings.SqlTimeLimitMs / 1000.0).ToString("0.###", CultureInfo.InvariantCulture);
        return $"Read-only. Stops after {seconds} s or {Phrases.Number(v.App.Settings.MaxReturnedRows)} rows.";
    }

    /// <summary>A limit says how to go on; a name that does not exist is compared with those that do.</summary>
    private async Task<string?> AdviceAsync(string? error)
    {
        if (error?.StartsWith("SQL query took too long", StringComparison.Ordinal) == true)
        {
            var limit = v.App.Settings.SqlTimeLimitMs;
            return $"It was stopped after {Phrases.Number(limit)} ms. Narrow it, add an index for what it looks up, or have the server started with "
                + $"--setting sql_time_limit_ms {(limit * 5).ToString(CultureInfo.InvariantCulture)}.";
        }
        if (error is null || MissingName(error) is not { } wrong)
        {
            return null;
        }
        var schema = await database.KnownSchemaAsync(v.Ct);
        var names =
            error.StartsWith("no such table", StringComparison.Ordinal)
                ? schema.Tables.Select(table => table.Name).Concat(schema.Views.Select(view => view.Name))
            : error.StartsWith("no such column", StringComparison.Ordinal)
                ? schema.Tables.SelectMany(table => table.ColumnNames).Concat(schema.Views.SelectMany(view => view.ColumnNames)).Distinct()
            : [];
        return NearestName.Of(wrong, names) is { } near ? $"Did you mean {near}?" : null;
    }

    /// <summary>The name that SQLite does not know, without what it was qualified with; null for other errors.</summary>
    private static string? MissingName(string error)
    {
        if (
            !error.StartsWith("no such table: ", StringComparison.Ordinal)
            && !error.StartsWith("no such column: ", StringComparison.Ordinal)
        )
        {
            return null;
        }
        var name = error[(error.IndexOf(':', StringComparison.Ordinal) + 2)..];
        name = name.Split(" - ", 2)[0];
        return name[(name.LastIndexOf('.') + 1)..].Trim('"');
    }

    /// <summary>SQLite gives no place for a table that does not exist: its name is looked for.</summary>
    private int? PlaceOf(string? error, int? known)
    {
        if (known is not null || error is null || MissingName(error) is not { Length: > 0 } name)
        {
            return known;
        }
        var at = sql.IndexOf(name, StringComparison.OrdinalIgnoreCase);
        return at < 0 ? null : at;
    }

    private async Task<string?> SaveHrefAsync(string? error) =>
        stored is null && error is null && sql.Length > 0 && await v.AllowedAsync("store-query", database.Name)
            ? QueryArgs.FromPairs([new("sql", sql)]).ToPath(v.App.UrlOf(database) + "/-/queries/store")
            : null;

    private async Task<string> HeadingAsync()
    {
        if (stored is null)
        {
            return database.Name + (await v.IsPrivateAsync("execute-sql", database.Name) ? " 🔒" : "");
        }
        return (stored.Title ?? $"{database.Name}: {stored.Name}")
            + (await v.IsPrivateAsync("view-query", database.Name, stored.Name) ? " 🔒" : "");
    }

    /// <summary>The SQL before, at and behind the place; the word that begins there is marked.</summary>
    private (string Before, string Marked, string Behind)? Place(int at)
    {
        if (at >= sql.Length)
        {
            return (sql, "", "");
        }
        var end = at;
        while (end < sql.Length && (char.IsLetterOrDigit(sql[end]) || sql[end] is '_' or '$'))
        {
            end++;
        }
        end = Math.Max(end, at + (char.IsHighSurrogate(sql[at]) && at + 1 < sql.Length ? 2 : 1));
        return (sql[..at], sql[at..end], sql[end..]);
    }

    private static string Outcome(QueryResults? results) =>
        results is null || results.Rows.Count == 0
            ? ""
            : "returning " + (results.Truncated ? "more than " : "") + Phrases.Count(results.Rows.Count, "row");

    private static string? Note(QueryResults? results) =>
        results is null
            ? null
            : Phrases.Count(results.Rows.Count, "row")
                + $" in {results.Elapsed.TotalMilliseconds.ToString("0.##", CultureInfo.InvariantCulture)} ms"
                + (results.Truncated ? "; more exist, but max_returned_rows is the limit" : "");

    private async Task<string> FirstSqlAsync()
    {
        var allowed = await v.App.Rights.ListAsync("view-table", v.Actor, database.Name, v.Ct);
        var schema = await database.SchemaAsync(v.Ct);
        var first = allowed.Select(resource => schema.Table(resource.Child!)).FirstOrDefault(table => table is { Hidden: false });
        return first is null ? "select sqlite_version()" : "select * from " + SqlText.Quote(first.Name);
    }

    private string ToggleHref()
    {
        var isSet = v.Args.Flag(ToggleArgument);
        var args = isSet ? v.Args.Without(ToggleArgument) : v.Args.With(ToggleArgument, "1");
        return v.App.UrlPath(args.ToPath(v.Path));
    }

    private List<KeyValuePair<string, string>> Hidden()
    {
        var pairs = new List<KeyValuePair<string, string>>();
        if (v.Args.Flag(ToggleArgument))
        {
            pairs.Add(new(ToggleArgument, "1"));
        }
        if (stored is null && IsHidden)
        {
            pairs.Add(new("sql", sql));
        }
        return pairs;
    }

    private async Task<string?> EditHrefAsync()
    {
        if (
            stored is null
            || stored.IsWrite
            || SqlParameters.Names(sql).Any(MagicParameters.IsMagic)
            || !await v.AllowedAsync("execute-sql", database.Name)
        )
        {
            return null;
        }
        try
        {
            SqlCheck.EnsureSelect(sql);
        }
        catch (DatasetteException)
        {
            return null;
        }
        var pairs = new List<KeyValuePair<string, string>> { new("sql", sql) };
        pairs.AddRange(names.Where(v.Args.Has).Select(name => new KeyValuePair<string, string>(name, v.Args[name]!)));
        return QueryArgs.FromPairs(pairs).ToPath(v.App.UrlOf(database) + "/-/query");
    }

    /// <summary>Rows of SQL by hand.</summary>
    /// <param name="v">The request.</param>
    /// <param name="database">Where they come from.</param>
    /// <param name="names">Their columns.</param>
    /// <param name="found">The rows.</param>
    /// <param name="hasBlobs">Whether the bytes of a cell can be had by running the SQL again.</param>
    public static RowsModel Rows(
        ViewContext v,
        Database database,
        IReadOnlyList<string> names,
        IReadOnlyList<object?[]> found,
        bool hasBlobs = true
    )
    {
        var cells = new Cells(v, database, null)
        {
            HasTypes = false,
            Limit = v.App.Settings.TruncateCellsHtml,
            Columns = names,
        };
        var columns = names
            .Select(
                (name, i) =>
                    new ColumnModel(name, Cells.Class(name))
                    {
                        IsNumeric = found.All(row => row[i] is null or long or double) && found.Any(row => row[i] is not null),
                    }
            )
            .ToList();
        var rows = found
            .Select(row =>
            {
                cells.Row = row;
                var list = row.Select(
                    (value, i) => cells.Make(names[i], value, value is byte[] blob && hasBlobs ? Blobs.QueryHref(v, names[i], blob) : null)
                );
                return new RowModel(null, null, list.ToList());
            })
            .ToList();
        return new("Results", columns, rows);
    }
}
