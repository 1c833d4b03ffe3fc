using Datasette.Responses;
using Microsoft.AspNetCore.Http;

namespace Datasette.Views;

/// <summary>Databases, tables, views and stored queries by a part of their name, best match first; only what the actor may see.</summary>
internal static class JumpView
{
    private const int Most = 100;
    private static readonly string[] Types = ["database", "table", "view", "query", "menu", "debug"];

    /// <summary>Pages for those who look after the instance.</summary>
    private static readonly (string Name, string Path, string Description)[] Tools =
    [
        ("Databases", "/-/databases", "The databases of this instance."),
        ("Installed plugins", "/-/plugins", "Plugins with their versions and hooks."),
        ("Version info", "/-/versions", "Versions of the host, of SQLite and of what it was built with."),
        ("Settings", "/-/settings", "The settings in force."),
        ("Debug permissions", "/-/permissions", "Recent permission checks, and a form to ask for any actor."),
        ("Debug messages", "/-/messages", "Messages that are shown once."),
        ("Debug allow rules", "/-/allow-debug", "How an allow block matches an actor."),
        ("Debug threads", "/-/threads", "Threads and tasks of the process."),
        ("Debug actor", "/-/actor", "Who you are signed in as."),
        ("Debug autocomplete", "/-/debug/autocomplete", "Completion of rows by their label."),
        ("Pattern portfolio", "/-/patterns", "The parts that pages are made of."),
    ];

    private sealed record Target(string Label, string Name, string Url, string Type, string? Description = null)
    {
        /// <summary>What it is found by as well.</summary>
        public string SearchText { get; init; } = "";
    }

    public static async Task<IResult> ShowAsync(ViewContext v)
    {
        var text = (v.Args["q"] ?? "").Trim();
        var terms = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var found = (await AllAsync(v))
            .Where(target => HasInOrder(target.Label, terms) || HasInOrder(target.SearchText, terms))
            .OrderBy(target => !target.Name.Equals(text, StringComparison.OrdinalIgnoreCase))
            .ThenBy(target => !target.Name.StartsWith(text, StringComparison.OrdinalIgnoreCase))
            .ThenBy(target => Array.IndexOf(Types, target.Type) is var at and >= 0 ? at : Types.Length)
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
                        { "description", target.Description },
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
                && (await database.KnownSchemaAsync(v.Ct)).Relation(resource.Child!) is { } relation
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
        var links = await v.App.Hooks.Pages.MenuLinksAsync(v.App, v.Actor, v.Http);
        all.AddRange(links.Select(link => new Target(link.Label, link.Label, link.Href, "menu", link.Description)));
        foreach (var item in await v.App.Hooks.Pages.JumpItemsAsync(v.App, v.Actor, v.Args["q"] ?? "", v.Http))
        {
            all.Add(new(item.Label, item.Label, item.Url, item.Type, item.Description) { SearchText = item.SearchText ?? "" });
        }
        if (await v.AllowedAsync("debug-menu"))
        {
            all.AddRange(
                Tools.Select(tool => new Target(tool.Name, tool.Name, v.App.UrlPath(tool.Path), "debug", tool.Description)
                {
                    SearchText = tool.Name + " debug",
                })
            );
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
