using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Datasette.Hosting;
using Datasette.Responses;
using Datasette.Text;
using Testing;
using Xunit;

namespace Datasette.Tests.Security;

/// <summary>
/// The corpus of attacks (<c>attacks.jsonl</c>, each with its source) against everything that takes SQL or comes near it. An attack has escaped when
/// something outside its right has changed, a file has come, a canary has come back, the answer is a failure of the host, or it never comes.
/// </summary>
public sealed class SandboxTests(ITestOutputHelper output)
{
    private sealed record Attack(string At, string Source, string Text, string? Message);

    private static List<Attack> Corpus() =>
        File.ReadLines(Repository.PathOf("tests", "Datasette.Tests", "Security", "attacks.jsonl"))
            .Select(line => JsonNode.Parse(line)!)
            .Select(node => new Attack((string)node["at"]!, (string)node["source"]!, (string)node["attack"]!, (string?)node["message"]))
            .ToList();

    [Fact]
    public void Corpus_HasFiveHundredAttacks_EachOnceAndWithItsSource()
    {
        var all = Corpus();
        Assert.True(all.Count >= 500);
        Assert.All(all, attack => Assert.NotEmpty(attack.Source));
        Assert.Equal(all.Count, all.Select(attack => (attack.At, attack.Text, attack.Message)).Distinct().Count());
    }

    [Fact]
    [Trait("Rule", "H095")]
    [Trait("Rule", "H210")]
    [Trait("Rule", "H212")]
    [Trait("Rule", "H351")]
    public async Task Readers_NoAttackEscapes()
    {
        await using var world = await SandboxWorld.StartAsync();
        var problems = new List<string>();
        var (count, all) = (0, Corpus().Where(attack => attack.At is "sql" or "where" or "args" or "table" or "path" or "stored").ToList());
        foreach (var attack in all)
        {
            var target = attack.At switch
            {
                "sql" => $"/data/-/query{(count % 5) switch { 1 => ".csv", 3 => "", _ => ".json" }}?sql={QueryArgs.Escape(attack.Text)}",
                "where" => "/data/t.json?_where=" + QueryArgs.Escape(attack.Text),
                "args" => "/locked/t" + (count % 4 == 1 ? "" : ".json") + "?" + attack.Text,
                "table" => "/locked/t" + attack.Text,
                "stored" => "/locked/find.json?name=" + QueryArgs.Escape(attack.Text),
                _ => attack.Text,
            };
            count++;
            var before = (Environment.TickCount64, Environment.WorkingSet);
            problems.AddRange(await RunAsync(world, attack, () => world.SendAsync("GET", target)));
            var (ms, mb) = (Environment.TickCount64 - before.TickCount64, (Environment.WorkingSet - before.WorkingSet) >> 20);
            if (ms > 1500 || mb > 200)
            {
                output.WriteLine($"{ms} ms, +{mb} MB = {Environment.WorkingSet >> 20} MB: {Short(attack)}");
            }
            if (world.Fingerprint() != world.Baseline)
            {
                problems.Add($"[{attack.Source}] {Short(attack)}: changed something: {world.Baseline} -> {world.Fingerprint()}");
                break;
            }
        }
        output.WriteLine($"{count} attacks on readers");
        Assert.Equal(all.Count, count);
        Assert.True(problems.Count == 0, $"{problems.Count} escapes:\n" + string.Join('\n', problems.Take(60)));
    }

