using Datasette.Configuration;
using Datasette.Responses;

namespace Datasette.Views;

/// <summary>Looks stored queries up for a request.</summary>
internal static class StoredQueries
{
    public static StoredQuery? Find(DatasetteApp app, string database, string name) => app.Queries.Find(database, name);

    /// <summary>Those this actor may see, by title or name; with each whether it is private.</summary>
    public static async Task<IReadOnlyList<(StoredQuery Query, bool IsPrivate)>> VisibleAsync(ViewContext v, string? database)
    {
        if (v.App.Queries.IsEmpty)
        {
            return [];
        }
        var allowed = await v.App.Rights.ListAsync("view-query", v.Actor, database, v.Ct);
        var found = new List<(StoredQuery Query, bool IsPrivate)>();
        foreach (var resource in allowed)
        {
            if (v.App.Databases[resource.Parent] is not null && v.App.Queries.Find(resource.Parent, resource.Child!) is { } query)
            {
                found.Add((query, resource.IsPrivate));
            }
        }
        return
        [
            .. found
                .OrderBy(pair => database is null ? pair.Query.Database : "", StringComparer.Ordinal)
                .ThenBy(pair => (pair.Query.Title ?? pair.Query.Name).ToLowerInvariant(), StringComparer.Ordinal)
                .ThenBy(pair => pair.Query.Name, StringComparer.Ordinal),
        ];
    }

    /// <summary>A query as data.</summary>
    public static JsonMap ToJson(this StoredQuery query, bool withSource = true)
    {
        var map = new JsonMap
        {
            { "database", query.Database },
            { "name", query.Name },
            { "sql", query.Sql },
            { "title", query.Title },
            { "description", query.Description },
            { "description_html", query.DescriptionHtml },
            { "hide_sql", query.HideSql },
            { "fragment", query.Fragment },
            { "parameters", query.Parameters.ToList<object?>() },
            { "is_write", query.IsWrite },
            { "is_private", query.IsPrivate },
            { "is_trusted", query.IsTrusted },
        };
        if (withSource)
        {
            map.Add("source", query.Source);
        }
        map.Add("owner_id", query.OwnerId);
        foreach (var key in StoredQuery.WriteOptions)
        {
            map.Add(key, query.Text(key));
        }
        return map;
    }
}
