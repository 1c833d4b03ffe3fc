using System.Collections.Concurrent;
using Datasette.Databases;
using Datasette.Hosting;
using Datasette.Plugins;
using Datasette.Tests.Hosting;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Testing;
using Xunit;

namespace Datasette.Tests.Plugins;

/// <summary>Whatever a plugin does wrong, one line names it and its hook; the others and the host go on.</summary>
public sealed class PluginFailureTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    private string Make()
    {
        var file = folder.Combine("data.db");
        using var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        SqlStatement.Execute(connection, "create table people (id integer primary key, name text)");
        SqlStatement.Execute(connection, "create view adults as select name from people");
        SqlStatement.Execute(connection, "insert into people values (1, 'Ann')");
        return file;
    }

    [Theory]
    [InlineData("StartupAsync", "startup")]
    [InlineData("DatabaseMissingAsync", "database_missing")]
    [InlineData("RegisterActions", "register_actions")]
    [InlineData("RegisterRoutes", "register_routes")]
    [InlineData("RegisterOutputRenderers", "register_output_renderer")]
    [InlineData("RegisterFacets", "register_facet_classes")]
    [InlineData("RegisterMagicParameters", "register_magic_parameters")]
    [InlineData("RegisterLiquidFilters", "prepare_jinja2_environment")]
    [InlineData("RegisterEvents", "register_events")]
    [InlineData("StoredQueriesAsync", "canned_queries")]
    [InlineData("PrepareConnection", "prepare_connection")]
    [Trait("Rule", "C042")]
    public async Task HookOfTheStart_Fails_StopsTheStartWithOneLine(string hook, string published)
    {
        var refused = await Assert.ThrowsAsync<StartupException>(() =>
            TestServer.StartAsync(
                new ServeOptions { Files = [Make(), folder.Combine("other.db")], Create = true },
                new EveryHookPlugin { Failing = hook }
            )
        );
        Assert.StartsWith(
            $"The plugin 'every-hook' failed in its hook {published} ({hook}): InvalidOperationException: {hook} went wrong To run without it, ",
            refused.Message,
            StringComparison.Ordinal
        );
        Assert.DoesNotContain('\n', refused.Message);
    }

    [Theory]
    [InlineData("MenuLinksAsync", "/")]
    [InlineData("TopRightAsync", "/")]
    [InlineData("DatabaseStateAsync", "/")]
    [InlineData("HomepageActionsAsync", "/")]
    [InlineData("TopHomepageAsync", "/")]
    [InlineData("ExtraCssUrlsAsync", "/")]
    [InlineData("ExtraJsUrlsAsync", "/")]
    [InlineData("ExtraBodyScriptAsync", "/")]
    [InlineData("ExtraTemplateVarsAsync", "/")]
    [InlineData("GetMetadata", "/")]
    [InlineData("DatabaseActionsAsync", "/data")]
    [InlineData("TopDatabaseAsync", "/data")]
    [InlineData("TableActionsAsync", "/data/people")]
    [InlineData("TopTableAsync", "/data/people")]
    [InlineData("RenderCell", "/data/people")]
    [InlineData("FiltersFromRequestAsync", "/data/people")]
    [InlineData("ViewActionsAsync", "/data/adults")]
    [InlineData("RowActionsAsync", "/data/people/1")]
    [InlineData("TopRowAsync", "/data/people/1")]
    [InlineData("QueryActionsAsync", "/data/-/query?sql=select+1")]
    [InlineData("TopQueryAsync", "/data/-/query?sql=select+1")]
    [InlineData("TopStoredQueryAsync", "/data/taken")]
    [InlineData("JumpItemsAsync", "/-/jump.json")]
    [InlineData("ActorFromRequestAsync", "/")]
    [InlineData("ActorsFromIdsAsync", "/-/every/actors")]
    [InlineData("PermissionResourcesSqlAsync", "/")]
    [InlineData("WrapRequestAsync", "/")]
    [InlineData("ForbiddenAsync", "/-/secret")]
    [InlineData("DurableCopiesOf", "/data/-/durability/1")]
    public async Task HookOfARequest_Fails_Answers500_WithTheNamesOfPluginAndHook_AndIsLogged(string hook, string path)
    {
        var log = new Lines();
        await using var server = await StartAsync(hook, log);
        var answer = await server.GetAsync(path);
        Assert.Equal(hook == "ForbiddenAsync" ? 403 : 500, answer.Status);
        if (hook != "ForbiddenAsync")
        {
            var words = $"The plugin 'every-hook' failed in its hook {HookNames.Published(hook)}: {hook} went wrong";
            Assert.Contains(words, Plain(answer.Text), StringComparison.Ordinal);
        }
        Assert.Contains(
            log.Written,
            line => line.Contains($"'every-hook' failed in its hook {HookNames.Published(hook)} ({hook})", StringComparison.Ordinal)
        );
        // What needs no plugin still works.
        if (hook is not ("WrapRequestAsync" or "ActorFromRequestAsync" or "PermissionResourcesSqlAsync"))
        {
            Assert.Equal(200, (await server.GetAsync("/-/versions.json")).Status);
        }
    }

    [Theory]
    [InlineData("HandleExceptionAsync", "/-/nothing-here", 404)]
    [InlineData("TrackEventAsync", "/-/every/event", 200)]
    public async Task HookAfterTheFact_Fails_IsLogged_AndTheRequestGoesOn(string hook, string path, int status)
    {
        var log = new Lines();
        await using var server = await StartAsync(hook, log);
        Assert.Equal(status, (await server.GetAsync(path)).Status);
        Assert.Contains(log.Written, line => line.Contains($"({hook})", StringComparison.Ordinal));
    }

    [Fact]
    public async Task RouteOfAPlugin_Fails_NamesThePlugin_AsPageAndAsJson()
    {
        var log = new Lines();
        await using var server = await StartAsync("", log);
        var page = await server.GetAsync("/-/boom");
        Assert.Equal(500, page.Status);
        Assert.StartsWith("text/html", page.Header("content-type"), StringComparison.Ordinal);
        Assert.Contains("failed in its hook register_routes: boom", page.Text, StringComparison.Ordinal);
        // The error page of a plugin's failure is made without plugins.
        Assert.DoesNotContain("id=\"flag\"", page.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stop_ThatFails_IsLogged_AndClosesAllTheSame()
    {
        var log = new Lines();
        var server = await StartAsync("ShutdownAsync", log);
        await server.DisposeAsync();
        Assert.Contains(log.Written, line => line.Contains("shut down", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Names_ThatAreTakenOrNoNames_StopTheStart()
    {
        async Task<string> RefusedAsync(params DatasettePlugin[] plugins) =>
            (await Assert.ThrowsAsync<StartupException>(() => TestServer.StartAsync(new ServeOptions { Memory = true }, plugins))).Message;
        Assert.Equal(
            "Two plugins are called 'every-hook': that of this program and that of this program. Leave one of them out.",
            await RefusedAsync(new EveryHookPlugin(), new EveryHookPlugin())
        );
        Assert.Contains("has no name", await RefusedAsync(new Registering("", "ics")), StringComparison.Ordinal);
        Assert.Contains("registers 'csv'", await RefusedAsync(new Registering("a", "csv")), StringComparison.Ordinal);
        Assert.Contains("which the host has already", await RefusedAsync(new Registering("a", "csv")), StringComparison.Ordinal);
        Assert.Contains("letters, digits and underscores", await RefusedAsync(new Registering("a", "i.cs")), StringComparison.Ordinal);
        Assert.Contains(
            "which the plugin 'a' has registered already",
            await RefusedAsync(new Registering("a", "ics"), new Registering("b", "ics")),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "is no regular expression",
            await RefusedAsync(new Registering("a", "ics") { Pattern = "^/(" }),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "registers the action 'view-table'",
            await RefusedAsync(new Registering("a", "ics") { Action = "view-table" }),
            StringComparison.Ordinal
        );
    }

    private sealed class Registering(string name, string extension) : DatasettePlugin
    {
        public string? Pattern { get; init; }

        public string? Action { get; init; }

        public override string Name => name;

        public override IEnumerable<OutputRenderer> RegisterOutputRenderers(IDatasette datasette) =>
            [new(extension, (_, _) => ValueTask.FromResult<Microsoft.AspNetCore.Http.IResult?>(null))];

        public override IEnumerable<PluginRoute> RegisterRoutes(IDatasette datasette) =>
            Pattern is null ? [] : [new(Pattern, (_, _, _) => throw new InvalidOperationException())];

        public override IEnumerable<Datasette.Permissions.PermissionAction> RegisterActions(IDatasette datasette) =>
            Action is null ? [] : [new(Action, null, "Of the test", Datasette.Permissions.ResourceKind.Global)];
    }

    private static string Plain(string text) =>
        text.Replace("&#x27;", "'", StringComparison.Ordinal).Replace("\\u0027", "'", StringComparison.Ordinal);

    private async Task<TestServer> StartAsync(string hook, Lines log)
    {
        var server = await DatasetteServer.StartAsync(
            new ServeOptions
            {
                Files = [Make()],
                Port = 0,
                Secret = TestServer.Secret,
            },
            [new EveryHookPlugin { Failing = hook }],
            TestContext.Current.CancellationToken,
            logging: builder => builder.AddProvider(log)
        );
        return new TestServer(server);
    }

    private sealed class Lines : ILoggerProvider, ILogger
    {
        public ConcurrentQueue<string> Written { get; } = new();

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        ) => Written.Enqueue(formatter(state, exception));

        public void Dispose() { }
    }
}
