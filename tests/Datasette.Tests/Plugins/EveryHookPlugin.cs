using System.Collections.Concurrent;
using System.CommandLine;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json.Nodes;
using Datasette.Databases;
using Datasette.Permissions;
using Datasette.Plugins;
using Datasette.Responses;
using Datasette.Tables;
using Datasette.Text;
using Microsoft.AspNetCore.Html;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;

namespace Datasette.Tests.Plugins;

/// <summary>Overrides every hook there is, each with something that can be seen from outside, and notes which of them were called.</summary>
/// <remarks>Larger than other rooms: all hooks in one plugin is what it proves.</remarks>
public sealed class EveryHookPlugin : DatasettePlugin
{
    /// <summary>The hooks that were called, by method name.</summary>
    public ConcurrentDictionary<string, int> Called { get; } = new();

    /// <summary>What was told, in order: events and changes of databases.</summary>
    public ConcurrentQueue<string> Told { get; } = new();

    /// <summary>The hook that throws instead; null for none.</summary>
    public string? Failing { get; init; }

    /// <summary>Makes a database whose file is not there.</summary>
    public Action<string>? Missing { get; init; }

    public override string Name => "every-hook";

    public override string Version => "1.2.3";

    public override bool HasTemplates => true;

    public override Stream? OpenStatic(string path) =>
        path == "shout.css" ? new MemoryStream("h1 { text-transform: uppercase }"u8.ToArray()) : null;

    public override ValueTask StartupAsync(IDatasette datasette, CancellationToken cancellationToken)
    {
        Note();
        Told.Enqueue($"started with {string.Join(", ", datasette.Databases.Select(database => database.Name))}");
        return ValueTask.CompletedTask;
    }

    public override ValueTask ShutdownAsync(IDatasette datasette, CancellationToken cancellationToken)
    {
        Note();
        Told.Enqueue("stopped");
        return ValueTask.CompletedTask;
    }

    public override ValueTask DatabaseMissingAsync(IDatasette datasette, string name, string path, CancellationToken cancellationToken)
    {
        Note();
        Told.Enqueue($"{name} is missing");
        Missing?.Invoke(path);
        return ValueTask.CompletedTask;
    }

    public override ValueTask DatabaseOpenedAsync(IDatasette datasette, Database database, CancellationToken cancellationToken)
    {
        Note();
        Told.Enqueue("opened " + database.Name);
        return ValueTask.CompletedTask;
    }

    public override ValueTask DatabaseClosedAsync(IDatasette datasette, Database database, CancellationToken cancellationToken)
    {
        Note();
        Told.Enqueue("closed " + database.Name);
        return ValueTask.CompletedTask;
    }

    public override ValueTask<JsonObject?> StoredQueriesAsync(IDatasette datasette, Database database, CancellationToken cancellationToken)
    {
        Note();
        return ValueTask.FromResult<JsonObject?>(
            new JsonObject
            {
                ["shouted"] = "select shout(:word) as shouted, :_weather_today as weather",
                ["taken"] = new JsonObject { ["sql"] = "select 'plugin' as source", ["title"] = "Taken" },
            }
        );
    }

    public override JsonObject? GetMetadata(IDatasette datasette, string? database, string? table)
    {
        Note();
        return (database, table) switch
        {
            (null, null) => new JsonObject { ["title"] = "Title of a plugin", ["source"] = "Source of a plugin" },
            (_, null) => new JsonObject { ["description"] = $"A plugin describes {database}" },
            _ => new JsonObject
            {
                ["description"] = $"A plugin describes {table}",
                ["columns"] = new JsonObject { ["name"] = "Who" },
            },
        };
    }

    public override IEnumerable<PluginRoute> RegisterRoutes(IDatasette datasette)
    {
        Note();
        return
        [
            new("^/-/every/(?<word>[a-z]+)$", AnswerAsync),
            new("^/-/boom$", (_, _, _) => throw new InvalidOperationException("boom")),
            new("^/-/secret$", (_, _, _) => throw new DatasetteException(403, "keep out")),
        ];
    }