    [Fact]
    [Trait("Rule", "H242")]
    [Trait("Rule", "H243")]
    public async Task Writers_NoAttackEscapes()
    {
        await using var world = await SandboxWorld.StartAsync();
        var problems = new List<string>();
        var (count, accepted) = (0, 0);
        foreach (
            var attack in Corpus().Where(attack => attack.At is "write" or "storedwrite" or "redirect" or "api" or "apicol" or "apicreate")
        )
        {
            foreach (var request in Requests(attack, count++))
            {
                var isOk = false;
                problems.AddRange(
                    await RunAsync(
                        world,
                        attack,
                        async () =>
                        {
                            var answer = await world.SendAsync(request.Method, request.Target, world.Writer, request.Body);
                            isOk = answer.Status < 400;
                            problems.AddRange(Away(attack, answer));
                            return answer;
                        }
                    )
                );
                if (world.Harm() is { } harm)
                {
                    problems.Add($"[{attack.Source}] {Short(attack)}: {harm}");
                    break;
                }
                if (isOk)
                {
                    accepted++;
                    foreach (var view in world.AddedViews())
                    {
                        var path = $"/locked/{TildeEncoding.Encode(view)}.json";
                        problems.AddRange(await RunAsync(world, attack, () => world.SendAsync("GET", path, world.Writer)));
                    }
                    world.Reset();
                }
            }
        }
        output.WriteLine($"{count} attacks on writers, {accepted} requests accepted within their right");
        Assert.True(problems.Count == 0, $"{problems.Count} escapes:\n" + string.Join('\n', problems.Take(60)));
    }

    /// <summary>The sandbox is no wall: what the writer may do, he can.</summary>
    [Theory]
    [InlineData("insert into t (name) values ('new')")]
    [InlineData("update t set name = upper(name) where id = 1 returning id, name")]
    [InlineData("delete from t where id = 3")]
    [InlineData("insert or replace into t values (1, replace('abc', 'b', 'x') || instr('abc', 'c') || trim('  x '))")]
    [InlineData("insert into t (name) select value from json_each('[1,2,3]')")]
    [InlineData("with x(a) as (values ('q')) insert into t (name) select a from x")]
    [InlineData("create table made (id integer primary key, t_id integer references t(id))")]
    [InlineData("create table copy as select * from t")]
    [InlineData("create view seen as select id, upper(name) from t")]
    [InlineData("create view items as select t.id, j.value from t, json_each('[1,2]') j")]
    [InlineData("alter table t add column extra text default 'x'")]
    [InlineData("create index t_name on t (name)")]
    public async Task Writer_DoesWhatHeMay(string sql)
    {
        await using var world = await SandboxWorld.StartAsync();
        var answer = await world.SendAsync("POST", "/locked/-/execute-write", world.Writer, new JsonObject { ["sql"] = sql });
        Assert.True(answer.Status == 200, Encoding.UTF8.GetString(answer.Body));
        Assert.Null(world.Harm());
    }

