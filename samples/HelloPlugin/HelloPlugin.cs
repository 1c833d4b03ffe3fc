// A whole plugin in one file: a page, a menu link, an action of its own, and a function for SQL.
// Try it compiled in:   dotnet run --project samples/OwnDoor -- --memory --root -p 0
// or as an assembly:    dotnet build samples/HelloPlugin, and start the dotnet tool with --plugins-dir; docs/guides/plugins.md says how.
using Datasette.Permissions;
using Datasette.Plugins;
using Datasette.Responses;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;

/// <summary>Greets whoever may be greeted.</summary>
public sealed class HelloPlugin : DatasettePlugin
{
    private const string SayHello = "say-hello";

    /// <inheritdoc/>
    public override string Name => "hello";

    /// <inheritdoc/>
    public override string Version => "1.0";

    /// <inheritdoc/>
    public override IEnumerable<PermissionAction> RegisterActions(IDatasette datasette) =>
        [new PermissionAction(SayHello, null, "Be greeted", ResourceKind.Global)];

    /// <inheritdoc/>
    public override IEnumerable<PluginRoute> RegisterRoutes(IDatasette datasette) => [new PluginRoute("^/-/hello$", HelloAsync)];

    /// <inheritdoc/>
    public override async ValueTask<IReadOnlyList<MenuLink>> MenuLinksAsync(IDatasette datasette, Actor? actor, HttpContext context) =>
        await datasette.AllowedAsync(SayHello, null, actor, context.RequestAborted)
            ? [new MenuLink("Say hello", datasette.UrlPath("/-/hello"))]
            : [];

    /// <inheritdoc/>
    public override void PrepareConnection(SqliteConnection connection, string database, IDatasette datasette) =>
        connection.CreateFunction("hello", (string name) => Greeting(datasette, name), isDeterministic: true);

    private static async Task<IResult> HelloAsync(IDatasette datasette, HttpContext context, System.Text.RegularExpressions.Match match)
    {
        var actor = datasette.ActorOf(context);
        await datasette.EnsureAllowedAsync(SayHello, null, actor, context.RequestAborted);
        return Respond.Text(Greeting(datasette, actor?.Id ?? "stranger"));
    }

    // From the configuration: {"plugins": {"hello": {"greeting": "Good day"}}}
    private static string Greeting(IDatasette datasette, string name) =>
        $"{datasette.PluginConfig("hello")?["greeting"]?.ToString() ?? "Hello"}, {name}!";
}
