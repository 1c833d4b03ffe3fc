using System.CommandLine;
using System.Text.Json.Nodes;
using Datasette.Defaults;
using Datasette.Responses;
using Datasette.Text;

namespace Datasette.Cli;

/// <summary><c>datasette create-token</c>: a signed API token for an actor, on wish with limits.</summary>
internal static class CreateTokenCommand
{
    public static Command Create()
    {
        var id = new Argument<string>("id") { Description = "The id of the actor" };
        var secret = new Option<string?>("--secret") { Description = "The secret of the server (or DATASETTE_SECRET)" };
        var expires = new Option<long?>("--expires-after", "-e")
        {
            Description = "Seconds until it expires",
            CustomParser = given => Numbers.Whole(given, "'-e' / '--expires-after'", 1, int.MaxValue),
        };
        var all = new Option<string[]>("--all", "-a") { Description = "ACTION allowed everywhere; repeatable" };
        var database = new Option<string[]>("--database", "-d") { Description = "DATABASE ACTION; repeatable" };
        var resource = new Option<string[]>("--resource", "-r") { Description = "DATABASE RESOURCE ACTION; repeatable" };
        var debug = new Option<bool>("--debug") { Description = "Print what is in the token, too" };
        var folder = new Option<string?>("--plugins-dir") { Description = "Accepted: names of plugins' actions are kept as they are" };
        var command = new Command("create-token", "Make an API token") { id, secret, expires, all, database, resource, debug, folder };
        command.SetAction(parsed =>
        {
            var given = parsed.GetValue(secret);
            var key = string.IsNullOrEmpty(given) ? Environment.GetEnvironmentVariable("DATASETTE_SECRET") : given;
            if (string.IsNullOrEmpty(key))
            {
                throw new StartupException("Missing option '--secret'. Give it, or set DATASETTE_SECRET.", ExitCodes.WrongUsage);
            }
            var restrictions = Restrictions(parsed.GetValue(all) ?? [], parsed.GetValue(database) ?? [], parsed.GetValue(resource) ?? []);
            var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
            var (token, payload) = SignedTokens.Make(
                new ValueSigner(key).Sign,
                parsed.GetValue(id)!,
                now,
                parsed.GetValue(expires),
                restrictions
            );
            Console.Out.WriteLine(token);
            if (parsed.GetValue(debug))
            {
                Console.Out.WriteLine("\nDecoded:\n");
                Console.Out.WriteLine(JsonBody.ToText(payload, indent: 2));
            }
            return 0;
        });
        return command;
    }

    private static JsonObject? Restrictions(string[] all, string[] databases, string[] resources)
    {
        var limits = new JsonObject();
        foreach (var action in all)
        {
            List(limits, "a").Add((JsonNode)Short(action));
        }
        foreach (var pair in databases.Select(ArgumentPairs.Split))
        {
            List(Map(limits, "d"), pair[0]).Add((JsonNode)Short(pair[1]));
        }
        foreach (var triple in resources.Select(ArgumentPairs.Split))
        {
            List(Map(Map(limits, "r"), triple[0]), triple[1]).Add((JsonNode)Short(triple[2]));
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

    /// <summary>The short form of an action of the host. Others, such as those of plugins, are kept; a name nobody knows is only warned about.</summary>
    private static string Short(string name)
    {
        var action = DefaultActions.All.FirstOrDefault(action => action.IsNamed(name));
        if (action is null)
        {
            Console.Error.WriteLine($"Unknown permission: {name}");
        }
        return action?.Abbreviation ?? name;
    }
}
