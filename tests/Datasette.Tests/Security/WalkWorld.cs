using System.Text.Json.Nodes;
using Datasette.Configuration;
using Datasette.Databases;
using Datasette.Hosting;
using Datasette.Litestream;
using Datasette.Text;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using Testing;
using Xunit;

namespace Datasette.Tests.Security;

/// <summary>One way of configuring the same databases.</summary>
internal sealed record WalkConfig(string Name, string Json, bool DefaultDeny = false, bool DefaultAllowSql = true)
{
    private const string Queries = """
        "q": "select 1 as one",
        "zqquery": {"sql": "select 'zqsqltext' as two", "title": "zqquery title" ALLOW}
        """;

    /// <summary>Every block that a configuration may have, at every level, and some names in another case than the schema's.</summary>
    public static readonly WalkConfig[] All =
    [
        new("default", Make("{}")),
        new("default-deny", Make("{}"), DefaultDeny: true),
        new(
            "default-deny with grants",
            Make(
                """
                {"permissions": {"view-instance": true, "debug-menu": {"id": "bob"}},
                 "databases": {"opn": {"permissions": {"view-database": {"id": "alice"}, "execute-sql": {"id": "alice"}},
                   "tables": {"t1": {"permissions": {"view-table": true, "insert-row": {"id": ["bob", "u"]}}}},
                   "queries": {"q": {"permissions": {"view-query": {"unauthenticated": true}}}}}}}
                """
            ),
            DefaultDeny: true
        ),
        new(
            "blocks at every level",
            Make(
                """
                {"databases": {
                  "opn": {"allow_sql": {"id": "alice"},
                    "permissions": {"create-table": {"id": "bob"}, "execute-write-sql": {"id": "bob"}, "store-query": {"id": ["alice", "bob"]},
                      "create-view": {"id": "bob"}, "drop-view": false},
                    "tables": {"ZqTab": {"allow": {"id": ["alice", "root"]}}, "ZQVIEW": {"allow": false},
                      "t1": {"permissions": {"insert-row": {"id": "bob"}, "update-row": {"id": "bob"}, "delete-row": {"roles": ["staff"]},
                        "alter-table": {"id": "bob"}, "drop-table": {"id": "bob"}, "set-column-type": {"id": "bob"}}},
                      "del": {"permissions": {"delete-row": {"id": "bob"}}}},
                    "queries": {"q": {}, "zqquery": {"allow": {"roles": "staff"}}}},
                  "zqdb": {"allow": {"id": "root"}, "tables": {"public_table": {"allow": true}}},
                  "nosql": {"allow_sql": false, "permissions": {"insert-row": {"id": "u"}}},
                  "imm": {"permissions": {"view-database-download": {"id": "alice"}, "insert-row": true}}}}
                """
            )
        ),
        new(
            "private instance",
            Make(
                """
                {"allow": {"id": ["root", "alice"]}, "permissions": {"litestream-view-status": {"id": "alice"}},
                 "databases": {"opn": {"tables": {"t1": {"allow": true}}, "queries": {"q": {"allow": true}, "zqquery": {"allow": {"id": "alice"}}}},
                   "zqdb": {"allow": {"id": "alice", "roles": "nobody"}}}}
                """
            )
        ),
        new(
            "no SQL",
            Make(
                """
                {"permissions": {"permissions-debug": {"id": "bob"}, "update-row": {"id": "bob"}},
                 "databases": {"opn": {"tables": {"zqtab": {"allow": {"id": "root"}}, "zqview": {"allow": {}}},
                   "queries": {"q": {}, "zqquery": {"allow": {}}}}, "zqdb": {"allow": {}}}}
                """
            ),
            DefaultAllowSql: false
        ),
    ];

