using System.Text.Json.Nodes;
using Datasette.Databases;
using Datasette.Permissions;
using Testing;
using Xunit;

namespace Datasette.Tests.Permissions;

/// <summary>The SQL question against the same rules told in a loop, on random rules.</summary>
public class PermissionSqlBuilderTests
{
    private static readonly PermissionAction ViewTable = new("view-table", "vt", "", ResourceKind.Table, true);
    private static readonly PermissionAction InsertRow = new("insert-row", "ir", "", ResourceKind.Table, AlsoRequires: "view-table");

    private static readonly string[] Parents = ["a", "b", "c'd"];
    private static readonly string[] Children = ["t", "u", "v\"w"];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private sealed record Rule(string? Parent, string? Child, bool Allow);

    private sealed record Side(List<Rule> Rules, List<Resource>? Places);

    [Fact]
    public async Task Question_AgreesWithTheLoop_OnRandomRules()
    {
        var seed = Environment.TickCount;
        var random = new Random(seed);
        await using var database = await CatalogueAsync();
        for (var round = 0; round < 300; round++)
        {
            var first = RandomSide(random);
            var second = RandomSide(random);
            var anonymous = RandomSide(random);
            var requirements = new List<PermissionRequirement> { Requirement(InsertRow, first) };
            if (random.Next(2) == 0)
            {
                requirements.Add(Requirement(ViewTable, second));
            }

            bool Expected(Resource r) => Allows(first, r) && (requirements.Count == 1 || Allows(second, r));
            var resources = Parents.SelectMany(p => Children.Select(c => new Resource(p, c))).ToArray();
            foreach (var resource in (Resource[])[.. resources, Resource.Global, new("a"), new("nope", "nope")])
            {
                var question = PermissionSqlBuilder.IsAllowed(requirements, resource);
                var answer = (await database.ExecuteAsync(question.Sql, question.Parameters, ct: Ct)).Scalar;
                Assert.True(answer is long flag && (flag == 1) == Expected(resource), $"seed {seed}, round {round}, {resource}: {answer}");
            }

            var options = new AllowedListOptions { Anonymous = [Requirement(ViewTable, anonymous)], IncludeReasons = true };
            var list = PermissionSqlBuilder.ListAllowed(requirements, options);
            var rows = (await database.ExecuteAsync(list.Sql, list.Parameters, ct: Ct)).Rows;
            var expected = resources.Where(Expected).Select(r => (r.Parent!, r.Child!, Allows(anonymous, r) ? 0L : 1L)).Order().ToArray();
            Assert.True(
                expected.SequenceEqual(rows.Select(r => ((string)r[0]!, (string)r[1]!, (long)r[2]!)).Order()),
                $"seed {seed}, round {round}: lists differ"
            );
            var count = PermissionSqlBuilder.CountAllowed(requirements, options);
            Assert.Equal((long)expected.Length, (await database.ExecuteAsync(count.Sql, count.Parameters, ct: Ct)).Scalar);
        }
    }

    [Fact]
    public async Task ListAllowed_PagesFiltersAndTellsWhy()
    {
        await using var database = await CatalogueAsync();
        var requirement = new PermissionRequirement(
            ViewTable,
            Actor.WithId("root"),
            [PermissionSql.Everywhere("d", true, "root user"), PermissionSql.Everywhere("d", true, "default allow for view-table")]
        );
        var options = new AllowedListOptions
        {
            Parent = "b",
            Limit = 2,
            Offset = 1,
            IncludeReasons = true,
        };
        var question = PermissionSqlBuilder.ListAllowed([requirement], options);
        var rows = (await database.ExecuteAsync(question.Sql, question.Parameters, ct: Ct)).Rows;
        Assert.Equal(["u", "v\"w"], rows.Select(r => r[1]));
        Assert.Equal("""["d: root user","d: default allow for view-table"]""", rows[0][3]);
    }