    private static IEnumerable<(string Method, string Target, JsonNode? Body)> Requests(Attack attack, int number)
    {
        var row = new JsonObject { ["name"] = "x" };
        switch (attack.At)
        {
            case "write":
                yield return ("POST", "/locked/-/execute-write", new JsonObject { ["sql"] = attack.Text });
                yield return ("GET", "/locked/-/execute-write/analyze?sql=" + QueryArgs.Escape(attack.Text), null);
                break;
            case "storedwrite" or "redirect":
                var query = new JsonObject
                {
                    ["name"] = $"mine{number}",
                    ["sql"] = attack.At == "redirect" ? "insert into t (name) values ('x')" : attack.Text,
                };
                query[attack.At == "redirect" ? "on_success_redirect" : "on_success_message_sql"] =
                    attack.At == "redirect" ? attack.Text : attack.Message;
                yield return ("POST", "/locked/-/queries/store", new JsonObject { ["query"] = query });
                yield return ("POST", $"/locked/mine{number}", null);
                yield return ("GET", $"/locked/mine{number}.json", null);
                break;
            case "api":
                var table = "/locked/" + TildeEncoding.Encode(attack.Text);
                yield return ("POST", table + "/-/insert", new JsonObject { ["row"] = row });
                yield return (
                    "POST",
                    table + "/-/upsert",
                    new JsonObject { ["rows"] = new JsonArray(new JsonObject { ["id"] = 1, ["name"] = "x" }) }
                );
                yield return ("POST", table + "/-/drop", new JsonObject { ["confirm"] = true });
                yield return ("POST", table + "/1/-/delete", new JsonObject());
                yield return ("POST", table + "/1/-/update", new JsonObject { ["update"] = row.DeepClone(), ["return"] = true });
                yield return (
                    "POST",
                    "/locked/-/create",
                    new JsonObject
                    {
                        ["table"] = attack.Text,
                        ["row"] = row.DeepClone(),
                        ["replace"] = true,
                        ["pk"] = "id",
                    }
                );
                break;
            case "apicol":
                var odd = new JsonObject { [attack.Text] = "x" };
                yield return ("POST", "/locked/t/-/insert", new JsonObject { ["row"] = odd });
                yield return ("POST", "/locked/t/-/insert", new JsonObject { ["row"] = odd.DeepClone(), ["alter"] = true });
                yield return ("POST", "/locked/t/1/-/update", new JsonObject { ["update"] = odd.DeepClone() });
                yield return (
                    "POST",
                    "/locked/t/-/upsert",
                    new JsonObject { ["rows"] = new JsonArray(new JsonObject { ["id"] = 1, [attack.Text] = "x" }) }
                );
                break;
            default:
                var column = new JsonObject { ["name"] = attack.Text, ["type"] = "text" };
                yield return ("POST", "/locked/-/create", new JsonObject { ["table"] = "made", ["columns"] = new JsonArray(column) });
                yield return (
                    "POST",
                    "/locked/-/create",
                    new JsonObject
                    {
                        ["table"] = "made2",
                        ["row"] = new JsonObject { [attack.Text] = 1 },
                        ["pk"] = attack.Text,
                    }
                );
                yield return (
                    "POST",
                    "/locked/-/create",
                    new JsonObject
                    {
                        ["table"] = attack.Text,
                        ["columns"] = new JsonArray(new JsonObject { ["name"] = "a", ["default_expr"] = attack.Text }),
                    }
                );
                yield return (
                    "POST",
                    "/locked/-/create",
                    new JsonObject
                    {
                        ["table"] = "made3",
                        ["columns"] = new JsonArray(
                            new JsonObject
                            {
                                ["name"] = "a",
                                ["type"] = attack.Text,
                                ["default"] = attack.Text,
                                ["fk_table"] = attack.Text,
                            }
                        ),
                    }
                );
                break;
        }
    }

    private static async Task<List<string>> RunAsync(SandboxWorld world, Attack attack, Func<Task<InProcessAnswer>> send)
    {
        var problems = new List<string>();
        try
        {
            var answer = await send();
            if (answer.Status >= 500)
            {
                problems.Add(
                    $"[{attack.Source}] {Short(attack)}: {answer.Status} {Encoding.UTF8.GetString(answer.Body)[..Math.Min(300, answer.Body.Length)]}"
                );
            }
            problems.AddRange(
                SandboxWorld
                    .Found(answer)
                    .Where(canary => !attack.Text.Contains(canary, StringComparison.OrdinalIgnoreCase))
                    .Select(canary => $"[{attack.Source}] {Short(attack)}: {canary} came back")
            );
        }
        catch (TimeoutException)
        {
            problems.Add($"[{attack.Source}] {Short(attack)}: no answer");
        }
        return problems;
    }

    private static IEnumerable<string> Away(Attack attack, InProcessAnswer answer)
    {
        var location = answer.Headers.FirstOrDefault(header => header.Key == "Location").Value;
        if (
            location is not null
            && (
                !location.StartsWith('/')
                || location.StartsWith("//", StringComparison.Ordinal)
                || location.AsSpan().IndexOfAny('\\', '\t', '\n') >= 0
            )
        )
        {
            yield return $"[{attack.Source}] {Short(attack)}: leads to {location}";
        }
    }

    private static string Short(Attack attack) =>
        $"{attack.At} {JsonSerializer.Serialize(attack.Text.Length > 160 ? attack.Text[..160] + "…" : attack.Text)} {attack.Message}";
}
