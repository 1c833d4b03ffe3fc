using System.Text;
using System.Text.Json.Nodes;
using Datasette.Configuration;
using Datasette.Databases;
using Datasette.Hosting;
using Datasette.Text;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using Testing;
using Xunit;

namespace Datasette.Tests.Security;

/// <summary>A host with something worth stealing and breaking in every corner, and a look at all of it from outside.</summary>
internal sealed class SandboxWorld : IAsyncDisposable
{
    private const string Secret = "sandbox";
    private readonly TempFolder folder;
    private readonly DatasetteApp app;
    private readonly InProcessClient client;
    private readonly SqliteConnection[] outside;
    private readonly string protectedBefore;

    private SandboxWorld(TempFolder folder, DatasetteApp app)
    {
        this.folder = folder;
        this.app = app;
        client = new InProcessClient(app);
        outside = [.. Names.Select(name => Open(folder.Combine(name)))];
        Writer = new("Cookie", "ds_actor=" + new ValueSigner(Secret).Sign("""{"a":{"id":"w"}}""", "actor"));
        Baseline = Fingerprint();
        protectedBefore = Protected();
    }

    private static readonly string[] Names = ["data.db", "other.db", "locked.db"];

    /// <summary>What nobody of these tests may read, wherever it is kept.</summary>
    public static readonly string[] Canaries = ["CANARY-OTHER", "CANARY-PRIVATE", "CANARY-FILE", "CANARY-QUERY", "CANARY-ENV", "root:x:0"];

    /// <summary>The cookie of a writer with few rights.</summary>
    public KeyValuePair<string, string> Writer { get; }

    /// <summary>What the databases and the folder looked like at first.</summary>
    public string Baseline { get; }

    public static async Task<SandboxWorld> StartAsync()
    {
        var folder = new TempFolder();
        Make(folder, "data.db", Data);
        Make(folder, "other.db", "create table secret (id integer primary key, text text); insert into secret values (1, 'CANARY-OTHER')");
        Make(folder, "locked.db", Table + Locked);
        await File.WriteAllTextAsync(folder.Combine("canary.txt"), "CANARY-FILE");
        await File.WriteAllTextAsync(folder.Combine("config.json"), Config);
        Environment.SetEnvironmentVariable("SANDBOX_CANARY", "CANARY-ENV");
        var app = await DatasetteFactory.StartAsync(
            new ServeOptions
            {
                Files = [.. Names.Select(name => folder.Combine(name))],
                ConfigFile = folder.Combine("config.json"),
                CrossDb = true,
                Secret = Secret,
                Settings = [("settings.sql_time_limit_ms", "100"), ("settings.facet_time_limit_ms", "50")],
            },
            [],
            NullLoggerFactory.Instance,
            TimeProvider.System,
            TestContext.Current.CancellationToken
        );
        var query = new StoredQuery
        {
            Database = "data",
            Name = "hidden",
            Sql = "select 'CANARY-QUERY'",
            IsPrivate = true,
            Source = "user",
            OwnerId = "owner",
        };
        await app.Queries.SaveAsync(query, TestContext.Current.CancellationToken);
        return new(folder, app);
    }

    /// <summary>Sends a request; fails when the answer does not come in a minute: something cannot be interrupted.</summary>
    public async Task<InProcessAnswer> SendAsync(
        string method,
        string target,
        KeyValuePair<string, string>? who = null,
        JsonNode? body = null
    )
    {
        var headers = new List<KeyValuePair<string, string>>();
        if (who is { } cookie)
        {
            headers.Add(cookie);
        }
        if (body is not null)
        {
            headers.Add(new("Content-Type", "application/json"));
        }
        var bytes = body is null ? null : Encoding.UTF8.GetBytes(body.ToJsonString());
        var ct = TestContext.Current.CancellationToken;
        return await client.SendAsync(method, target, headers, bytes, ct).WaitAsync(TimeSpan.FromMinutes(1), ct);
    }

