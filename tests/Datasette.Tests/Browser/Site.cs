using System.Text.Json.Nodes;
using Datasette.Databases;
using Datasette.Text;
using Microsoft.Data.Sqlite;
using Microsoft.Playwright;
using Testing;
using Xunit;

namespace Datasette.Tests.Browser;

/// <summary>The tests of the pages share one server and one browser, and so run one after the other.</summary>
[CollectionDefinition(nameof(BrowserTests))]
public sealed class BrowserTests : ICollectionFixture<Site>;

/// <summary>The real program with the sample database, one made for these tests and the plugin; and a real browser.</summary>
public sealed class Site : IAsyncDisposable
{
    public const int LongTableRows = 10_500;
    private const string Secret = "a secret of the browser tests";
    private readonly TempFolder folder = new();
    private readonly Lazy<Task> started;
    private TestProcess? server;
    private IPlaywright? playwright;
    private IBrowser? browser;

    public Site() => started = new(StartAsync);

    /// <summary>Where the server is: scheme, host and port.</summary>
    public string Address { get; private set; } = "";

    /// <summary>What the server has said, for tests that fail.</summary>
    public string ServerLog => server?.Output ?? "";

    /// <summary>A page of its own cookies. The caller closes its context.</summary>
    /// <param name="hasScript">Whether scripts run.</param>
    /// <param name="isRoot">Whether the visitor is signed in as root.</param>
    /// <param name="width">Of the window, in pixels.</param>
    public async Task<IPage> OpenAsync(bool hasScript = true, bool isRoot = false, int width = 1280)
    {
        await started.Value;
        var context = await browser!.NewContextAsync(
            new()
            {
                JavaScriptEnabled = hasScript,
                BaseURL = Address,
                ViewportSize = new() { Width = width, Height = 800 },
                Permissions = ["clipboard-read", "clipboard-write"],
                ColorScheme = ColorScheme.Light,
            }
        );
        context.SetDefaultTimeout(30_000);
        if (isRoot)
        {
            var actor = new JsonObject { ["a"] = new JsonObject { ["id"] = "root" } };
            var value = new ValueSigner(Secret).Sign(actor.ToJsonString(), "actor");
            await context.AddCookiesAsync([
                new()
                {
                    Name = "ds_actor",
                    Value = value,
                    Url = Address,
                },
            ]);
        }
        return await context.NewPageAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (browser is not null)
        {
            await browser.DisposeAsync();
        }
        playwright?.Dispose();
        if (server is not null)
        {
            await server.DisposeAsync();
        }
        folder.Dispose();
    }

    private async Task StartAsync()
    {
        var chromium = Require.Program("chromium");
        var port = Processes.FreePort();
        Address = $"http://127.0.0.1:{port}";
        Make("space.db", await File.ReadAllTextAsync(Repository.PathOf("samples", "space.sql"), CancellationToken.None));
        Make("things.db", ThingsSql);
        Make("forms.db", FormsSql);
        var metadata = await File.ReadAllTextAsync(Repository.PathOf("samples", "metadata.yaml"), CancellationToken.None);
        metadata = metadata.Replace("$PWD/demo/replica", folder.Combine("replica"), StringComparison.Ordinal);
        await File.WriteAllTextAsync(folder.Combine("metadata.yaml"), metadata, CancellationToken.None);
        await File.WriteAllTextAsync(folder.Combine("queries.yaml"), Queries, CancellationToken.None);
        server = TestProcess.Start(
            Repository.ProgramOf("Datasette.Door"),
            [
                "serve",
                "space.db",
                "things.db",
                "forms.db",
                "-m",
                "metadata.yaml",
                "-c",
                "queries.yaml",
                "--root",
                "--secret",
                Secret,
                "-h",
                "127.0.0.1",
                "-p",
                $"{port}",
            ],
            new Dictionary<string, string?> { ["DATASETTE_LOAD_PLUGINS"] = null },
            folder.Path
        );
        Assertions.SetDefaultExpectTimeout(20_000);
        playwright = await Playwright.CreateAsync();
        browser = await playwright.Chromium.LaunchAsync(
            new()
            {
                ExecutablePath = chromium,
                Headless = true,
                Args =
                [
                    "--no-sandbox",
                    "--disable-gpu",
                    "--disable-quic",
                    "--no-first-run",
                    "--disable-background-networking",
                    "--disable-component-update",
                    "--disable-sync",
                ],
            }
        );
        await Processes.WaitForPortAsync(port, TimeSpan.FromSeconds(60), server, CancellationToken.None);
    }

