using System.Text.Json.Nodes;
using Datasette.Responses;

namespace Datasette.Views;

/// <summary>One stored query of the configuration.</summary>
internal sealed record StoredQuery
{
    public required string Database { get; init; }

    public required string Name { get; init; }

    public required string Sql { get; init; }

    public required JsonObject Options { get; init; }

    public string? Title => TextOf("title");

    public string? Description => TextOf("description");

    public string? DescriptionHtml => TextOf("description_html");

    public string? Fragment => TextOf("fragment");

    public bool HideSql => Flag("hide_sql");

    public bool IsWrite => Flag("write");

    /// <summary>Parameter names in the order of the configuration; empty: those of the SQL.</summary>
    public IReadOnlyList<string> Parameters => (Options["params"] as JsonArray)?.Select(node => node?.ToString() ?? "").ToList() ?? [];

    public JsonMap ToJson(bool withSource = true)
    {
        var map = new JsonMap
        {
            { "database", Database },
            { "name", Name },
            { "sql", Sql },
            { "title", Title },
            { "description", Description },
            { "description_html", DescriptionHtml },
            { "hide_sql", HideSql },
            { "fragment", Fragment },
            { "parameters", Parameters.ToList<object?>() },
            { "is_write", IsWrite },
            { "is_private", false },
            { "is_trusted", Options["is_trusted"] is not JsonValue trusted || trusted.ToString() != "false" },
        };
        if (withSource)
        {
            map.Add("source", "config");
        }
        map.Add("owner_id", null);
        foreach (
            var key in new[]
            {
                "on_success_message",
                "on_success_message_sql",
                "on_success_redirect",
                "on_error_message",
                "on_error_redirect",
            }
        )
        {
            map.Add(key, TextOf(key));
        }
        return map;
    }

    private string? TextOf(string key) => Options[key] is JsonValue value ? value.ToString() : null;

    private bool Flag(string key) => Options[key] is JsonValue value && value.ToString() is "true" or "1";
}

/// <summary>The stored queries of the configuration.</summary>
internal static class StoredQueries
{
    public static StoredQuery? Find(DatasetteApp app, string database, string name) => Make(database, name, Block(app, database)?[name]);

    /// <summary>Those this actor may see, by title or name; with each whether it is private.</summary>
    public static async Task<IReadOnlyList<(StoredQuery Query, bool IsPrivate)>> VisibleAsync(ViewContext v, string database)
    {
        if (Block(v.App, database) is not { Count: > 0 } block)
        {
            return [];
        }
        var allowed = await v.App.Rights.ListAsync("view-query", v.Actor, database, v.Ct);
        var result = new List<(StoredQuery, bool)>();
        foreach (var resource in allowed)
        {
            if (Make(database, resource.Child!, block[resource.Child!]) is { } query)
            {
                result.Add((query, resource.IsPrivate));
            }
        }
        return
        [
            .. result
                .OrderBy(pair => (pair.Item1.Title ?? pair.Item1.Name).ToLowerInvariant(), StringComparer.Ordinal)
                .ThenBy(pair => pair.Item1.Name, StringComparer.Ordinal),
        ];
    }

    private static JsonObject? Block(DatasetteApp app, string database) =>
        app.Config.Root["databases"]?[database]?["queries"] as JsonObject;

    private static StoredQuery? Make(string database, string name, JsonNode? node) =>
        node switch
        {
            JsonValue text => new()
            {
                Database = database,
                Name = name,
                Sql = text.ToString(),
                Options = [],
            },
            JsonObject options when options["sql"] is JsonValue sql => new()
            {
                Database = database,
                Name = name,
                Sql = sql.ToString(),
                Options = options,
            },
            _ => null,
        };
}