    private static string Make(string rules)
    {
        var root = JsonNode.Parse(rules)!.AsObject();
        var databases = root["databases"] as JsonObject ?? [];
        root["databases"] = databases;
        var open = databases["opn"] as JsonObject ?? [];
        databases["opn"] = open;
        var queries = JsonNode.Parse("{" + Queries.Replace("ALLOW", "", StringComparison.Ordinal) + "}")!.AsObject();
        foreach (var (name, block) in open["queries"] as JsonObject ?? [])
        {
            var query = queries[name] as JsonObject ?? new JsonObject { ["sql"] = queries[name]!.DeepClone() };
            foreach (var (key, value) in block!.AsObject())
            {
                query[key] = value?.DeepClone();
            }
            queries[name] = query.DeepClone();
        }
        open["queries"] = queries;
        return root.ToJsonString();
    }
}

/// <summary>Who walks.</summary>
/// <param name="Name">For messages.</param>
/// <param name="Actor">The actor that the host makes of the header; null = anonymous.</param>
/// <param name="Header">The header that says so.</param>
internal sealed record Walker(string Name, JsonObject? Actor, KeyValuePair<string, string>? Header)
{
    private static readonly ValueSigner Signer = new("walk");

    public bool IsToken => Actor?.ContainsKey("token") == true;

    public static readonly Walker[] All =
    [
        new("anonymous", null, null),
        Cookie("""{"id": "alice", "roles": ["staff"]}"""),
        Cookie("""{"id": "bob"}"""),
        Cookie("""{"id": "root"}"""),
        Token(
            "table only",
            "u",
            """{"r": {"opn": {"t1": ["vt", "insert-row"], "zqtab": ["vt"]}, "zqdb": {"public_table": ["view-table"]}}}"""
        ),
        Token("database only", "alice", """{"d": {"opn": ["vd", "vt", "es", "vq"], "nosql": ["vd", "vt", "ir"]}}"""),
        Token("writes only", "bob", """{"a": ["ir", "ur", "dr", "ct"]}"""),
        Token("root, looking only", "root", """{"a": ["view-instance", "view-database", "view-table"]}"""),
        Token("nothing", "root", "{}"),
    ];

    private static Walker Cookie(string actor)
    {
        var json = JsonNode.Parse(actor)!.AsObject();
        var signed = Signer.Sign(new JsonObject { ["a"] = json.DeepClone() }.ToJsonString(), "actor");
        return new((string)json["id"]!, json, new("Cookie", "ds_actor=" + signed));
    }

    private static Walker Token(string name, string id, string restrictions)
    {
        var limits = JsonNode.Parse(restrictions)!;
        var payload = new JsonObject
        {
            ["a"] = id,
            ["t"] = DateTimeOffset.UnixEpoch.ToUnixTimeSeconds(),
            ["_r"] = limits.DeepClone(),
        };
        var actor = new JsonObject
        {
            ["id"] = id,
            ["token"] = "dstok",
            ["_r"] = limits.DeepClone(),
        };
        return new($"token: {name}", actor, new("Authorization", "Bearer dstok_" + Signer.Sign(payload.ToJsonString(), "token")));
    }
}

/// <summary>A host with databases in which everything that may be closed to somebody has a name that is found nowhere else.</summary>
internal sealed class WalkWorld : IAsyncDisposable
{
    /// <summary>Rows of the table from which rows are deleted.</summary>
    public const int Expendable = 2000;

    private readonly TempFolder folder;
    private readonly InProcessClient client;

    private WalkWorld(TempFolder folder, DatasetteApp app, WalkConfig config)
    {
        this.folder = folder;
        App = app;
        client = new InProcessClient(app);
        Routes = new DatasetteRoutes(app);
        Oracle = new(JsonNode.Parse(config.Json)!.AsObject(), true, config.DefaultDeny, config.DefaultAllowSql);
        Oracle.UserQueries.Add(("opn", "zquq", "alice", true));
    }

    public DatasetteApp App { get; }

    public DatasetteRoutes Routes { get; }

    public PermissionOracle Oracle { get; }

