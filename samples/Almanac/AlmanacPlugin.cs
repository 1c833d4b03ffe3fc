using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Datasette;
using Datasette.Databases;
using Datasette.Permissions;
using Datasette.Plugins;
using Datasette.Responses;
using Datasette.Tables;
using Datasette.Text;
using Microsoft.AspNetCore.Html;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;

namespace Almanac;

/// <summary>Every hook once. These are the examples of docs/guides/plugins.md, word for word, so that they compile and run.</summary>
public sealed class AlmanacPlugin : DatasettePlugin
{
    public override string Name => "almanac";

    private readonly List<string> log = [];

    /// <summary>What the examples wrote down.</summary>
    public IReadOnlyList<string> Log => log;

    public override async ValueTask StartupAsync(IDatasette datasette, CancellationToken cancellationToken)
    {
        foreach (var database in datasette.Databases.Where(database => database.IsMutable))
            await database.WriteAsync(
                connection => SqlStatement.Execute(connection, "create table if not exists visits (page text, at text)"),
                cancellationToken
            );
    }

    public override ValueTask ShutdownAsync(IDatasette datasette, CancellationToken cancellationToken)
    {
        log.Add("stopped");
        return ValueTask.CompletedTask;
    }

    public override ValueTask DatabaseMissingAsync(IDatasette datasette, string name, string path, CancellationToken cancellationToken)
    {
        var backup = Path.Join("/backups", Path.GetFileName(path));
        if (File.Exists(backup))
            File.Copy(backup, path);
        return ValueTask.CompletedTask;
    }

    public override ValueTask DatabaseOpenedAsync(IDatasette datasette, Database database, CancellationToken cancellationToken)
    {
        datasette.Loggers.CreateLogger(Name).LogInformation("{Name} is here", database.Name);
        return ValueTask.CompletedTask;
    }

    public override ValueTask DatabaseClosedAsync(IDatasette datasette, Database database, CancellationToken cancellationToken)
    {
        log.Add($"{database.Name} is gone");
        return ValueTask.CompletedTask;
    }

    public override void PrepareConnection(SqliteConnection connection, string database, IDatasette datasette) =>
        connection.CreateFunction("fahrenheit", (double celsius) => celsius * 9 / 5 + 32, isDeterministic: true);

    public override IEnumerable<PluginRoute> RegisterRoutes(IDatasette datasette) =>
        [
            new("^/-/map$", MapAsync),
            new(
                "^/-/almanac/(?<year>[0-9]{4})$",
                async (ds, context, match) =>
                {
                    await ds.EnsureAllowedAsync("view-almanac", null, ds.ActorOf(context), context.RequestAborted);
                    return Respond.Text("The year " + match.Groups["year"].Value);
                }
            ),
        ];

    private static async Task<IResult> MapAsync(IDatasette datasette, HttpContext context, Match match)
    {
        var layout = await datasette.LayoutAsync(context, "Map", "map");
        var name = HtmlEncoder.Default.Encode(datasette.ActorOf(context)?.Display ?? "stranger");
        return Respond.Page(layout, new HtmlString($"<h1>Map</h1><p>Hello, {name}.</p>"));
    }

    public override IEnumerable<Command> RegisterCommands()
    {
        var command = new Command("almanac", "Says which year it is");
        command.SetAction(_ => Console.Out.WriteLine(TimeProvider.System.GetUtcNow().Year));
        return [command];
    }

    public override Stream? OpenStatic(string path) => typeof(AlmanacPlugin).Assembly.GetManifestResourceStream("static/" + path);

    public override async Task WrapRequestAsync(IDatasette datasette, HttpContext context, RequestDelegate next)
    {
        context.Response.OnStarting(() =>
        {
            context.Response.Headers["Content-Security-Policy"] = "frame-ancestors 'none'";
            return Task.CompletedTask;
        });
        await next(context);
    }

    public override ValueTask<IReadOnlyList<MenuLink>> MenuLinksAsync(IDatasette datasette, Actor? actor, HttpContext context) =>
        ValueTask.FromResult<IReadOnlyList<MenuLink>>([new("This year", datasette.UrlPath("/-/almanac/2026"))]);