    private static async Task<IResult> AnswerAsync(IDatasette datasette, HttpContext context, System.Text.RegularExpressions.Match match)
    {
        switch (match.Groups["word"].Value)
        {
            case "config":
                var query = context.Request.Query;
                string? Word(string name) => query.TryGetValue(name, out var value) ? (string?)value : null;
                return Respond.Json(datasette.PluginConfig("every-hook", Word("db"), Word("table"), Word("fallback") != "no")?.DeepClone());
            case "vars":
                var layout = await datasette.LayoutAsync(context, "Variables", "vars");
                return Respond.Json(new JsonObject { ["weather"] = layout.TemplateVars["weather"]?.ToString() });
            case "actors":
                var actors = await datasette.ActorsFromIdsAsync(["ann", "nobody"], context.RequestAborted);
                return Respond.Json(new JsonArray([.. actors.Select(pair => (JsonNode)$"{pair.Key}={pair.Value.Display}")]));
            case "event":
                var happened = new DatasetteEvent("mail-sent", datasette.ActorOf(context))
                {
                    Properties = new Dictionary<string, object?> { ["to"] = "bob" },
                };
                await datasette.TrackEventAsync(happened, context.RequestAborted);
                return Respond.Text("told");
            default:
                await datasette.TrackEventAsync(new DatasetteEvent("unheard-of", null), context.RequestAborted);
                return Respond.Text("never");
        }
    }

    public override IEnumerable<OutputRenderer> RegisterOutputRenderers(IDatasette datasette)
    {
        Note();
        yield return new OutputRenderer("lines", (output, _) => ValueTask.FromResult<IResult?>(Respond.Text(Lines(output))));
        yield return new OutputRenderer("names", (_, _) => ValueTask.FromResult<IResult?>(null))
        {
            CanRender = output => output.Columns.Contains("name"),
        };
    }

    private static string Lines(OutputContext output)
    {
        var text = new StringBuilder($"{output.View} {output.Database.Name} {output.Table ?? "-"} {output.Query ?? "-"} {output.Error}\n");
        foreach (var row in output.Rows)
        {
            text.AppendJoin('|', row).Append('\n');
        }
        return text.Append(output.NextUrl).ToString();
    }

    public override IEnumerable<CustomFacet> RegisterFacets(IDatasette datasette)
    {
        Note();
        return [new DecadeFacet()];
    }

    private sealed class DecadeFacet : CustomFacet
    {
        public override string Type => "decade";

        public override string Sql(string column, string allRows, int limit)
        {
            var decade = $"cast({SqlText.Quote(column)} as integer) / 10 * 10";
            return $"select {decade} as value, count(*) as n from ({allRows}) where {SqlText.Quote(column)} is not null group by 1 order by 2 desc, 1 limit {limit}";
        }

        public override string FilterKey(string column) => "_decade";

        public override string? SuggestSql(string column, string allRows) => column == "born" ? $"select 1 from ({allRows}) limit 1" : null;
    }

    public override ValueTask<TableConditions?> FiltersFromRequestAsync(
        IDatasette datasette,
        HttpContext context,
        Database database,
        string table
    )
    {
        Note();
        if (!int.TryParse(context.Request.Query["_decade"], out var from))
        {
            return ValueTask.FromResult<TableConditions?>(null);
        }
        return ValueTask.FromResult<TableConditions?>(
            new(
                ["born >= :_decade_from or 0 -- a comment", "born < :_decade_from + 10"],
                new Dictionary<string, object?> { ["_decade_from"] = from },
                [$"born in the {from}s"]
            )
        );
    }

    public override IEnumerable<MagicParameter> RegisterMagicParameters(IDatasette datasette)
    {
        Note();
        return
        [
            new(
                "weather",
                (key, context) =>
                    ValueTask.FromResult<object?>(
                        key == "today"
                            ? $"rain for {context.Request.Headers.UserAgent}"
                            : throw new DatasetteException(400, "no such weather")
                    )
            ),
        ];
    }

    public override IEnumerable<LiquidFilter> RegisterLiquidFilters(IDatasette datasette)
    {
        Note();
        return [new("shout", (value, arguments) => value?.ToString()?.ToUpperInvariant() + arguments.FirstOrDefault())];
    }

    public override IEnumerable<EventKind> RegisterEvents(IDatasette datasette)
    {
        Note();
        return [new("mail-sent", "A mail was sent")];
    }

    public override async Task WrapRequestAsync(IDatasette datasette, HttpContext context, RequestDelegate next)
    {
        Note();
        context.Response.OnStarting(() =>
        {
            context.Response.Headers["X-Every-Hook"] = "wrapped";
            return Task.CompletedTask;
        });
        if (context.Request.Path == "/-/teapot")
        {
            context.Response.StatusCode = 418;
            return;
        }
        await next(context);
    }

    public override ValueTask<IReadOnlyList<ExtraAsset>> ExtraCssUrlsAsync(IDatasette datasette, PageContext page)
    {
        Note();
        return ValueTask.FromResult<IReadOnlyList<ExtraAsset>>([new("/-/static-plugins/every-hook/shout.css")]);
    }

