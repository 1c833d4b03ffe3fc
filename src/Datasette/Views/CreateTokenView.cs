using System.Globalization;
using System.Text.Json.Nodes;
using Datasette.Databases;
using Datasette.Defaults;
using Datasette.Pages;
using Datasette.Permissions;
using Datasette.Plugins;
using Datasette.Responses;
using Datasette.Text;
using Microsoft.AspNetCore.Http;

namespace Datasette.Views;

/// <summary>A page on which a signed-in person makes a token for programs, limited in time and in what it may do.</summary>
internal static class CreateTokenView
{
    public static async Task<IResult> ShowAsync(ViewContext v)
    {
        Check(v);
        return v.IsPost ? await MakeAsync(v) : await PageAsync(v, null, []);
    }

    private static void Check(ViewContext v)
    {
        if (!v.App.Settings.AllowSignedTokens)
        {
            throw new DatasetteException(403, "Signed tokens are not enabled for this Datasette instance");
        }
        if (v.Actor is null)
        {
            throw new DatasetteException(403, "You must be logged in to create a token");
        }
        if (v.Actor.Id is null)
        {
            throw new DatasetteException(403, "You must be logged in as an actor with an ID to create a token");
        }
        if (v.Actor.IsToken)
        {
            throw new DatasetteException(403, "Token authentication cannot be used to create additional tokens");
        }
    }

    private static async Task<IResult> MakeAsync(ViewContext v)
    {
        var form = await RequestBody.ReadFormAsync(v);
        var errors = new List<string>();
        var lifetime = Lifetime(form, errors);
        if (errors.Count > 0)
        {
            return await PageAsync(v, null, errors);
        }
        var restrictions = Restrictions(v, form);
        var issued = v.App.Time.GetUtcNow().ToUnixTimeSeconds();
        var made = SignedTokens.Make(v.App.Sign, v.Actor!.Id!, issued, lifetime, restrictions);
        await v.App.Hooks.TrackEventAsync(v.App, new DatasetteEvent("create-token", v.Actor), v.Ct);
        return await PageAsync(v, made, []);
    }

    /// <summary>Seconds until the token expires; null never.</summary>
    private static long? Lifetime(QueryArgs form, List<string> errors)
    {
        var unit = form["expire_type"] switch
        {
            null or "" => 0,
            "minutes" => 60L,
            "hours" => 3600L,
            "days" => 86400L,
            _ => -1L,
        };
        if (unit == 0)
        {
            return null;
        }
        if (unit < 0)
        {
            errors.Add("Invalid expire duration unit");
            return null;
        }
        if (int.TryParse(form["expire_duration"], NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count > 0)
        {
            return count * unit;
        }
        errors.Add("Invalid expire duration");
        return null;
    }

    private static JsonObject? Restrictions(ViewContext v, QueryArgs form)
    {
        var limits = new JsonObject();
        foreach (var key in form.Pairs.Where(pair => pair.Value.Length > 0).Select(pair => pair.Key).Distinct())
        {
            var parts = key.Split(':');
            switch (parts)
            {
                case ["all", var action]:
                    List(limits, "a").Add((JsonNode)Short(v, action));
                    break;
                case ["database", var database, var action]:
                    List(Map(limits, "d"), TildeEncoding.Decode(database)).Add((JsonNode)Short(v, action));
                    break;
                case ["resource", var database, var resource, var action]:
                    List(Map(Map(limits, "r"), TildeEncoding.Decode(database)), TildeEncoding.Decode(resource))
                        .Add((JsonNode)Short(v, action));
                    break;
            }
        }
        return limits.Count == 0 ? null : limits;
    }

    private static JsonArray List(JsonObject parent, string key)
    {
        parent[key] ??= new JsonArray();
        return parent[key]!.AsArray();
    }

    private static JsonObject Map(JsonObject parent, string key)
    {
        parent[key] ??= new JsonObject();
        return parent[key]!.AsObject();
    }

    private static string Short(ViewContext v, string action) =>
        v.App.Actions.TryGetValue(action, out var known) ? known.Abbreviation ?? action : action;

    private static async Task<IResult> PageAsync(ViewContext v, (string Token, JsonObject Payload)? made, IReadOnlyList<string> errors)
    {
        var layout = await v.App.LayoutAsync(v.Http, "Create an API token", "create-token");
        var page = new ToolModel(layout, "Create an API token")
        {
            Intro =
            [
                "This token will allow API access with the same abilities as your current user, unless you tick what it is to be limited to.",
            ],
            Errors = errors,
            SecretHeading = made is null ? null : "Your API token",
            Secret = made?.Token,
            SecretUse = made is null
                ? null
                : $"curl -H 'Authorization: Bearer {made.Value.Token}' {v.Absolute(v.App.UrlPath("/-/actor.json"))}",
            Output = made is { } token ? JsonBody.ToText(token.Payload, indent: 2) : null,
            FormsHeading = made is null ? null : "Create another token",
            Forms = [new("post", v.App.UrlPath("/-/create-token"), "Create token", await GroupsAsync(v))],
        };
        return Respond.Html(ToolPage.Create(page), 200);
    }

    private static async Task<List<ToolGroup>> GroupsAsync(ViewContext v)
    {
        var actions = v.App.Actions.Values.ToList();
        var inDatabase = actions.Where(action => action.Kind != ResourceKind.Global).ToList();
        var inResource = actions.Where(action => action.Kind is ResourceKind.Table or ResourceKind.Query).ToList();
        var groups = new List<ToolGroup>
        {
            new(
                null,
                [
                    new("expire_type", "select", "Expiry")
                    {
                        Options =
                        [
                            new("", "Token never expires"),
                            new("minutes", "Expires after X minutes"),
                            new("hours", "Expires after X hours"),
                            new("days", "Expires after X days"),
                        ],
                    },
                    new("expire_duration", "text", "X, if it expires: how many minutes, hours or days"),
                ]
            ),
            new("All databases and tables", Boxes(actions, "all:")),
        };
        var tables = new List<ToolGroup>();
        foreach (var resource in await v.App.Rights.ListAsync("view-database", v.Actor, null, v.Ct))
        {
            if (v.App.Databases[resource.Parent] is { IsMemory: false } database)
            {
                groups.Add(new($"All tables in \"{database.Name}\"", Boxes(inDatabase, $"database:{database.Route}:")));
                tables.AddRange(await TableGroupsAsync(v, database, inResource));
            }
        }
        groups.Add(new("Specific tables", []));
        return [.. groups, .. tables];
    }

    private static async Task<IEnumerable<ToolGroup>> TableGroupsAsync(ViewContext v, Database database, List<PermissionAction> actions) =>
        (await v.App.Rights.ListAsync("view-table", v.Actor, database.Name, v.Ct)).Select(table => new ToolGroup(
            $"{database.Name}: {table.Child}",
            Boxes(actions, $"resource:{database.Route}:{TildeEncoding.Encode(table.Child!)}:"),
            Level: 3
        ));

    private static List<ToolField> Boxes(IEnumerable<PermissionAction> actions, string prefix) =>
        actions.Select(action => new ToolField(prefix + action.Name, "checkbox", action.Name)).ToList();
}
