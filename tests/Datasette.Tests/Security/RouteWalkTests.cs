using System.Text;
using System.Text.RegularExpressions;
using Datasette.Hosting;
using Xunit;

namespace Datasette.Tests.Security;

/// <summary>Every route in every format, by every kind of visitor, under every kind of configuration: the status is the oracle's, and nothing that is closed is told.</summary>
public sealed class RouteWalkTests(ITestOutputHelper output)
{
    public static TheoryData<string> Configs => [.. WalkConfig.All.Select(config => config.Name)];

    [Fact]
    [Trait("Rule", "H040")]
    public async Task EveryRoute_HasProbes()
    {
        await using var world = await WalkWorld.StartAsync(WalkConfig.All[0]);
        var reached = WalkProbes
            .All.Select(probe => FirstMatch(world.Routes, PathOf(probe.Target)))
            .Where(route => route is not null)
            .Select(route => route!.Value.Pattern.ToString())
            .ToHashSet();
        var missed = world.Routes.All.Select(route => route.Pattern.ToString()).Where(pattern => !reached.Contains(pattern)).ToList();
        Assert.True(missed.Count == 0, "routes without a line in WalkProbes.cs:\n" + string.Join('\n', missed));
    }

    [Theory]
    [Trait("Rule", "H050")]
    [Trait("Rule", "H313")]
    [Trait("Rule", "H319")]
    [Trait("Rule", "H330")]
    [Trait("Rule", "H331")]
    [Trait("Rule", "H336")]
    [Trait("Rule", "H337")]
    [Trait("Rule", "C090")]
    [Trait("Rule", "C091")]
    [Trait("Rule", "C092")]
    [Trait("Rule", "C093")]
    [Trait("Rule", "C094")]
    [MemberData(nameof(Configs))]
    public async Task Walk_NoDifferenceFromTheOracle(string name)
    {
        await using var world = await WalkWorld.StartAsync(WalkConfig.All.Single(config => config.Name == name));
        var problems = new List<string>();
        var (requests, deleted) = (0, 0);
        foreach (var walker in Walker.All)
        {
            bool May(string action, string? parent = null, string? child = null) => world.Oracle.May(walker.Actor, action, parent, child);
            var closed = Closed(May);
            foreach (var probe in WalkProbes.All)
            {
                if (!IsServed(world, probe))
                {
                    continue;
                }
                var expected = probe.Status(May, walker);
                // HEAD is GET without a body: shown once.
                foreach (var method in probe.Method == "GET" && name == WalkConfig.All[3].Name ? new[] { "GET", "HEAD" } : [probe.Method])
                {
                    var target = probe.Target;
                    if (target.Contains("{n}", StringComparison.Ordinal))
                    {
                        target = target.Replace("{n}", $"{++deleted}", StringComparison.Ordinal);
                    }
                    var answer = await world.SendAsync(walker, method, target, probe.Body, probe.Type);
                    requests++;
                    if (answer.Status != expected)
                    {
                        problems.Add($"{walker.Name}: {method} {target} -> {answer.Status}, the oracle says {expected}");
                    }
                    // These pages are for those who look after rights: names are what they are about.
                    var own = target.StartsWith("/-/actor", StringComparison.Ordinal) ? walker.Actor?.ToJsonString() ?? "" : "";
                    var isTool =
                        May("permissions-debug")
                        && (
                            target.StartsWith("/-/rules", StringComparison.Ordinal)
                            || target.StartsWith("/-/permissions", StringComparison.Ordinal)
                        );
                    // What one may do something to is no secret either, though one may not look at it.
                    var isOther =
                        target.StartsWith("/-/allowed", StringComparison.Ordinal) && !target.Contains("=view-", StringComparison.Ordinal);
                    var words = isTool || isOther ? [] : closed.Where(word => !own.Contains(word, StringComparison.Ordinal)).ToList();
                    problems.AddRange(
                        Leaks(words, probe, target, answer).Select(leak => $"{walker.Name}: {method} {target} tells of {leak}")
                    );
                }
                Assert.True(deleted < WalkWorld.Expendable);
            }
        }
        output.WriteLine($"{requests} requests, {Walker.All.Length} visitors, {world.Routes.All.Count} routes");
        Assert.True(problems.Count == 0, $"{problems.Count} differences:\n" + string.Join('\n', problems.Take(60)));
    }