    [Fact]
    public async Task Rule_OfAPlugin_MayUseActorActionAndNamesThatOthersUseToo()
    {
        await using var database = await CatalogueAsync();
        const string Sql =
            "select :db as parent, null, :actor_id = 'ann' and :action = 'view-table' and :actor ->> 'id' = 'ann', ':db' -- :db";
        var rules = Parents
            .Take(2)
            .Select(p => new PermissionSql("plugin " + p, Sql, new Dictionary<string, object?> { ["db"] = p }))
            .ToArray();
        foreach (var (actor, expected) in ((Actor?, long)[])[(Actor.WithId("ann"), 1), (Actor.WithId("bob"), 0), (null, 0)])
        {
            var question = PermissionSqlBuilder.IsAllowed([new(ViewTable, actor, rules)], new Resource("b", "t"));
            Assert.Equal(expected, (await database.ExecuteAsync(question.Sql, question.Parameters, ct: Ct)).Scalar);
        }

        var list = PermissionSqlBuilder.ListRules(new(ViewTable, Actor.WithId("ann"), rules), new Resource("b", "t"));
        var row = Assert.Single((await database.ExecuteAsync(list.Sql, list.Parameters, ct: Ct)).Rows);
        Assert.Equal(["b", null, 1L, ":db", "plugin b"], row);
    }

    [Fact]
    public void Rule_WithoutAValueForAParameter_IsRefusedByName()
    {
        var rule = new PermissionSql("careless", "select :x, null, 1, ''", new Dictionary<string, object?>());
        var failure = Assert.Throws<ArgumentException>(() =>
            PermissionSqlBuilder.IsAllowed([new(ViewTable, null, [rule])], Resource.Global)
        );
        Assert.Contains("careless", failure.Message);
    }

    private static bool Allows(Side side, Resource resource)
    {
        bool? Level(Func<Rule, bool> matches) =>
            side.Rules.Where(matches).ToArray() is { Length: > 0 } rules ? rules.All(r => r.Allow) : null;
        var decision =
            (resource.Child is null ? null : Level(r => r.Parent == resource.Parent && r.Child == resource.Child))
            ?? (resource.Parent is null ? null : Level(r => r.Parent == resource.Parent && r.Child is null))
            ?? Level(r => r.Parent is null)
            ?? false;
        return decision
            && (
                side.Places is null
                || side.Places.Any(p => p.Parent is null || (p.Parent == resource.Parent && (p.Child is null || p.Child == resource.Child)))
            );
    }

    private static PermissionRequirement Requirement(PermissionAction action, Side side)
    {
        var rules = side
            .Rules.Select(r => new PermissionSql(
                "source",
                "select :p, :c, :a, 'why'",
                new Dictionary<string, object?>
                {
                    ["p"] = r.Parent,
                    ["c"] = r.Child,
                    ["a"] = r.Allow ? 1 : 0,
                }
            ))
            .ToList();
        if (side.Places is not null)
        {
            var places = new JsonArray([.. side.Places.Select(p => (JsonNode)new JsonArray(p.Parent, p.Child))]);
            rules.Add(
                new PermissionSql("restrict", null, new Dictionary<string, object?> { ["p"] = places.ToJsonString() })
                {
                    RestrictionSql = "select value ->> 0, value ->> 1 from json_each(:p)",
                }
            );
        }

        return new PermissionRequirement(action, null, rules);
    }

    private static Side RandomSide(Random random)
    {
        Resource Place() =>
            random.Next(3) switch
            {
                0 => Resource.Global,
                1 => new Resource(Parents[random.Next(3)]),
                _ => new Resource(Parents[random.Next(3)], Children[random.Next(3)]),
            };
        var rules = Enumerable
            .Range(0, random.Next(7))
            .Select(_ => Place())
            .Select(p => new Rule(p.Parent, p.Child, random.Next(3) > 0))
            .ToList();
        var places = random.Next(3) == 0 ? Enumerable.Range(0, random.Next(4)).Select(_ => Place()).ToList() : null;
        return new Side(rules, places);
    }

    private static async Task<Database> CatalogueAsync()
    {
        var database = Database.SharedMemory("permissions", new DatabaseOptions { TimeLimit = TimeSpan.FromSeconds(20) });
        await database.WriteAsync(
            c =>
            {
                SqlStatement.Execute(c, "create table catalog_tables (database_name, table_name)");
                SqlStatement.Execute(c, "create table catalog_views (database_name, view_name)");
                foreach (var parent in Parents)
                {
                    foreach (var (child, i) in Children.Select((child, i) => (child, i)))
                    {
                        var table = i == 0 ? "catalog_views" : "catalog_tables";
                        SqlStatement.Execute(
                            c,
                            $"insert into {table} values (:p, :c)",
                            new Dictionary<string, object?> { ["p"] = parent, ["c"] = child }
                        );
                    }
                }

                return 0;
            },
            Ct
        );
        return database;
    }
}
