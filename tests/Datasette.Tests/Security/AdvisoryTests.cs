using System.Text.Json.Nodes;
using AngleSharp.Html.Parser;
using Datasette.Databases;
using Datasette.Hosting;
using Datasette.Plugins;
using Datasette.Tests.Conformance;
using Datasette.Tests.Hosting;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Datasette.Tests.Security;

/// <summary>
/// Every security advisory of Datasette since 2021 and every fix that its release notes call a security fix, by its id: GHSA, CVE, issue or release.
/// </summary>
public sealed partial class AdvisoryTests : IDisposable
{
    private readonly TempFolder folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    private string Make(string script, string name = "data.db")
    {
        using var connection = new SqliteConnection($"Data Source={folder.Combine(name)};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = script;
        command.ExecuteNonQuery();
        return folder.Combine(name);
    }

    private string Config(string json)
    {
        File.WriteAllText(folder.Combine("config.json"), json);
        return folder.Combine("config.json");
    }

    private Task<TestServer> StartAsync(string script, string config = "{}", params (string, string)[] settings) =>
        TestServer.StartAsync(
            new ServeOptions
            {
                Files = [Make(script)],
                ConfigFile = Config(config),
                Settings = [.. settings],
                Root = true,
            }
        );

    private const string Mixed = """
        create table pub (id integer primary key, tags text, name text);
        insert into pub values (1, '["a"]', 'one');
        create table priv (id integer primary key, secret text);
        insert into priv values (1, 'CANARY');
        create table link (id integer primary key, pub_id integer references pub(id), secret text);
        insert into link values (1, 1, 'CANARY');
        """;

    private const string Closed = """
        {"databases": {"data": {"allow_sql": false, "tables": {"priv": {"allow": {"id": "root"}}, "link": {"allow": {"id": "root"}}}}}}
        """;

    [Fact]
    [Trait("Advisory", "CVE-2021-32670")]
    public async Task CVE_2021_32670_GHSA_xw7c_jx9m_xh5g_TraceIsEscaped()
    {
        await using var server = await StartAsync(Mixed, "{}", ("settings.trace_debug", "true"));
        const string hostile = "</pre><script>alert(1)</script>";
        foreach (
            var target in new[]
            {
                "/data/pub?_trace=1&name=",
                "/data/-/query?_trace=1&sql=select+:x&x=",
                "/?_trace=1&x=",
                "/data/pub.csv?_trace=1&name=",
            }
        )
        {
            var answer = await server.GetAsync(target + Uri.EscapeDataString(hostile));
            Assert.Equal(200, answer.Status);
            Assert.DoesNotContain("<script>alert", answer.Text, StringComparison.OrdinalIgnoreCase);
        }
        Assert.Contains("num_traces", (await server.GetAsync("/data/pub?_trace=1")).Text, StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Advisory", "CVE-2023-40570")]
    public async Task CVE_2023_40570_GHSA_7ch3_7pp7_7cpq_ApiExplorerTellsNoClosedNames()
    {
        await using var server = await TestServer.StartAsync(
            new ServeOptions
            {
                Files = [Make(Mixed), Make("create table inner_table (id integer primary key)", "closeddb.db")],
                ConfigFile = Config(
                    """{"databases": {"data": {"tables": {"priv": {"allow": false}}}, "closeddb": {"allow": false, "permissions": {"create-table": true}}}}"""
                ),
            }
        );
        var text = (await server.GetAsync("/-/api")).Text;
        Assert.Contains("/data/pub.json", text, StringComparison.Ordinal);
        Assert.DoesNotContain("priv", text, StringComparison.Ordinal);
        Assert.DoesNotContain("closeddb", text, StringComparison.Ordinal);
        await using var closed = await StartAsync("create table x (a)", """{"allow": {"id": "root"}}""");
        Assert.Equal(403, (await closed.GetAsync("/-/api")).Status);
    }

    [Theory]
    [Trait("Advisory", "CVE-2025-64481")]
    [Trait("Rule", "H011")]
    [InlineData("//example.com/foo/bar/")]
    [InlineData("//example.com/")]
    [InlineData("///example.com/foo/")]
    [InlineData("/\\example.com/foo/")]
    [InlineData("//example.com/%2e%2e/")]
    [InlineData("/%09/example.com/")]
    [InlineData("/%5cexample.com/")]
    [InlineData("/%2f%2fexample.com/")]
    [InlineData("//example.com%2f..")]
    [InlineData("/-/api?path=//example.com")]
    [InlineData("/-/api?path=/%5Cexample.com")]
    [InlineData("/-/api?path=/%09/example.com")]
    [InlineData("/-/api?path=/%0A/example.com")]
    [InlineData("/-/api?path=https://example.com")]
    [InlineData("/:memory://example.com")]
    [InlineData("/-/logout?next=//example.com")]
    [InlineData("/-/auth-token?next=https://example.com")]
    [InlineData("/data?sql=select+1&next=//example.com")]
    public async Task CVE_2025_64481_GHSA_w832_gg5g_x44m_NoRedirectLeavesTheHost(string target)
    {
        await using var server = await StartAsync(Mixed);
        foreach (var cookie in new[] { ("X-None", "1"), TestServer.Root })
        {
            var answer = await server.GetAsync(target, cookie);
            if (answer.Header("location") is { } location)
            {
                Assert.StartsWith("/", location, StringComparison.Ordinal);
                Assert.False(
                    location.StartsWith("//", StringComparison.Ordinal) || location.Contains('\\') || location.Contains('\t'),
                    location
                );
            }
        }
    }

    [Theory]
    [Trait("Advisory", "simonw/datasette#2868")]
    [InlineData("arraycontains")]
    [InlineData("arraynotcontains")]
    [InlineData("exact")]
    [InlineData("date")]
    [InlineData("in")]
    [InlineData("isnull")]
    public async Task Issue2868_1_0a38_ColumnOfAFilterIsNoSql(string op)
    {
        await using var server = await StartAsync(Mixed, Closed);
        foreach (
            var column in new[]
            {
                "tags\") or 1 in (select 1 from priv) --",
                "tags\" union select 1, secret, 1 from priv --",
                "tags]) union select 1,secret,1 from priv --",
                "tags') or (select secret from priv) like 'C%' --",
            }
        )
        {
            foreach (var format in new[] { ".json", ".csv", "" })
            {
                var answer = await server.GetAsync($"/data/pub{format}?{Uri.EscapeDataString(column)}__{op}=a");
                Assert.True(answer.Status is 200 or 400, answer.Text);
                Assert.DoesNotContain("CANARY", answer.Text, StringComparison.Ordinal);
            }
        }
    }

    [Theory]
    [Trait("Advisory", "1.0a33: names with brackets")]
    [InlineData("we]ird", "co]l")]
    [InlineData("we\"ird", "co\"l")]
    [InlineData("we'ird", "co'l")]
    [InlineData("we`ird", "co`l")]
    [InlineData("t] union select secret from priv --", "c] from priv --")]
    [InlineData("t\" union select secret from priv --", "c\" from priv --")]
    [InlineData("100%_x", "a%b_c")]
    public async Task Release1_0a33_1_0a39_HostileNamesAreQuotedEverywhere(string table, string column)
    {
        static string Quote(string name) => "\"" + name.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";
        var script =
            Mixed
            + $"create table {Quote(table)} ({Quote(column)} text primary key, other integer references pub(id)); insert into {Quote(table)} values ('k', 1), ('l', 1);";
        await using var server = await StartAsync(script, Closed);
        var path = "/data/" + Datasette.Text.TildeEncoding.Encode(table);
        var name = Uri.EscapeDataString(column);
        foreach (
            var target in new[]
            {
                $"{path}.json?_facet={name}",
                $"{path}?_sort={name}",
                $"{path}.json?_sort_desc={name}&_size=1",
                $"{path}.json?_next=k",
                $"{path}/k.json",
                $"{path}.csv?_stream=1",
                $"{path}.json?{name}__exact=k",
                $"{path}.json?{name}__arraycontains=k",
                $"{path}/k.json?_extra=foreign_key_tables",
                $"{path}/-/autocomplete?q=k",
                $"{path}.json?_extra=count,suggested_facets",
                "/data.json",
                "/.json",
                "/data/pub/1.json?_extra=foreign_key_tables",
            }
        )
        {
            var answer = await server.GetAsync(target);
            Assert.True(
                answer.Status is 200 or 400 && (answer.Status == 200 || target.Contains("arraycontains", StringComparison.Ordinal)),
                $"{target}: {answer.Status} {answer.Text}"
            );
            Assert.DoesNotContain("CANARY", answer.Text, StringComparison.Ordinal);
        }
    }

    [Theory]
    [Trait("Advisory", "1.0a39/0.65.4: names in another case")]
    [InlineData("priv", "PRIV")]
    [InlineData("PRIV", "priv")]
    [InlineData("Priv", "pRIV")]
    public async Task Release1_0a39_0_65_4_RulesHoldInAnyCase(string inConfig, string inAddress)
    {
        await using var server = await StartAsync(
            Mixed,
            """{"databases": {"data": {"allow_sql": false, "tables": {"NAME": {"allow": {"id": "root"}}}}}}""".Replace(
                "NAME",
                inConfig,
                StringComparison.Ordinal
            )
        );
        foreach (var name in new[] { "priv", inConfig, inAddress })
        {
            foreach (var path in new[] { ".json", "", ".csv", "/1.json", "/-/schema.json", "/-/autocomplete?q=C", "/-/fragment" })
            {
                var answer = await server.GetAsync($"/data/{name}{path}");
                Assert.True(answer.Status is 403 or 404, $"/data/{name}{path}: {answer.Status}");
                Assert.DoesNotContain("CANARY", answer.Text, StringComparison.Ordinal);
            }
        }
        Assert.Equal(200, (await server.GetAsync("/data/priv.json", TestServer.Root)).Status);
        Assert.DoesNotContain("\"priv\"", (await server.GetAsync("/data.json")).Text, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    [Trait("Advisory", "1.0a39/0.65.4: _through")]
    [Trait("Rule", "H096")]
    public async Task Release1_0a39_0_65_4_ThroughNeedsTheRightToTheTableBetween()
    {
        await using var server = await StartAsync(Mixed, Closed);
        foreach (var table in new[] { "link", "LINK" })
        {
            var through = Uri.EscapeDataString($$"""{"table":"{{table}}","column":"secret","value":"CANARY"}""");
            Assert.Equal(403, (await server.GetAsync("/data/pub.json?_through=" + through)).Status);
            Assert.Equal(403, (await server.GetAsync("/data/pub.csv?_stream=1&_through=" + through)).Status);
        }
        var open = Uri.EscapeDataString("""{"table":"link","column":"secret","value":"CANARY"}""");
        Assert.Equal(200, (await server.GetAsync("/data/pub.json?_through=" + open, TestServer.Root)).Status);
    }

    [Fact]
    [Trait("Advisory", "1.0a39/0.65.4: caches")]
    [Trait("Rule", "H029")]
    public async Task Release1_0a39_0_65_4_WhatIsMadeForOneVisitorIsKeptByNobodyBetween()
    {
        await using var server = await StartAsync(Mixed);
        foreach (var path in new[] { "/data/pub", "/data/pub.json", "/data/pub/1", "/data/pub/1.json", "/data/pub.csv" })
        {
            var open = await server.GetAsync(path);
            Assert.Equal("max-age=5", open.Header("cache-control"));
            Assert.Contains("Cookie", open.Header("vary"), StringComparison.Ordinal);
            Assert.Contains("Authorization", open.Header("vary"), StringComparison.Ordinal);
            Assert.StartsWith("private", (await server.GetAsync(path, TestServer.Root)).Header("cache-control"), StringComparison.Ordinal);
        }
    }

    [Fact]
    [Trait("Advisory", "1.0a39/0.65.4: extensions")]
    [Trait("Rule", "C017")]
    public async Task Release1_0a39_0_65_4_SqlLoadsNoExtension()
    {
        await using var server = await StartAsync(Mixed);
        var answer = await server.GetAsync("/data/-/query.json?sql=select+load_extension('x')");
        Assert.Equal(400, answer.Status);
        using var connection = new SqliteConnection($"Data Source={folder.Combine("data.db")};Pooling=False");
        connection.Open();
        // As the host leaves a connection after it has loaded what it was told to.
        connection.EnableExtensions(true);
        connection.EnableExtensions(false);
        Assert.Contains(
            "not authorized",
            Assert.Throws<SqliteException>(() => SqlStatement.Scalar(connection, "select load_extension('x')")).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    [Trait("Advisory", "1.0a39/0.65.4: detection of full-text indexes")]
    public async Task Release1_0a39_0_65_4_FtsOfANameWithWildcardsIsNoOthers()
    {
        var script = """
            create table "a_b" (id integer primary key, x text); create table "aXb" (id integer primary key, x text);
            create virtual table aXb_fts using fts5(x, content="aXb"); insert into aXb values (1, 'CANARY'); insert into aXb_fts (aXb_fts) values ('rebuild');
            create table "%" (id integer primary key, x text);
            """;
        await using var server = await StartAsync(script);
        var tables = JsonNode.Parse((await server.GetAsync("/data.json")).Text)!["tables"]!.AsArray();
        string? Fts(string name) => (string?)tables.Single(table => (string)table!["name"]! == name)!["fts_table"];
        Assert.Null(Fts("a_b"));
        Assert.Null(Fts("%"));
        Assert.Equal("aXb_fts", Fts("aXb"));
    }
}