    private void Make(string name, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={folder.Combine(name)};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private const string Queries = """
        databases:
          things:
            queries:
              tagged:
                title: Things with a tag
                description: All things that carry one tag.
                sql: select id, name, tags from things where tags like '%' || :tag || '%'
              rename:
                title: Rename a thing
                sql: update things set name = :name where id = :id
                write: true
              secret:
                sql: select 1 as one
                hide_sql: true
          forms:
            tables:
              records:
                column_types:
                  site: url
        """;

    /// <summary>What is changed by the tests of the forms: each has rows or a table of its own.</summary>
    private const string FormsSql = """
        create table owners (id integer primary key, name text not null);
        insert into owners values (1, 'Ada'), (2, 'Grace');
        create table records (
            id integer primary key, title text not null, note text, big integer, ratio real, owner_id integer references owners(id), extra json,
            state text not null default 'new' check (state in ('new', 'old')), site text, picture blob, length integer generated always as (length(title)) virtual
        );
        insert into records (id, title, note, big, ratio, extra, picture) values
            (1, 'First', null, 9007199254740993, 0.1, '{"a": 1}', x'89504e47'),
            (2, 'Second', '', 9223372036854775807, 1e300, null, null),
            (3, 'Third', 'two' || char(13, 10) || 'lines', 1, 1.5, '[1]', zeroblob(2000)),
            (4, 'Fourth', 'four', 4, 4.5, null, null),
            (5, 'Fifth', 'five', 5, 5.5, null, null),
            (6, 'Sixth', 'six', 6, 6.5, null, null),
            (7, 'Seventh', 'seven', 7, 7.5, null, x'0102');
        create table pairs (a text, b text, value integer, primary key (a, b));
        insert into pairs values ('x', 'y', 1), ('x/1', 'ü, ~', 2);
        create table loose (name text, amount integer);
        insert into loose values ('one', 1), ('two', 2);
        create table codes (code text primary key, name text) without rowid;
        insert into codes values ('a', 'Alpha');
        create table keyboard (id integer primary key, name text not null);
        create table writing (id integer primary key, name text not null);
        create table changing (id integer primary key, name text, old text);
        insert into changing values (1, 'kept', 'gone');
        create table many (id integer primary key, name text not null, amount integer, note text);
        insert into many values (1, 'first', 1, null);
        create table looks (id integer primary key, name text not null, kind_id integer references owners(id), weight real, tags json, note text, picture blob);
        insert into looks values
            (1, 'Agate', 1, 2.6, '["hard", "banded"]', null, x'89504e47'),
            (2, 'Birch', 2, 0.65, '["light"]', replace(hex(zeroblob(90)), '00', 'a long note '), zeroblob(2000));
        """;

    /// <summary>All kinds of values, a table that is too long to count, one with many columns, one without rows, compound keys.</summary>
    private const string ThingsSql = $$"""
        create table kinds (id integer primary key, name text not null);
        insert into kinds values (1, 'mineral'), (2, 'plant');
        create table things (
            id integer primary key, name text not null, kind_id integer references kinds(id), weight real, tags text, link text, note text, picture blob
        );
        insert into things values
            (1, 'Agate', 1, 2.6, '["hard", "banded"]', 'https://example.com/' || replace(hex(zeroblob(60)), '00', 'agate'), null, x'89504e47'),
            (2, 'Birch', 2, 0.65, '["light"]', null, replace(hex(zeroblob(90)), '00', 'a long note '), zeroblob(2000)),
            (3, 'Chalk', 1, 2.5, '["soft", "white"]', '', '<b>not bold</b> & "quoted"', null);
        create table numbers (id integer primary key, half real, third integer);
        with recursive c(x) as (select 1 union all select x + 1 from c where x < {{LongTableRowsText}}) insert into numbers select x, x / 2.0, x % 3 from c;
        create table wide (id integer primary key, {{WideColumns}});
        insert into wide (id, column_0) values (1, 'first'), (2, 'second');
        create table empties (id integer primary key, name text);
        create table pairs (a text, b text, value integer, primary key (a, b));
        insert into pairs values ('x', 'y', 1), ('x/1', 'ü', 2);
        create table no_key (name text, amount integer);
        insert into no_key values ('one', 1), ('two', 2);
        create view names as select name from things;
        """;

    private const string LongTableRowsText = "10500";
    private const string WideColumns =
        "column_0 text, column_1 text, column_2 text, column_3 text, column_4 text, column_5 text, column_6 text, column_7 text, "
        + "column_8 text, column_9 text, column_10 text, column_11 text, column_12 text, column_13 text, column_14 text, column_15 text, "
        + "column_16 text, column_17 text, column_18 text, column_19 text, column_20 text, column_21 text, column_22 text, column_23 text";
}
