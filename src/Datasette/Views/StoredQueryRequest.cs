using System.Text.Json;
using System.Text.Json.Nodes;
using Datasette.Configuration;
using Datasette.Responses;
using Datasette.Text;

namespace Datasette.Views;

/// <summary>What a user sends to store or change a query, checked. Pure.</summary>
internal static class StoredQueryRequest
{
    private static readonly string[] Keys =
    [
        "sql",
        "title",
        "description",
        "hide_sql",
        "fragment",
        "parameters",
        "is_private",
        .. StoredQuery.WriteOptions,
    ];

    /// <summary>A new query of a user; private unless said otherwise.</summary>
    /// <exception cref="DatasetteException">400: the first thing that is wrong.</exception>
    public static StoredQuery New(JsonObject given, string database, string? owner)
    {
        CheckKeys(given, [.. Keys, "name"]);
        var name = Text(given, "name")?.Trim() ?? "";
        if (name.Length == 0)
        {
            throw new DatasetteException(400, "Query name is required");
        }
        if (name.AsSpan().IndexOfAny("/.\n\r\0") >= 0)
        {
            throw new DatasetteException(400, "Invalid query name");
        }
        var query = new StoredQuery
        {
            Database = database,
            Name = name,
            Sql = "",
            IsPrivate = true,
            Source = "user",
            OwnerId = owner,
        };
        return Apply(query, given);
    }

    /// <summary>A query with some of its fields changed.</summary>
    /// <exception cref="DatasetteException">400: the first thing that is wrong.</exception>
    public static StoredQuery Changed(StoredQuery query, JsonObject update)
    {
        CheckKeys(update, Keys);
        return Apply(query, update);
    }

    /// <summary>The fields of a form as the JSON that says the same.</summary>
    public static JsonObject OfForm(QueryArgs form, bool isNew)
    {
        var given = new JsonObject();
        foreach (var key in Keys.Where(form.Has).Where(key => key is not ("hide_sql" or "is_private" or "parameters")))
        {
            given[key] = form[key];
        }
        given["hide_sql"] = form.Flag("hide_sql");
        given["is_private"] = form.Flag("is_private");
        if (isNew)
        {
            given["name"] = form["name"];
        }
        return given;
    }

    /// <summary>Named parameters must be those of the SQL, and none that the host fills in.</summary>
    /// <exception cref="DatasetteException">400.</exception>
    public static void CheckParameters(StoredQuery query)
    {
        var names = SqlParameters.Names(query.Sql);
        if (names.Any(MagicParameters.IsMagic))
        {
            throw new DatasetteException(400, "Magic parameters are not allowed");
        }
        if (!query.Parameters.ToHashSet().SetEquals(names))
        {
            throw new DatasetteException(400, "parameters must match SQL named parameters");
        }
    }

    private static StoredQuery Apply(StoredQuery query, JsonObject given)
    {
        var sql = given.ContainsKey("sql") ? Text(given, "sql") ?? "" : query.Sql;
        if (string.IsNullOrWhiteSpace(sql))
        {
            throw new DatasetteException(400, "SQL is required");
        }
        var options = (JsonObject)query.Options.DeepClone();
        foreach (var key in (IEnumerable<string>)["hide_sql", "fragment", .. StoredQuery.WriteOptions])
        {
            if (given.TryGetPropertyValue(key, out var value))
            {
                options[key] = value is JsonValue known && known.ToString().Length > 0 ? known.DeepClone() : null;
            }
        }
        return query with
        {
            Sql = sql,
            Title = given.ContainsKey("title") ? Text(given, "title") : query.Title,
            Description = given.ContainsKey("description") ? Text(given, "description") : query.Description,
            Options = options,
            IsPrivate = given["is_private"] is JsonValue flag ? flag.ToString() is "true" or "1" : query.IsPrivate,
            Parameters =
                given["parameters"] is JsonArray list ? list.Select(item => item?.ToString() ?? "").ToList()
                : sql != query.Sql ? SqlParameters.Names(sql)
                : query.Parameters,
        };
    }

    private static void CheckKeys(JsonObject given, string[] known)
    {
        var unknown = given.Select(pair => pair.Key).Where(key => !known.Contains(key)).Order(StringComparer.Ordinal).ToList();
        if (unknown.Count > 0)
        {
            throw new DatasetteException(400, "Invalid keys: " + string.Join(", ", unknown));
        }
    }

    private static string? Text(JsonObject given, string key) =>
        given[key] switch
        {
            null => null,
            JsonValue value when value.GetValueKind() == JsonValueKind.String => value.ToString() is { Length: > 0 } text ? text : null,
            _ => throw new DatasetteException(400, $"{key} must be a string"),
        };
}