    public override ValueTask<IReadOnlyList<MenuLink>> HomepageActionsAsync(IDatasette datasette, Actor? actor, HttpContext context) =>
        ValueTask.FromResult<IReadOnlyList<MenuLink>>([new("This year", datasette.UrlPath("/-/almanac/2026"))]);

    public override ValueTask<IReadOnlyList<MenuLink>> DatabaseActionsAsync(
        IDatasette datasette,
        Actor? actor,
        PageSubject page,
        HttpContext context
    ) => ValueTask.FromResult<IReadOnlyList<MenuLink>>([new("Map of " + page.Database!.Name, datasette.UrlPath("/-/map"))]);

    public override ValueTask<IReadOnlyList<MenuLink>> TableActionsAsync(
        IDatasette datasette,
        Actor? actor,
        PageSubject page,
        HttpContext context
    ) => ValueTask.FromResult<IReadOnlyList<MenuLink>>([new("Map of " + page.Table, datasette.UrlPath("/-/map"), "All rows with a place")]);

    public override ValueTask<IReadOnlyList<MenuLink>> ViewActionsAsync(
        IDatasette datasette,
        Actor? actor,
        PageSubject page,
        HttpContext context
    ) => TableActionsAsync(datasette, actor, page, context);

    public override ValueTask<IReadOnlyList<MenuLink>> RowActionsAsync(
        IDatasette datasette,
        Actor? actor,
        PageSubject page,
        HttpContext context
    ) => ValueTask.FromResult<IReadOnlyList<MenuLink>>([new("Where is " + page.PrimaryKeys![0], datasette.UrlPath("/-/map"))]);

    public override ValueTask<IReadOnlyList<MenuLink>> QueryActionsAsync(
        IDatasette datasette,
        Actor? actor,
        PageSubject page,
        HttpContext context
    ) =>
        ValueTask.FromResult<IReadOnlyList<MenuLink>>([
            new("Explain", datasette.UrlPath("/-/explain?sql=" + Uri.EscapeDataString(page.Sql!))),
        ]);

    public override ValueTask<IReadOnlyList<JumpItem>> JumpItemsAsync(
        IDatasette datasette,
        Actor? actor,
        string text,
        HttpContext context
    ) =>
        ValueTask.FromResult<IReadOnlyList<JumpItem>>([
            new("This year", datasette.UrlPath("/-/almanac/2026"), "almanac", SearchText: "calendar"),
        ]);

    public override ValueTask<IHtmlContent?> TopRightAsync(IDatasette datasette, Actor? actor, HttpContext context) =>
        ValueTask.FromResult<IHtmlContent?>(new HtmlString("<span class=\"safe-flag\">2026</span>"));

    public override ValueTask<IHtmlContent?> DatabaseStateAsync(
        IDatasette datasette,
        Actor? actor,
        Database database,
        HttpContext context
    ) => ValueTask.FromResult<IHtmlContent?>(new HtmlString($"<span class=\"state\">{database.SizeBytes >> 10} KB</span>"));

    public override ValueTask<IHtmlContent?> TopHomepageAsync(IDatasette datasette, PageContext page) =>
        ValueTask.FromResult<IHtmlContent?>(new HtmlString("<p>New here? Begin with <a href=\"/data\">the data</a>.</p>"));

    public override ValueTask<IHtmlContent?> TopTableAsync(IDatasette datasette, PageContext page) =>
        ValueTask.FromResult<IHtmlContent?>(page.Columns.Contains("latitude") ? new HtmlString("<div id=\"map\"></div>") : null);

    public override ValueTask<IHtmlContent?> TopDatabaseAsync(IDatasette datasette, PageContext page) => Note("Updated every night.");

    public override ValueTask<IHtmlContent?> TopRowAsync(IDatasette datasette, PageContext page) => Note("One of many.");

    public override ValueTask<IHtmlContent?> TopQueryAsync(IDatasette datasette, PageContext page) => Note("Temperatures are in °C.");

    public override ValueTask<IHtmlContent?> TopStoredQueryAsync(IDatasette datasette, PageContext page) => Note("Checked by hand.");

