using Datasette.Responses;
using Microsoft.AspNetCore.Http;

namespace Datasette.Views;

/// <summary>Databases, tables, views and stored queries by a part of their name, best match first; only what the actor may see.</summary>
internal static class JumpView
{
    private const int Most = 100;
    private static readonly string[] Types = ["database", "table", "view", "query"];

    private sealed record Target(string Label, string Name, string Url, string Type);

    public static async Task<IResult> ShowAsync(ViewContext v)
    {
        var text = (v.Args["q"] ?? "").Trim();
        var terms = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var found = (await AllAsync(v))
            .Where(target => HasInOrder(target.Label, terms))
            .OrderBy(target => !target.Name.Equals(text, StringComparison.OrdinalIgnoreCase))
            .ThenBy(target => !target.Name.StartsWith(text, StringComparison.OrdinalIgnoreCase))
            .ThenBy(target => Array.IndexOf(Types, target.Type))
            .ThenBy(target => target.Label.Length)
            .ThenBy(target => target.Label, StringComparer.Ordinal)
            .ToList();
        var matches = found
            .Take(Most)
            .Select(target =>
                (object)
                    new JsonMap
                    {
                        { "name", target.Label },
                        { "url", target.Url },
                        { "type", target.Type },
                        { "description", null },
                    }
            );
        return Respond.Json(
            new JsonMap
            {
                { "ok", true },
                { "matches", matches.ToList() },
                { "truncated", found.Count > Most },
            }
        );
    }

    private static async Task<List<Target>> AllAsync(ViewContext v)
    {
        var all = new List<Target>();
        foreach (var resource in await v.App.Rights.ListAsync("view-database", v.Actor, null, v.Ct))
        {
            if (v.App.Databases[resource.Parent] is { } database)
            {
                all.Add(new(database.Name, database.Name, v.App.UrlOf(database), "database"));
            }
        }
        foreach (var resource in await v.App.Rights.ListAsync("view-table", v.Actor, null, v.Ct))
        {
            if (
                v.App.Databases[resource.Parent] is { } database
                && (await database.SchemaAsync(v.Ct)).Relation(resource.Child!) is { } relation
            )
            {
                var isHidden = relation is Databases.TableSchema { Hidden: true };
                if (!isHidden)
                {
                    all.Add(
                        new(
                            $"{database.Name}: {relation.Name}",
                            relation.Name,
                            v.App.UrlOf(database, relation.Name),
                            relation.IsView ? "view" : "table"
                        )
                    );
                }
            }
        }
        foreach (var resource in await v.App.Rights.ListAsync("view-query", v.Actor, null, v.Ct))
        {
            if (v.App.Databases[resource.Parent] is { } database && StoredQueries.Find(v.App, database.Name, resource.Child!) is { } query)
            {
                all.Add(new($"{database.Name}: {query.Title ?? query.Name}", query.Name, v.App.UrlOf(database, query.Name), "query"));
            }
        }
        return all;
    }

    /// <summary>Whether all terms occur, each behind the one before.</summary>
    private static bool HasInOrder(string label, string[] terms)
    {
        var from = 0;
        foreach (var term in terms)
        {
            var at = label.IndexOf(term, from, StringComparison.OrdinalIgnoreCase);
            if (at < 0)
            {
                return false;
            }
            from = at + term.Length;
        }
        return true;
    }
}
