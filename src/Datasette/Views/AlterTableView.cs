using Datasette.Databases;
using Datasette.Plugins;
using Datasette.Responses;
using Datasette.Text;
using Microsoft.AspNetCore.Http;

namespace Datasette.Views;

/// <summary>Changes what a table is made of.</summary>
internal static class AlterTableView
{
    public static Task<IResult> PostAsync(ViewContext v) => WriteViews.AsJsonAsync(() => AlterAsync(v));

    private static async Task<IResult> AlterAsync(ViewContext v)
    {
        var database = v.Database;
        var relation = (await database.SchemaAsync(v.Ct)).Relation(v.TableName) ?? throw new DatasetteException(404, "Table not found");
        if (!await v.AllowedAsync("alter-table", database.Name, relation.Name))
        {
            throw new DatasetteException(403, "Permission denied");
        }
        WriteViews.EnsureMutable(database);
        if (relation.IsView)
        {
            throw new DatasetteException(400, $"{relation.Name} is a view; only tables can be altered");
        }
        using var body = await RequestBody.ReadJsonAsync(v);
        var operations = AlterRequest.Parse(body.RootElement);
        var (name, schema, before) = await DurableWrites.WriteAsync(
            v,
            database,
            connection => TableAlteration.Run(connection, relation.Name, operations),
            WriteTurn.Bare
        );
        await TrackAsync(v, database, relation.Name, name, operations);
        var path = v.App.UrlOf(database, name);
        return Respond.Json(
            new JsonMap
            {
                { "ok", true },
                { "database", database.Name },
                { "table", name },
                { "table_url", v.Absolute(path) },
                { "table_api_url", v.Absolute(path + ".json") },
                { "altered", schema != before },
                { "schema", schema },
                { "before_schema", before },
                { "operations_applied", operations.Count },
            }
        );
    }

    private static async Task TrackAsync(
        ViewContext v,
        Database database,
        string old,
        string name,
        IReadOnlyList<TableOperation> operations
    )
    {
        if (operations.Any(o => o is not RenameTable))
        {
            await v.App.Hooks.TrackEventAsync(v.App, new DatasetteEvent("alter-table", v.Actor, database.Name, name), v.Ct);
        }
        if (name != old)
        {
            await v.App.Hooks.TrackEventAsync(v.App, new DatasetteEvent("rename-table", v.Actor, database.Name, name), v.Ct);
        }
    }
}