    private static ValueTask<IHtmlContent?> Note(string text) =>
        ValueTask.FromResult<IHtmlContent?>(new HtmlString($"<p class=\"soft\">{text}</p>"));

    public override ValueTask<IReadOnlyList<ExtraAsset>> ExtraCssUrlsAsync(IDatasette datasette, PageContext page) =>
        ValueTask.FromResult<IReadOnlyList<ExtraAsset>>(page.View == "table" ? [new("/-/static-plugins/almanac/map.css")] : []);

    public override ValueTask<IReadOnlyList<ExtraAsset>> ExtraJsUrlsAsync(IDatasette datasette, PageContext page) =>
        ValueTask.FromResult<IReadOnlyList<ExtraAsset>>(
            page.View == "table" ? [new("/-/static-plugins/almanac/map.js", IsModule: true)] : []
        );

    public override ValueTask<BodyScript?> ExtraBodyScriptAsync(IDatasette datasette, PageContext page) =>
        ValueTask.FromResult<BodyScript?>(page.View == "table" ? new BodyScript("showMap(document.getElementById('map'));") : null);

    public override ValueTask<IReadOnlyDictionary<string, object?>?> ExtraTemplateVarsAsync(IDatasette datasette, PageContext page) =>
        ValueTask.FromResult<IReadOnlyDictionary<string, object?>?>(new Dictionary<string, object?> { ["year"] = 2026 });

    public override IEnumerable<LiquidFilter> RegisterLiquidFilters(IDatasette datasette) =>
        [new("shout", (value, arguments) => value?.ToString()?.ToUpperInvariant())];

    public override IHtmlContent? RenderCell(IDatasette datasette, in CellContext cell) =>
        cell is { Column: "celsius", Value: double degrees } ? new HtmlString($"<b>{degrees:0.0} °C</b>") : null;

    public override IEnumerable<OutputRenderer> RegisterOutputRenderers(IDatasette datasette) =>
        [
            new("geojson", (output, cancellationToken) => ValueTask.FromResult<IResult?>(Respond.Json(GeoJson(output))))
            {
                CanRender = output => output.Columns.Contains("latitude"),
            },
        ];

    private static JsonObject GeoJson(OutputContext output)
    {
        var (x, y) = (output.IndexOf("longitude"), output.IndexOf("latitude"));
        var features = output.Rows.Select(row => new JsonObject
        {
            ["type"] = "Feature",
            ["geometry"] = new JsonObject
            {
                ["type"] = "Point",
                ["coordinates"] = new JsonArray(Convert.ToDouble(row[x]), Convert.ToDouble(row[y])),
            },
        });
        return new JsonObject { ["type"] = "FeatureCollection", ["features"] = new JsonArray([.. features]) };
    }

    public override IEnumerable<CustomFacet> RegisterFacets(IDatasette datasette) => [new DecadeFacet()];

    private sealed class DecadeFacet : CustomFacet
    {
        public override string Type => "decade";

        public override string FilterKey(string column) => "_decade";

        public override string Sql(string column, string allRows, int limit) =>
            $"select {SqlText.Quote(column)} / 10 * 10 as value, count(*) as n from ({allRows}) group by 1 order by n desc limit {limit}";

        public override string? SuggestSql(string column, string allRows) =>
            column == "year" ? $"select 1 from ({allRows}) where year is not null limit 1" : null;
    }

    public override ValueTask<TableConditions?> FiltersFromRequestAsync(
        IDatasette datasette,
        HttpContext context,
        Database database,
        string table
    ) =>
        ValueTask.FromResult<TableConditions?>(
            int.TryParse(context.Request.Query["_decade"], out var from)
                ? new(
                    ["year >= :_decade_from and year < :_decade_from + 10"],
                    new Dictionary<string, object?> { ["_decade_from"] = from },
                    [$"year is in the {from}s"]
                )
                : null
        );

    public override ValueTask<JsonObject?> StoredQueriesAsync(
        IDatasette datasette,
        Database database,
        CancellationToken cancellationToken
    ) =>
        ValueTask.FromResult<JsonObject?>(
            new JsonObject
            {
                ["tables"] = "select name from sqlite_master where type = 'table'",
                ["versions"] = new JsonObject { ["sql"] = "select sqlite_version(), :_almanac_year as year", ["title"] = "Versions" },
            }
        );

