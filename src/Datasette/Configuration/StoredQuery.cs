using System.Text.Json.Nodes;

namespace Datasette.Configuration;

/// <summary>One stored query, of the configuration or of a user. Immutable.</summary>
internal sealed record StoredQuery
{
    /// <summary>Options that are kept as they are; those a writing query has come last.</summary>
    public static readonly IReadOnlyList<string> WriteOptions =
    [
        "on_success_message",
        "on_success_message_sql",
        "on_success_redirect",
        "on_error_message",
        "on_error_redirect",
    ];

    public required string Database { get; init; }

    public required string Name { get; init; }

    public required string Sql { get; init; }

    public string? Title { get; init; }

    public string? Description { get; init; }

    public string? DescriptionHtml { get; init; }

    /// <summary>The remaining options: <c>hide_sql</c>, <c>fragment</c> and those of <see cref="WriteOptions"/>.</summary>
    public JsonObject Options { get; init; } = [];

    public string? Fragment => Text("fragment");

    public bool HideSql => IsTrue(Options["hide_sql"]);

    public bool IsWrite { get; init; }

    /// <summary>Seen by its owner only.</summary>
    public bool IsPrivate { get; init; }

    /// <summary>Runs for everyone who may see it, without a look at what it does.</summary>
    public bool IsTrusted { get; init; }

    /// <summary><c>config</c>, <c>user</c> or <c>plugin</c>.</summary>
    public string Source { get; init; } = "user";

    public string? OwnerId { get; init; }

    /// <summary>Parameter names in the order of the definition; empty: those of the SQL.</summary>
    public IReadOnlyList<string> Parameters { get; init; } = [];

    /// <summary>The text of an option; null when it is not set.</summary>
    public string? Text(string option) => Options[option] is JsonValue value ? value.ToString() : null;

    /// <summary>A query as it stands in the configuration: a text, or a block with <c>sql</c>. Null for anything else.</summary>
    public static StoredQuery? OfConfig(string database, string name, JsonNode? node)
    {
        var block = node switch
        {
            JsonValue text => new JsonObject { ["sql"] = text.ToString() },
            JsonObject given => given,
            _ => null,
        };
        if (block?["sql"] is not JsonValue sql)
        {
            return null;
        }
        string? Get(string key) => block[key] is JsonValue value ? value.ToString() : null;
        var options = new JsonObject();
        foreach (var key in (IEnumerable<string>)["hide_sql", "fragment", .. WriteOptions])
        {
            if (block[key] is JsonValue value)
            {
                options[key] = value.DeepClone();
            }
        }
        return new()
        {
            Database = database,
            Name = name,
            Sql = sql.ToString(),
            Title = Get("title"),
            Description = Get("description"),
            DescriptionHtml = Get("description_html"),
            Options = options,
            IsWrite = IsTrue(block["write"]),
            IsTrusted = block["is_trusted"] is not JsonValue trusted || IsTrue(trusted),
            Source = "config",
            Parameters = (block["params"] as JsonArray)?.Select(item => item?.ToString() ?? "").ToList() ?? [],
        };
    }

    /// <summary>True, 1 or the word for it: YAML, JSON and <c>-s</c> all lead here.</summary>
    private static bool IsTrue(JsonNode? node) => node is JsonValue value && value.ToString() is "true" or "True" or "1";
}
