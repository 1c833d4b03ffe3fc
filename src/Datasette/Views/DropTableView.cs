using System.Text.Json;
using Datasette.Databases;
using Datasette.Plugins;
using Datasette.Responses;
using Datasette.Text;
using Microsoft.AspNetCore.Http;

namespace Datasette.Views;

/// <summary>Drops a table, after it was told twice.</summary>
internal static class DropTableView
{
    public static Task<IResult> PostAsync(ViewContext v) => WriteViews.AsJsonAsync(() => DropAsync(v));

    private static async Task<IResult> DropAsync(ViewContext v)
    {
        var (database, table) = await WriteViews.TableAsync(v);
        await WriteViews.EnsureAsync(v, "drop-table", database, table, "Permission denied");
        WriteViews.EnsureMutable(database);
        if (!await IsConfirmedAsync(v))
        {
            var count = await database.CountAsync("from " + SqlText.Quote(table.Name), null, null, database.TimeLimit, v.Ct);
            return Respond.Json(
                new JsonMap
                {
                    { "ok", true },
                    { "database", database.Name },
                    { "table", table.Name },
                    { "row_count", count },
                    { "message", "Pass \"confirm\": true to confirm" },
                }
            );
        }
        await DurableWrites.WriteAsync(
            v,
            database,
            connection => SqlStatement.Execute(connection, "drop table " + SqlText.Quote(table.Name)),
            WriteTurn.Alone
        );
        v.App.AddMessage(v.Http, $"Table \"{table.Name}\" has been dropped");
        await v.App.Hooks.TrackEventAsync(v.App, new DatasetteEvent("drop-table", v.Actor, database.Name, table.Name), v.Ct);
        return Respond.Json(new JsonMap { { "ok", true } });
    }

    /// <summary>Anything but a clear yes is a no; so is a body that is no JSON.</summary>
    private static async Task<bool> IsConfirmedAsync(ViewContext v)
    {
        try
        {
            using var body = ForeignJson.ParseDocument(await RequestBody.ReadAsync(v));
            return body.RootElement.ValueKind == JsonValueKind.Object
                && body.RootElement.TryGetProperty("confirm", out var confirm)
                && InsertRequest.IsTrue(confirm);
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