    [Fact]
    [Trait("Rule", "H009")]
    [Trait("Rule", "H008")]
    public async Task OtherMethods_AreRefusedOnEveryRoute()
    {
        await using var world = await WalkWorld.StartAsync(WalkConfig.All[0]);
        var problems = new List<string>();
        foreach (var probe in WalkProbes.All.DistinctBy(probe => PathOf(probe.Target)))
        {
            if (FirstMatch(world.Routes, PathOf(probe.Target)) is not { Methods.Length: > 0 } route)
            {
                continue;
            }
            foreach (var walker in Walker.All.Where(walker => walker.Name is "anonymous" or "root"))
            {
                foreach (var method in new[] { "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "POST" })
                {
                    if (!route.Methods.Split(' ').Contains(method))
                    {
                        var answer = await world.SendAsync(walker, method, probe.Target, "{}");
                        if (answer.Status != 405)
                        {
                            problems.Add($"{walker.Name}: {method} {probe.Target} -> {answer.Status}");
                        }
                    }
                }
            }
        }
        Assert.True(problems.Count == 0, string.Join('\n', problems.Take(40)));
    }

    /// <summary>Routes that this build has not; of all others there is a probe.</summary>
    private static bool IsServed(WalkWorld world, Probe probe) =>
        !(probe.Target.Contains("foreign-key", StringComparison.Ordinal) || probe.Target.Contains("/-/alter", StringComparison.Ordinal))
        || world.Routes.All.Any(route =>
            route.Pattern.ToString() is var pattern
            && (
                pattern.Contains("foreign-key-", StringComparison.Ordinal) && probe.Target.Contains("foreign-key", StringComparison.Ordinal)
                || pattern.Contains("/-/alter", StringComparison.Ordinal) && probe.Target.Contains("/-/alter", StringComparison.Ordinal)
            )
        );

    /// <summary>Words that this visitor must never read.</summary>
    private static List<string> Closed(May may)
    {
        var words = new List<string>();
        void Add(bool isOpen, params string[] more) => words.AddRange(isOpen ? [] : more);
        // Whoever may run SQL in a database reads all of it: schema and rows.
        var openSql = may("execute-sql", "opn");
        Add(may("view-table", "opn", "zqtab") || openSql, "zqtab", "zqcol", "zqval", "zqmeta", "ZqTab");
        Add(may("view-table", "opn", "zqview") || openSql, "zqview", "ZQVIEW");
        Add(may("view-query", "opn", "zqquery"), "zqquery", "zqsqltext");
        Add(may("view-query", "opn", "zquq"), "zquq");
        var closedSql = may("execute-sql", "zqdb");
        Add(may("view-table", "zqdb", "zqclosedtab") || closedSql, "zqclosedtab", "zqclosedcol", "zqclosedval");
        Add(may("view-database", "zqdb"), "zqdbmeta");
        Add(may("view-database", "zqdb") || may("view-table", "zqdb", "public_table") || may("view-table", "zqdb", "zqclosedtab"), "zqdb");
        return words;
    }

    private static IEnumerable<string> Leaks(List<string> closed, Probe probe, string target, InProcessAnswer answer)
    {
        var text =
            Encoding.UTF8.GetString(answer.Body)
            + "\n"
            + string.Join('\n', answer.Headers.Select(header => header.Key + ": " + header.Value));
        // What the visitor has typed himself may come back to him.
        foreach (var word in closed.Where(word => !target.Contains(word, StringComparison.OrdinalIgnoreCase)))
        {
            if (
                text.Contains(word, StringComparison.Ordinal)
                && !(probe.ShowsDefinition && word == "zqtab")
                && !(probe.ShowsColumns && word.EndsWith("col", StringComparison.Ordinal))
            )
            {
                yield return word;
            }
        }
    }

    private static (Regex Pattern, string Methods)? FirstMatch(DatasetteRoutes routes, string path)
    {
        foreach (var route in routes.All)
        {
            if (route.Pattern.IsMatch(path))
            {
                return route;
            }
        }
        return null;
    }

    private static string PathOf(string target) => target.Split('?')[0].Replace("{n}", "1", StringComparison.Ordinal);
}
