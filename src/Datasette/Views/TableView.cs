using Datasette.Databases;
using Datasette.Responses;
using Datasette.Tables;
using Microsoft.AspNetCore.Http;

namespace Datasette.Views;

/// <summary>A table or view: page, JSON or CSV. A stored query of that name is shown when there is neither.</summary>
internal static class TableView
{
    public static async Task<IResult> ShowAsync(ViewContext v)
    {
        var database = v.Database;
        var schema = await database.SchemaAsync(v.Ct);
        var name = v.TableName;
        PageHeaders.NoReferrer(v);
        if (schema.Relation(name) is not { } relation)
        {
            return StoredQueries.Find(v.App, database.Name, name) is { } query
                ? await QueryView.StoredAsync(v, database, query)
                : throw new DatasetteException(404, "Table not found");
        }
        if (v.IsPost)
        {
            return Respond.PlainText("Method not allowed", 405);
        }
        await v.EnsureAllowedAsync("view-table", database.Name, name);
        Formats.Ensure(v, "json", "csv");
        if (FormRedirect.Of(v) is { } location)
        {
            return Respond.RedirectTo(location).With("Link", $"<{location}>; rel=preload");
        }
        if (v.Format == "csv")
        {
            return await TableCsv.ShowAsync(v, database, schema, relation);
        }
        if (v.Format == "json")
        {
            _ = DataShapes.Of(v.Args);
        }
        var data = await TableData.LoadAsync(v, database, schema, relation);
        if (v.Format is not (null or "json"))
        {
            return await Formats.AnswerAsync(v, Formats.Of(v, data));
        }
        var answer = v.Format == "json" ? await TableJson.MakeAsync(v, data) : await TablePageBuilder.MakeAsync(v, data);
        if (data.NextUrl is { } next)
        {
            answer.With("Link", HtmlLinks.Next(next));
        }
        return PageHeaders.Cached(v, answer);
    }
}