    public override IEnumerable<MagicParameter> RegisterMagicParameters(IDatasette datasette) =>
        [new("almanac", (key, context) => ValueTask.FromResult<object?>(key == "year" ? datasette.Time.GetUtcNow().Year : null))];

    public override JsonObject? GetMetadata(IDatasette datasette, string? database, string? table) =>
        table == "visits" ? new JsonObject { ["description"] = "Who came by" } : null;

    public override IEnumerable<PermissionAction> RegisterActions(IDatasette datasette) =>
        [new("view-almanac", null, "See the almanac", ResourceKind.Global)];

    public override ValueTask<IReadOnlyList<PermissionSql>> PermissionResourcesSqlAsync(
        IDatasette datasette,
        Actor? actor,
        string action,
        CancellationToken cancellationToken
    ) =>
        ValueTask.FromResult<IReadOnlyList<PermissionSql>>(
            action == "view-almanac" && actor?.Json["member"]?.ToString() == "true"
                ? [PermissionSql.Everywhere(Name, allow: true, "members see the almanac")]
                : []
        );

    public override ValueTask<Actor?> ActorFromRequestAsync(IDatasette datasette, HttpContext context) =>
        ValueTask.FromResult(context.Request.Headers["X-Forwarded-User"] is [{ } user] ? Actor.WithId(user) : null);

    public override async ValueTask<IReadOnlyDictionary<string, Actor>?> ActorsFromIdsAsync(
        IDatasette datasette,
        IReadOnlyCollection<string> ids,
        CancellationToken cancellationToken
    )
    {
        if (datasette.Databases["people"] is not { } people)
            return null;
        var rows = (await people.ExecuteAsync("select id, name from people", ct: cancellationToken)).Rows;
        return rows.ToDictionary(row => $"{row[0]}", row => new Actor(new JsonObject { ["id"] = $"{row[0]}", ["name"] = $"{row[1]}" }));
    }

    public override ValueTask<IResult?> ForbiddenAsync(IDatasette datasette, HttpContext context, string message) =>
        ValueTask.FromResult<IResult?>(datasette.ActorOf(context) is null ? Respond.Redirect(datasette.UrlPath("/-/sign-in")) : null);

    public override ValueTask<IResult?> HandleExceptionAsync(IDatasette datasette, HttpContext context, Exception failure)
    {
        if (failure is not DatasetteException)
            log.Add($"{context.Request.Path}: {failure.Message}");
        return ValueTask.FromResult<IResult?>(null);
    }

    public override DurableCopies? DurableCopiesOf(IDatasette datasette, Database database) =>
        Directory.Exists("/mnt/elsewhere") ? new WholeCopies(datasette, database) : null;

    private sealed class WholeCopies(IDatasette datasette, Database database) : DurableCopies
    {
        private string PathOf(string copy) => $"/mnt/elsewhere/{database.Name}-{copy}.db";

        public override async ValueTask<string> ReceiptAsync(CancellationToken cancellationToken)
        {
            var copy = $"{datasette.Time.GetUtcNow().UtcTicks}";
            var sql = $"vacuum into '{PathOf(copy)}'";
            await database.WriteAsync(connection => SqlStatement.Execute(connection, sql), inTransaction: false, cancellationToken);
            return copy;
        }

        // A receipt is only given out when the copy is there.
        public override Task WaitAsync(string transaction, CancellationToken cancellationToken) => Task.CompletedTask;

        public override bool? IsHeld(string transaction) => transaction.All(char.IsAsciiDigit) ? File.Exists(PathOf(transaction)) : null;
    }

    public override IEnumerable<EventKind> RegisterEvents(IDatasette datasette) => [new("year-ended", "A year has ended")];

    public override ValueTask TrackEventAsync(IDatasette datasette, DatasetteEvent happened, CancellationToken cancellationToken)
    {
        log.Add($"{happened.Actor?.Id ?? "somebody"}: {happened.Name} {happened.Table}");
        return ValueTask.CompletedTask;
    }
}
