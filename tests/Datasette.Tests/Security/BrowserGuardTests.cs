using System.Text.Json.Nodes;
using AngleSharp.Dom;
using AngleSharp.Html.Parser;
using Datasette.Hosting;
using Datasette.Plugins;
using Datasette.Tests.Conformance;
using Datasette.Tests.Hosting;
using Datasette.Text;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Datasette.Tests.Security;

/// <summary>What a browser is told and given: no script but ours, whatever is in the data; only this host; limits before work.</summary>
public sealed partial class BrowserGuardTests(ITestOutputHelper output) : IDisposable
{
    private readonly TempFolder folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    private static readonly string[] Hostile =
    [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "'><svg onload=alert(1)>",
        "</textarea><script>alert(1)</script>",
        "</title><script>alert(1)</script>",
        "--></style><script>alert(1)</script>",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)//https://x",
        "https://x/\"onmouseover=\"alert(1)",
        "https://x/?'><script>alert(1)</script>",
        "data:text/html,<script>alert(1)</script>",
        "{{constructor.constructor('alert(1)')()}}",
        "${alert(1)}",
        "\u2028alert(1)\u2029",
        "<a href=\"javascript:alert(1)\">x</a>",
        "<iframe srcdoc=\"<script>alert(1)</script>\">",
        "<base href=//evil.example>",
        "<meta http-equiv=refresh content=0;url=//evil.example>",
        "\0<script>alert(1)</script>",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
    ];

    [Fact]
    [Trait("Rule", "H244")]
    public async Task HostileNamesAndValues_MakeNoPageThatScripts()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("DATASETTE_SEED"), out var given) ? given : Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var (table, column, database) = (Next(random), Next(random), "da<b>ta\"' onx=1");
        var file = folder.Combine(database + ".db");
        using (var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = file, Pooling = false }.ToString()))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText =
                $"pragma foreign_keys = 0; create table {Quote(table)} (id integer primary key, {Quote(column)} text, other text); create view {Quote("v" + table)} as select * from {Quote(table)};"
                + $"create table child (id text primary key, parent integer references {Quote(table)}(id), u text, e text, j text, l text); insert into child values ('<b>', 1, 'https://x/\"onx=', 'a@b.c', '[\"</pre><script>\"]', '<script>')";
            command.ExecuteNonQuery();
            foreach (var value in Hostile)
            {
                command.CommandText = $"insert into {Quote(table)} ({Quote(column)}, other) values (@v, @v)";
                command.Parameters.Clear();
                command.Parameters.AddWithValue("@v", value);
                command.ExecuteNonQuery();
            }
        }
        var config = new JsonObject
        {
            ["databases"] = new JsonObject
            {
                [database] = new JsonObject
                {
                    ["queries"] = new JsonObject
                    {
                        ["q<b>"] = new JsonObject
                        {
                            ["sql"] = $"select :p, {Quote(column)} from {Quote(table)}",
                            ["title"] = Hostile[0],
                            ["description"] = Hostile[1],
                        },
                    },
                    ["tables"] = new JsonObject
                    {
                        [table] = new JsonObject { ["label_column"] = column, ["facets"] = new JsonArray(column) },
                        ["child"] = new JsonObject
                        {
                            ["column_types"] = new JsonObject
                            {
                                ["u"] = "url",
                                ["e"] = "email",
                                ["j"] = "json",
                                ["l"] = "textarea",
                            },
                        },
                    },
                },
            },
        };
        var metadata = new JsonObject
        {
            ["title"] = Next(random),
            ["description"] = Next(random),
            ["license"] = Next(random),
            ["license_url"] = "javascript:alert(1)",
            ["source"] = Next(random),
            ["source_url"] = " javascript:alert(1)",
            ["about"] = Next(random),
            ["about_url"] = "java\tscript:alert(1)",
            ["databases"] = new JsonObject
            {
                [database] = new JsonObject
                {
                    ["title"] = Next(random),
                    ["tables"] = new JsonObject
                    {
                        [table] = new JsonObject
                        {
                            ["title"] = Next(random),
                            ["description"] = Next(random),
                            ["columns"] = new JsonObject { [column] = Next(random) },
                        },
                    },
                },
            },
        };
        await File.WriteAllTextAsync(folder.Combine("c.json"), config.ToJsonString(), Ct);
        await File.WriteAllTextAsync(folder.Combine("m.json"), metadata.ToJsonString(), Ct);
        await using var server = await TestServer.StartAsync(
            new ServeOptions
            {
                Files = [file],
                Root = true,
                ConfigFile = folder.Combine("c.json"),
                MetadataFile = folder.Combine("m.json"),
                Settings = [("settings.trace_debug", "true")],
            }
        );
        var (d, t) = ("/" + TildeEncoding.Encode(database), TildeEncoding.Encode(table));
        var n = Uri.EscapeDataString(column);
        var evil = Uri.EscapeDataString(Next(random));
        string[] targets =
        [
            "/",
            "/-/",
            d,
            $"{d}/{t}",
            $"{d}/v{t}",
            $"{d}/{t}/1",
            $"{d}/{t}/7",
            $"{d}/child",
            $"{d}/child/~3Cb~3E",
            $"{d}/{t}?_facet=other&_facet={n}",
            $"{d}/{t}?{n}__contains={evil}",
            $"{d}/{t}?_sort={n}&_next={evil}",
            $"{d}/{t}?_search={evil}&_x={evil}",
            $"{d}/{t}?_where={evil}",
            $"{d}/{t}?_trace=1&x={evil}",
            $"{d}/-/query?sql={evil}",
            $"{d}/-/query?sql=select+:{"p"}&p={evil}",
            $"{d}/-/query?sql=select+*+from+{Uri.EscapeDataString(Quote(table))}",
            $"{d}/q~3Cb~3E?p={evil}",
            $"{d}/-/schema",
            $"{d}/{t}/-/schema",
            "/-/schema",
            $"{d}/-/queries?q={evil}",
            $"/-/queries?q={evil}",
            "/-/api",
            "/-/config",
            "/-/actor",
            "/-/permissions",
            $"/-/allow-debug?actor={evil}&allow={evil}",
            $"/-/check?action={evil}",
            $"/-/allowed?action=view-table&parent={evil}",
            "/-/create-token",
            "/-/messages",
            "/-/patterns",
            "/-/logout",
            "/-/debug/autocomplete",
            $"{d}/-/execute-write?sql={evil}",
            $"{d}/-/queries/store?sql={evil}",
            $"{d}/{evil}",
            $"/{evil}",
            $"{d}/{t}/{evil}",
            $"{d}/{t}/-/fragment",
        ];
        var pages = 0;
        foreach (var target in targets)
        {
            var answer = await server.GetAsync(
                target,
                TestServer.Cookie(new() { ["id"] = "root", ["name"] = Hostile[random.Next(Hostile.Length)] })
            );
            if (answer.Header("content-type")?.StartsWith("text/html", StringComparison.Ordinal) == true)
            {
                pages++;
                await CheckPageAsync(target, answer);
            }
            Assert.True(answer.Status < 500, $"{target} {answer.Status} {answer.Text[..Math.Min(300, answer.Text.Length)]}");
        }
        Assert.True(pages > 35, $"{pages} pages");
    }

    /// <summary>The page keeps the policy that it is sent with, and the policy forbids what a value could do.</summary>
    private static async Task CheckPageAsync(string target, Answer answer)
    {
        var policy = answer.Header("content-security-policy");
        Assert.True(policy is not null, target);
        Assert.Contains("script-src 'self';", policy, StringComparison.Ordinal);
        Assert.Contains("script-src-attr 'none'", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.Equal("nosniff", answer.Header("x-content-type-options"));
        var page = await new HtmlParser().ParseDocumentAsync(answer.Text, Ct);
        foreach (var script in page.QuerySelectorAll("script"))
        {
            Assert.True(
                script.GetAttribute("src")?.StartsWith("/-/static/", StringComparison.Ordinal) == true
                    && script.TextContent.Trim().Length == 0,
                $"{target}: {script.OuterHtml}"
            );
        }
        foreach (var element in page.All)
        {
            foreach (var attribute in element.Attributes)
            {
                Assert.False(attribute.Name.StartsWith("on", StringComparison.OrdinalIgnoreCase), $"{target}: {element.OuterHtml}");
                if (attribute.Name is "href" or "src" or "action" or "formaction" or "srcdoc" or "xlink:href")
                {
                    var address = string.Concat(attribute.Value.Where(c => c > ' ')).ToLowerInvariant();
                    Assert.False(
                        address.StartsWith("javascript:", StringComparison.Ordinal)
                            || address.StartsWith("data:text", StringComparison.Ordinal)
                            || address.StartsWith("vbscript:", StringComparison.Ordinal),
                        $"{target}: {element.OuterHtml}"
                    );
                }
            }
        }
        Assert.Empty(page.QuerySelectorAll("base, iframe, object, embed, meta[http-equiv]"));
    }

    private static string Next(Random random) => Hostile[random.Next(Hostile.Length)].Replace("\0", "", StringComparison.Ordinal);

    private static string Quote(string name) => "\"" + name.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";

    [Fact]
    public async Task ConfiguredAndPluginScripts_AreInThePolicy()
    {
        await File.WriteAllTextAsync(
            folder.Combine("c.json"),
            """{"extra_js_urls": ["https://cdn.example/x.js", {"url": "//other.example:8443/y.js", "module": true}, "/static/z.js", "javascript:alert(1)"]}""",
            Ct
        );
        await using var server = await TestServer.StartAsync(
            new ServeOptions { Memory = true, ConfigFile = folder.Combine("c.json") },
            new ScriptPlugin()
        );
        var answer = await server.GetAsync("/");
        var policy = answer.Header("content-security-policy")!;
        var script = (await new HtmlParser().ParseDocumentAsync(answer.Text, Ct))
            .QuerySelectorAll("script")
            .Single(s => s.TextContent.Contains("plugin", StringComparison.Ordinal));
        var nonce = script.GetAttribute("nonce")!;
        Assert.Contains($"script-src 'self' https://cdn.example other.example:8443 'nonce-{nonce}';", policy, StringComparison.Ordinal);
        Assert.NotEqual(
            nonce,
            (await new HtmlParser().ParseDocumentAsync((await server.GetAsync("/")).Text, Ct))
                .QuerySelector("script[nonce]")!
                .GetAttribute("nonce")
        );
    }

    private sealed class ScriptPlugin : DatasettePlugin
    {
        public override string Name => "scripts";

        public override ValueTask<BodyScript?> ExtraBodyScriptAsync(IDatasette datasette, PageContext page) =>
            ValueTask.FromResult<BodyScript?>(new("/* plugin */"));
    }

    [Fact]
    public void SecretsAndSignatures_AreComparedInConstantTime()
    {
        // Where a secret meets what a stranger sent, only FixedTimeEquals may compare; and nobody compares tokens anywhere else.
        var source = Directory
            .EnumerateFiles(Repository.PathOf("src", "Datasette"), "*.cs", SearchOption.AllDirectories)
            .ToDictionary(file => Path.GetFileName(file), File.ReadAllText);
        Assert.Contains("FixedTimeEquals", source["ValueSigner.cs"], StringComparison.Ordinal);
        Assert.Contains("FixedTimeEquals", source["DatasetteApp.cs"], StringComparison.Ordinal);
        var users = source
            .Where(pair => pair.Value.Contains("rootToken", StringComparison.OrdinalIgnoreCase))
            .Select(pair => pair.Key)
            .Order(StringComparer.Ordinal);
        Assert.Equal(["AuthViews.cs", "DatasetteApp.cs", "ServeCommand.cs"], users);
        Assert.Equal(
            ["ValueSigner.cs"],
            source.Where(pair => pair.Value.Contains("HMACSHA", StringComparison.Ordinal)).Select(pair => pair.Key)
        );
    }
}
