using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Datasette.Responses;
using Datasette.Text;

namespace Datasette.Views;

/// <summary>Rows and the frame around them, in the shape that was asked for.</summary>
internal sealed record ShapedData(IReadOnlyList<string> Columns, IReadOnlyList<object?[]> Rows)
{
    /// <summary>Keys before the rows.</summary>
    public JsonMap Head { get; init; } = [];

    /// <summary>Keys behind the rows.</summary>
    public JsonMap Tail { get; init; } = [];

    /// <summary>The key of a row for <c>_shape=object</c>; null where there is none.</summary>
    public Func<object?[], string>? KeyOf { get; init; }

    /// <summary>Whether these are rows of a table or view, not of a query.</summary>
    public bool IsTable { get; init; }
}

/// <summary>The arguments <c>_shape</c>, <c>_nl</c>, <c>_json</c>, <c>_json_infinity</c>.</summary>
internal static class DataShapes
{
    private static readonly string[] Known = ["objects", "arrays", "array", "arrayfirst", "object"];

    public static string Of(QueryArgs args)
    {
        var shape = args["_shape"] is { Length: > 0 } given ? given : "objects";
        return Known.Contains(shape) ? shape : throw new DatasetteException(400, $"Invalid _shape: {shape}");
    }

    /// <summary>Bare lists and keyed objects have no room for counts and facets.</summary>
    public static bool HasNoFrame(QueryArgs args) => Of(args) is "array" or "object" or "arrayfirst";

    public static Response Render(QueryArgs args, ShapedData data, int status = 200)
    {
        var shape = Of(args);
        var infinity = BooleanArg(args, "_json_infinity");
        var rows = ParseJsonColumns(args, data);
        switch (shape)
        {
            case "array" when args.Flag("_nl"):
                return Lines(data.Columns, rows, infinity, status);
            case "array":
                return Respond.Json(new JsonRows(data.Columns, rows), status, infinity);
            case "arrayfirst":
                return Respond.Json(rows.Select(row => row.Length > 0 ? row[0] : null).ToList(), status, infinity);
            case "object":
                return Respond.Json(Keyed(data, rows), status, infinity);
            default:
                var body = new JsonMap { { "ok", true } };
                Add(body, data.Head);
                body.Add("rows", new JsonRows(data.Columns, rows, AsLists: shape == "arrays"));
                Add(body, data.Tail);
                return Respond.Json(body, status, infinity);
        }
    }

    private static void Add(JsonMap body, JsonMap more)
    {
        foreach (var (key, value) in more)
        {
            body.Add(key, value);
        }
    }

    /// <summary>On, off or not there; anything else is an error.</summary>
    public static bool BooleanArg(QueryArgs args, string name) =>
        args[name] is not { } text ? false : ParseBoolean(text) ?? throw new DatasetteException(400, $"Invalid {name}: {text}");

    public static bool? ParseBoolean(string text) =>
        text.ToLowerInvariant() switch
        {
            "on" or "true" or "1" => true,
            "off" or "false" or "0" => false,
            _ => null,
        };

    private static JsonMap Keyed(ShapedData data, IReadOnlyList<object?[]> rows)
    {
        if (!data.IsTable)
        {
            throw new DatasetteException(400, "_shape=object is only available on tables");
        }
        if (data.KeyOf is not { } keyOf)
        {
            throw new DatasetteException(400, "_shape=object not available for tables with no primary keys");
        }
        var map = new JsonMap();
        for (var i = 0; i < rows.Count; i++)
        {
            map.Add(keyOf(data.Rows[i]), new JsonRow(data.Columns, rows[i]));
        }
        return map;
    }

    private static Response Lines(IReadOnlyList<string> columns, IReadOnlyList<object?[]> rows, bool infinity, int status)
    {
        var text = new StringBuilder();
        foreach (var row in rows)
        {
            text.Append(text.Length > 0 ? "\n" : "")
                .Append(Encoding.UTF8.GetString(JsonBody.ToBytes(new JsonRow(columns, row), infinity).Span));
        }
        return Respond.Bytes(Encoding.UTF8.GetBytes(text.ToString()), "text/plain", status);
    }

    private static IReadOnlyList<object?[]> ParseJsonColumns(QueryArgs args, ShapedData data)
    {
        var wanted = args.All("_json").ToHashSet();
        if (wanted.Count == 0)
        {
            return data.Rows;
        }
        return data
            .Rows.Select(row => row.Select((value, i) => wanted.Contains(data.Columns[i]) ? Parse(value) : value).ToArray())
            .ToList();
    }

    private static object? Parse(object? value)
    {
        if (value is not string text)
        {
            return value;
        }
        try
        {
            return ForeignJson.Parse(text);
        }
        catch (JsonException)
        {
            return value;
        }
    }
}