    /// <summary>The canaries of an answer.</summary>
    public static IEnumerable<string> Found(InProcessAnswer answer)
    {
        var text = Encoding.UTF8.GetString(answer.Body) + string.Join('\n', answer.Headers.Select(header => header.Value));
        return Canaries.Where(canary => text.Contains(canary, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>Changes when anybody commits anything to any database, or when a file comes or goes.</summary>
    public string Fingerprint()
    {
        var versions = outside.Select(connection => $"{SqlStatement.Scalar(connection, "pragma data_version")}");
        return string.Join(',', versions) + "|" + Files();
    }

    /// <summary>The files, without those that SQLite makes beside a database.</summary>
    public string Files() =>
        string.Join(
            ',',
            folder
                .Contents()
                .Where(name => !name.EndsWith("-wal", StringComparison.Ordinal) && !name.EndsWith("-shm", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal)
        );

    /// <summary>What has changed of what the writer may not touch; null when nothing has. Rows that hold a canary count, too.</summary>
    public string? Harm()
    {
        var now = Protected();
        if (now != protectedBefore)
        {
            return $"was\n{protectedBefore}\nis\n{now}";
        }
        foreach (var (name, type) in Added())
        {
            if (
                type == "trigger"
                || type == "table" && Rows($"select * from {SqlText.Quote(name)}").Contains("CANARY", StringComparison.Ordinal)
            )
            {
                return $"new {type} {name}";
            }
        }
        return Rows("select * from t").Contains("CANARY", StringComparison.Ordinal) ? "rows of t" : null;
    }

    /// <summary>Views that were not there at first.</summary>
    public IReadOnlyList<string> AddedViews() => Added().Where(added => added.Type == "view").Select(added => added.Name).ToList();

    /// <summary>The table that the writer may change as it was, and nothing that he has made.</summary>
    public void Reset()
    {
        var connection = outside[2];
        SqlStatement.Execute(connection, "pragma foreign_keys = 0");
        foreach (var (name, type) in Added().OrderByDescending(added => added.Type))
        {
            SqlStatement.Execute(connection, $"drop {type} if exists {SqlText.Quote(name)}");
        }
        foreach (var sql in ("drop table if exists t;" + Table).Split(';', StringSplitOptions.RemoveEmptyEntries))
        {
            SqlStatement.Execute(connection, sql);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var connection in outside)
        {
            connection.Dispose();
        }
        await DatasetteFactory.StopAsync(app, NullLogger.Instance, CancellationToken.None);
        folder.Dispose();
    }

    private string Protected()
    {
        var text = new StringBuilder();
        foreach (
            var sql in new[]
            {
                "select * from private",
                "select * from audit",
                "select count(*) from private_fts where private_fts match 'canary'",
                "pragma user_version",
                "pragma journal_mode",
                "select type, name, sql from sqlite_master where name not in ('t') and name in (select name from kept) order by name",
            }
        )
        {
            text.AppendLine(Rows(sql));
        }
        foreach (var other in outside[..2])
        {
            text.AppendLine(Rows("select name, sql from sqlite_master order by name", other));
        }
        return text.Append(Files()).ToString();
    }

    private List<(string Name, string Type)> Added() =>
        SqlStatement
            .Query(
                outside[2],
                "select name, type from sqlite_master where name not in (select name from kept) and name not like 'sqlite_%' and type in ('table', 'view', 'trigger') and name not glob 'atk_*'"
            )
            .Select(row => ((string)row[0]!, (string)row[1]!))
            .ToList();

    private string Rows(string sql, SqliteConnection? connection = null) =>
        string.Join('\n', SqlStatement.Query(connection ?? outside[2], sql).Select(row => string.Join('|', row)));

    private static SqliteConnection Open(string file)
    {
        var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        return connection;
    }

    private static void Make(TempFolder folder, string name, string script)
    {
        using var connection = Open(folder.Combine(name));
        using var command = connection.CreateCommand();
        command.CommandText = script;
        command.ExecuteNonQuery();
    }

    private const string Data = """
        create table t (id integer primary key, name text);
        insert into t values (1, 'one'), (2, 'two'), (3, 'three');
        create table big (id integer primary key, name text);
        with recursive c(x) as (select 1 union all select x + 1 from c where x < 20000) insert into big select x, 'name ' || x from c;
        create view v as select * from t;
        create virtual table f5 using fts5(a);
        insert into f5 values ('x y z'), ('x');
        create virtual table f4 using fts4(x);
        insert into f4 values ('x y');
        create virtual table r using rtree(id, a, b);
        """;

    private const string Table =
        "create table t (id integer primary key, name text);insert into t values (1, 'one'), (2, 'two'), (3, 'three');";

    private const string Locked = """
        create table private (id integer primary key autoincrement, secret text);
        insert into private (secret) values ('CANARY-PRIVATE');
        create index private_index on private (secret);
        create virtual table private_fts using fts5(secret, content=private);
        insert into private_fts (private_fts) values ('rebuild');
        create view private_view as select id, secret from private;
        create table audit (what text);
        create trigger keep after insert on private begin insert into audit values ('added'); end;
        create view t_view as select id, name from t;
        create trigger t_view_insert instead of insert on t_view begin insert into private (secret) values (new.name); end;
        create trigger t_view_delete instead of delete on t_view begin delete from private; end;
        create table link (id integer primary key, t_id integer references t(id), private_id integer references private(id));
        insert into link values (1, 1, 1);
        create table kept (name text);
        insert into kept select name from sqlite_master union all values ('t'), ('kept');
        """;

    private const string Config = """
        {"databases": {
          "other": {"allow": false},
          "data": {"permissions": {"execute-sql": true}},
          "locked": {"allow_sql": false,
            "permissions": {"execute-write-sql": {"id": "w"}, "create-table": {"id": "w"}, "create-view": {"id": "w"}, "store-query": {"id": "w"}},
            "tables": {"private": {"allow": false}, "private_view": {"allow": false}, "private_fts": {"allow": false}, "audit": {"allow": false},
              "private_fts_data": {"allow": false}, "private_fts_idx": {"allow": false}, "private_fts_docsize": {"allow": false}, "private_fts_config": {"allow": false},
              "link": {"allow": false},
              "t": {"permissions": {"insert-row": {"id": "w"}, "update-row": {"id": "w"}, "delete-row": {"id": "w"}, "alter-table": {"id": "w"}}}},
            "queries": {"find": "select * from t where name = :name"}}},
         "writes": {"time_limit_ms": 200},
         "plugins": {"sandbox": {"api": {"$env": "SANDBOX_CANARY"}}}}
        """;
}
