using System.Text.Json;
using System.Text.Json.Nodes;
using Datasette.Configuration;
using Datasette.Responses;
using Datasette.Text;
using Microsoft.AspNetCore.Http;

namespace Datasette.Views;

/// <summary>Gives a column a type, or takes it away.</summary>
internal static class SetColumnTypeView
{
    public static Task<IResult> PostAsync(ViewContext v) => WriteViews.AsJsonAsync(() => SetTypeAsync(v));

    /// <summary>The type is kept by the host, so that a database nobody may change can have types, too.</summary>
    private static async Task<IResult> SetTypeAsync(ViewContext v)
    {
        var (database, table) = await WriteViews.TableAsync(v);
        await WriteViews.EnsureAsync(v, "set-column-type", database, table, "Permission denied");
        using var body = await RequestBody.ReadJsonAsync(v);
        var (column, type) = Parse(body.RootElement);
        if (
            ColumnTypes.Problem(database.Name, table, table.Name, column, type?.Type ?? ColumnTypes.Known[0]) is { } problem
            && (type is not null || table.Column(column) is null)
        )
        {
            throw new DatasetteException(400, problem);
        }
        await v.App.ColumnTypes.SetAsync(database.Name, table.Name, column, type, v.Ct);
        return Respond.Json(
            new JsonMap
            {
                { "ok", true },
                { "database", database.Name },
                { "table", table.Name },
                { "column", column },
                { "column_type", type is null ? null : ColumnTypes.TypeJson(type) },
            }
        );
    }

    private static (string Column, ColumnType? Type) Parse(JsonElement body)
    {
        if (body.ValueKind != JsonValueKind.Object)
        {
            throw new DatasetteException(400, "JSON must be a dictionary");
        }
        var unknown = body.EnumerateObject().Select(p => p.Name).Where(name => name is not ("column" or "column_type")).ToList();
        if (unknown.Count > 0)
        {
            throw new DatasetteException(400, "Invalid keys: " + string.Join(", ", unknown.Order(StringComparer.Ordinal)));
        }
        if (
            !body.TryGetProperty("column", out var column)
            || column.ValueKind != JsonValueKind.String
            || column.GetString() is not { Length: > 0 } name
        )
        {
            throw new DatasetteException(400, "\"column\" is required");
        }
        if (!body.TryGetProperty("column_type", out var given))
        {
            throw new DatasetteException(400, "\"column_type\" is required");
        }
        if (given.ValueKind == JsonValueKind.Null)
        {
            return (name, null);
        }
        if (
            given.ValueKind != JsonValueKind.Object
            || !given.TryGetProperty("type", out var type)
            || type.ValueKind != JsonValueKind.String
        )
        {
            throw new DatasetteException(400, "\"column_type\" must be null or a dictionary with \"type\"");
        }
        var config = given.TryGetProperty("config", out var more) ? ForeignJson.Of(more) : null;
        return (name, new(type.GetString()!, config));
    }
}