    public override ValueTask<IReadOnlyList<ExtraAsset>> ExtraJsUrlsAsync(IDatasette datasette, PageContext page)
    {
        Note();
        return ValueTask.FromResult<IReadOnlyList<ExtraAsset>>([new("https://example.com/x.js", "sha384-abc", IsModule: true)]);
    }

    public override ValueTask<BodyScript?> ExtraBodyScriptAsync(IDatasette datasette, PageContext page)
    {
        Note();
        var subject = $"{page.Subject.Database?.Name}/{page.Subject.Table}/{page.Subject.Query}";
        return ValueTask.FromResult<BodyScript?>(
            new($"window.page = '{page.View} {subject} {string.Join(',', page.Columns)} {page.Actor?.Id} <3';")
        );
    }

    public override ValueTask<IReadOnlyDictionary<string, object?>?> ExtraTemplateVarsAsync(IDatasette datasette, PageContext page)
    {
        Note();
        return ValueTask.FromResult<IReadOnlyDictionary<string, object?>?>(
            new Dictionary<string, object?> { ["weather"] = "sun on " + page.View }
        );
    }

    public override ValueTask<IHtmlContent?> TopHomepageAsync(IDatasette datasette, PageContext page) => TopAsync(page);

    public override ValueTask<IHtmlContent?> TopDatabaseAsync(IDatasette datasette, PageContext page) => TopAsync(page);

    public override ValueTask<IHtmlContent?> TopTableAsync(IDatasette datasette, PageContext page) => TopAsync(page);

    public override ValueTask<IHtmlContent?> TopRowAsync(IDatasette datasette, PageContext page) => TopAsync(page);

    public override ValueTask<IHtmlContent?> TopQueryAsync(IDatasette datasette, PageContext page) => TopAsync(page);

    public override ValueTask<IHtmlContent?> TopStoredQueryAsync(IDatasette datasette, PageContext page) => TopAsync(page);

    private ValueTask<IHtmlContent?> TopAsync(PageContext page, [CallerMemberName] string hook = "")
    {
        Note(hook);
        return ValueTask.FromResult<IHtmlContent?>(new HtmlString($"<p class=\"slot\">{hook} {page.View}</p>"));
    }

    public override ValueTask<IReadOnlyList<MenuLink>> MenuLinksAsync(IDatasette datasette, Actor? actor, HttpContext context) =>
        LinkAsync(datasette, "menu");

    public override ValueTask<IReadOnlyList<MenuLink>> HomepageActionsAsync(IDatasette datasette, Actor? actor, HttpContext context) =>
        LinkAsync(datasette, "home");

    public override ValueTask<IReadOnlyList<MenuLink>> DatabaseActionsAsync(
        IDatasette datasette,
        Actor? actor,
        PageSubject page,
        HttpContext context
    ) => LinkAsync(datasette, page.Database!.Name);

    public override ValueTask<IReadOnlyList<MenuLink>> TableActionsAsync(
        IDatasette datasette,
        Actor? actor,
        PageSubject page,
        HttpContext context
    ) => LinkAsync(datasette, page.Table!);

    public override ValueTask<IReadOnlyList<MenuLink>> ViewActionsAsync(
        IDatasette datasette,
        Actor? actor,
        PageSubject page,
        HttpContext context
    ) => LinkAsync(datasette, page.Table!);

    public override ValueTask<IReadOnlyList<MenuLink>> RowActionsAsync(
        IDatasette datasette,
        Actor? actor,
        PageSubject page,
        HttpContext context
    ) => LinkAsync(datasette, string.Join(',', page.PrimaryKeys!));

    public override ValueTask<IReadOnlyList<MenuLink>> QueryActionsAsync(
        IDatasette datasette,
        Actor? actor,
        PageSubject page,
        HttpContext context
    ) => LinkAsync(datasette, page.Query ?? page.Sql!);

    private ValueTask<IReadOnlyList<MenuLink>> LinkAsync(IDatasette datasette, string subject, [CallerMemberName] string hook = "")
    {
        Note(hook);
        return ValueTask.FromResult<IReadOnlyList<MenuLink>>([
            new($"{hook} {subject}", datasette.UrlPath("/-/every/" + hook), "Softer words"),
        ]);
    }

    public override ValueTask<IReadOnlyList<JumpItem>> JumpItemsAsync(IDatasette datasette, Actor? actor, string text, HttpContext context)
    {
        Note();
        return ValueTask.FromResult<IReadOnlyList<JumpItem>>([new("Weather", "/-/every/weather", "dashboard", $"for {text}", "umbrella")]);
    }

    public override ValueTask<IHtmlContent?> TopRightAsync(IDatasette datasette, Actor? actor, HttpContext context)
    {
        Note();
        return ValueTask.FromResult<IHtmlContent?>(new HtmlString("<span id=\"flag\">flag</span>"));
    }