    public static async Task<WalkWorld> StartAsync(WalkConfig config)
    {
        var folder = new TempFolder();
        Make(folder, "opn.db", Open);
        Make(
            folder,
            "zqdb.db",
            "create table zqclosedtab (id integer primary key, zqclosedcol text); insert into zqclosedtab values (1, 'zqclosedval'); "
                + "create table public_table (id integer primary key, name text)"
        );
        Make(folder, "nosql.db", "create table t1 (id integer primary key, name text)");
        Make(folder, "imm.db", "create table t1 (id integer primary key, name text)");
        await File.WriteAllTextAsync(folder.Combine("config.json"), config.Json);
        await File.WriteAllTextAsync(folder.Combine("metadata.json"), Metadata);
        Directory.CreateDirectory(folder.Combine("files"));
        await File.WriteAllTextAsync(folder.Combine("files/hello.txt"), "hello");
        var app = await DatasetteFactory.StartAsync(
            new ServeOptions
            {
                Files = [folder.Combine("opn.db"), folder.Combine("zqdb.db"), folder.Combine("nosql.db")],
                Immutables = [folder.Combine("imm.db")],
                ConfigFile = folder.Combine("config.json"),
                MetadataFile = folder.Combine("metadata.json"),
                Secret = "walk",
                DefaultDeny = config.DefaultDeny,
                Settings = [("settings.default_allow_sql", config.DefaultAllowSql ? "true" : "false"), ("settings.trace_debug", "true")],
                StaticMounts = [new("files", folder.Combine("files"))],
            },
            [new LitestreamPlugin()],
            NullLoggerFactory.Instance,
            TimeProvider.System,
            TestContext.Current.CancellationToken
        );
        app.RootEnabled = true;
        var own = new StoredQuery
        {
            Database = "opn",
            Name = "zquq",
            Sql = "select 'zquqsql' as a",
            Title = "zquq title",
            IsPrivate = true,
            Source = "user",
            OwnerId = "alice",
        };
        await app.Queries.SaveAsync(own, TestContext.Current.CancellationToken);
        return new(folder, app, config);
    }

    public Task<InProcessAnswer> SendAsync(Walker walker, string method, string target, string? body = null, string? type = null)
    {
        var headers = new List<KeyValuePair<string, string>>();
        if (walker.Header is { } header)
        {
            headers.Add(header);
        }
        if (type is not null)
        {
            headers.Add(new("Content-Type", type));
        }
        var bytes = body is null ? null : System.Text.Encoding.UTF8.GetBytes(body);
        return client.SendAsync(method, target, headers, bytes, TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await DatasetteFactory.StopAsync(App, NullLogger.Instance, CancellationToken.None);
        folder.Dispose();
    }

    private const string Metadata = """
        {"title": "walk", "databases": {"zqdb": {"title": "zqdbmeta"},
          "opn": {"tables": {"zqtab": {"title": "zqmeta", "description": "zqmeta", "columns": {"zqcol": "zqmeta"}}}}}}
        """;

    private const string Open = """
        create table t1 (id integer primary key, name text);
        insert into t1 values (1, 'one'), (2, 'two');
        create table zqtab (id integer primary key, zqcol text);
        insert into zqtab values (1, 'zqval'), (2, 'zqval two');
        create table child (id integer primary key, other_id integer references zqtab(id), t1_id integer references t1(id));
        insert into child values (1, 1, 1), (2, 2, 1), (3, 1, 2);
        create table del (id integer primary key);
        with recursive c(x) as (select 1 union all select x + 1 from c where x < 2000) insert into del select x from c;
        create view v1 as select id, name from t1;
        create view zqview as select id, 'zqviewval' as zqviewcol from t1;
        """;

    private static void Make(TempFolder folder, string name, string script)
    {
        using var connection = new SqliteConnection($"Data Source={folder.Combine(name)};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = script;
        command.ExecuteNonQuery();
    }
}