    public override ValueTask<IHtmlContent?> DatabaseStateAsync(IDatasette datasette, Actor? actor, Database database, HttpContext context)
    {
        Note();
        return ValueTask.FromResult<IHtmlContent?>(new HtmlString($"<span class=\"state\">{database.Name} is well</span>"));
    }

    public override IEnumerable<PermissionAction> RegisterActions(IDatasette datasette)
    {
        Note();
        return [new("water-plants", "wp", "Water the plants", ResourceKind.Database)];
    }

    public override ValueTask<IReadOnlyList<PermissionSql>> PermissionResourcesSqlAsync(
        IDatasette datasette,
        Actor? actor,
        string action,
        CancellationToken cancellationToken
    )
    {
        Note();
        return ValueTask.FromResult<IReadOnlyList<PermissionSql>>(
            action == "water-plants" && actor?.Id == "gardener" ? [PermissionSql.Everywhere(Name, true, "gardeners water")]
            : action == "view-table"
                ?
                [
                    new(
                        Name,
                        "select 'data' as parent, 'hidden_from_all' as child, 0 as allow, 'a plugin says so' as reason",
                        new Dictionary<string, object?>()
                    ),
                ]
            : []
        );
    }

    public override void PrepareConnection(SqliteConnection connection, string database, IDatasette datasette)
    {
        Note();
        connection.CreateFunction("shout", (string? text) => $"{text?.ToUpperInvariant()} IN {database}", isDeterministic: true);
    }

    public override ValueTask<Actor?> ActorFromRequestAsync(IDatasette datasette, HttpContext context)
    {
        Note();
        return ValueTask.FromResult(context.Request.Headers["X-User"] is [{ } user] ? Actor.WithId(user) : null);
    }

    public override ValueTask<IReadOnlyDictionary<string, Actor>?> ActorsFromIdsAsync(
        IDatasette datasette,
        IReadOnlyCollection<string> ids,
        CancellationToken cancellationToken
    )
    {
        Note();
        return ValueTask.FromResult<IReadOnlyDictionary<string, Actor>?>(
            ids.Where(id => id == "ann")
                .ToDictionary(id => id, id => new Actor(new JsonObject { ["id"] = id, ["name"] = "Ann of the plugin" }))
        );
    }

    public override ValueTask<IResult?> ForbiddenAsync(IDatasette datasette, HttpContext context, string message)
    {
        Note();
        return ValueTask.FromResult<IResult?>(
            datasette.ActorOf(context) is null ? Respond.Redirect("/-/every/signin?why=" + Uri.EscapeDataString(message)) : null
        );
    }

    public override ValueTask<IResult?> HandleExceptionAsync(IDatasette datasette, HttpContext context, Exception failure)
    {
        Note();
        Told.Enqueue($"failure: {failure.Message}");
        return ValueTask.FromResult<IResult?>(
            failure is DatasetteException { Status: 404 } && context.Request.Path == "/nope" ? Respond.Text("no such thing", 404) : null
        );
    }

    public override IEnumerable<Command> RegisterCommands()
    {
        Note();
        var command = new Command("every-hook", "Of the test");
        command.SetAction(_ =>
        {
            Told.Enqueue("commanded");
            return 7;
        });
        return [command];
    }

    public override IHtmlContent? RenderCell(IDatasette datasette, in CellContext cell)
    {
        Note();
        return cell.Column is "name" or "shouted" && cell.Value is string text
            ? new HtmlString(
                $"<b class=\"shouted\">{text} of {cell.Table ?? "-"} in {cell.Database}, one of {cell.Row.Count}, asked as {cell.Http.Request.Path}</b>"
            )
            : null;
    }

    public override DurableCopies? DurableCopiesOf(IDatasette datasette, Database database)
    {
        Note();
        return database.Name == "data" ? new FakeCopies() : null;
    }

    public override ValueTask TrackEventAsync(IDatasette datasette, DatasetteEvent happened, CancellationToken cancellationToken)
    {
        Note();
        var more = string.Join(", ", happened.Properties.Select(pair => $"{pair.Key} {pair.Value}"));
        Told.Enqueue($"{happened.Name} by {happened.Actor?.Id} {happened.Database}/{happened.Table} {happened.RowCount} {more}".TrimEnd());
        return ValueTask.CompletedTask;
    }

    private void Note([CallerMemberName] string hook = "")
    {
        Called.AddOrUpdate(hook, 1, (_, count) => count + 1);
        if (hook == Failing)
        {
            throw new InvalidOperationException($"{hook} went wrong");
        }
    }
}
