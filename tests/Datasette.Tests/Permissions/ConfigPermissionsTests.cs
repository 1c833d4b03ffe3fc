using System.Text.Json.Nodes;
using Datasette.Databases;
using Datasette.Permissions;
using Xunit;

namespace Datasette.Tests.Permissions;

public class ConfigPermissionsTests
{
    private static readonly PermissionAction ViewInstance = new("view-instance", "vi", "", ResourceKind.Global, true);
    private static readonly PermissionAction ViewDatabase = new("view-database", "vd", "", ResourceKind.Database, true);
    private static readonly PermissionAction ViewTable = new("view-table", "vt", "", ResourceKind.Table, true);
    private static readonly PermissionAction ExecuteSql = new("execute-sql", "es", "", ResourceKind.Database, true, "view-database");
    private static readonly PermissionAction InsertRow = new("insert-row", "ir", "", ResourceKind.Table);

    [Theory]
    [Trait("Rule", "C091")]
    [InlineData("true", null, true)]
    [InlineData("false", """{"id":"root"}""", false)]
    [InlineData("1", null, true)]
    [InlineData("0", null, false)]
    [InlineData("{}", """{"id":"root"}""", false)]
    [InlineData("""{"id":"root"}""", null, false)]
    [InlineData("""{"id":"root"}""", """{"id":"root"}""", true)]
    [InlineData("""{"id":["a","b"]}""", """{"id":"b"}""", true)]
    [InlineData("""{"id":"*"}""", """{"id":"x"}""", true)]
    [InlineData("""{"id":"*"}""", """{"name":"x"}""", false)]
    [InlineData("""{"roles":"staff"}""", """{"id":"x","roles":["dev","staff"]}""", true)]
    [InlineData("""{"roles":["a","staff"],"id":"y"}""", """{"id":"x","roles":["staff"]}""", true)]
    [InlineData("""{"id":1}""", """{"id":1.0}""", true)]
    [InlineData("""{"id":1}""", """{"id":"1"}""", false)]
    [InlineData("""{"admin":true}""", """{"admin":1}""", true)]
    [InlineData("""{"unauthenticated":true}""", null, true)]
    [InlineData("""{"unauthenticated":true}""", """{"id":"x"}""", false)]
    [InlineData("""{"unauthenticated":1}""", null, false)]
    [InlineData("\"yes\"", """{"id":"x"}""", false)]
    [InlineData("[1]", """{"id":"x"}""", false)]
    public void AllowBlock_Matches(string allow, string? actor, bool expected)
    {
        Assert.Equal(expected, AllowBlock.Matches(Actor(actor), JsonNode.Parse(allow)));
    }

    [Fact]
    public async Task Instance_Private_IsForRootOnly()
    {
        const string Config = """{"allow": {"id": "root"}}""";
        foreach (var action in (PermissionAction[])[ViewInstance, ViewDatabase, ViewTable])
        {
            Assert.False(await AllowedAsync(Config, null, action, new("d", "t")));
            Assert.True(await AllowedAsync(Config, """{"id":"root"}""", action, new("d", "t")));
        }

        // Other actions are none of its business.
        Assert.True(await AllowedAsync(Config, null, ExecuteSql, new("d")));
    }

    [Fact]
    [Trait("Rule", "C092")]
    public async Task Table_OpensInsideAClosedDatabase_AndClosesInsideAnOpenOne()
    {
        const string Config = """
            {"databases": {
              "closed": {"allow": {"id": "root"}, "tables": {"public": {"allow": true}}},
              "open": {"tables": {"secret": {"allow": {"id": "root"}}}}}}
            """;
        Assert.False(await AllowedAsync(Config, null, ViewDatabase, new("closed")));
        Assert.False(await AllowedAsync(Config, null, ViewTable, new("closed", "other")));
        Assert.True(await AllowedAsync(Config, null, ViewTable, new("closed", "public")));
        Assert.True(await AllowedAsync(Config, null, ViewTable, new("open", "t1")));
        Assert.False(await AllowedAsync(Config, null, ViewTable, new("open", "secret")));
        Assert.True(await AllowedAsync(Config, """{"id":"root"}""", ViewTable, new("open", "secret")));
    }

    [Fact]
    [Trait("Rule", "C090")]
    [Trait("Rule", "C094")]
    public async Task AllowSqlAndPermissions_AtTheirLevels()
    {
        const string Config = """
            {"allow_sql": false, "permissions": {"insert-row": {"id": "boss"}}, "databases": {
              "d": {"allow_sql": {"id": ["a", "b"]}, "tables": {"t": {"permissions": {"insert-row": {"id": "ci"}}}}}}}
            """;
        Assert.False(await AllowedAsync(Config, """{"id":"a"}""", ExecuteSql, new("other")));
        Assert.True(await AllowedAsync(Config, """{"id":"a"}""", ExecuteSql, new("d")));
        Assert.False(await AllowedAsync(Config, """{"id":"c"}""", ExecuteSql, new("d")));
        Assert.True(await AllowedAsync(Config, """{"id":"ci"}""", InsertRow, new("d", "t")));
        Assert.False(await AllowedAsync(Config, """{"id":"ci"}""", InsertRow, new("d", "u")));
        Assert.False(await AllowedAsync(Config, """{"id":"boss"}""", InsertRow, new("d", "t")));
        Assert.True(await AllowedAsync(Config, """{"id":"boss"}""", InsertRow, new("d", "u")));
    }

    [Theory]
    [InlineData("""{"a": ["vi", "vd", "vt"]}""", "open", "t1", true)]
    [InlineData("""{"a": ["vi"]}""", "open", "t1", false)]
    [InlineData("""{"d": {"open": ["vt"]}}""", "open", "t1", true)]
    [InlineData("""{"d": {"open": ["vt"]}}""", "nosql", "t1", false)]
    [InlineData("""{"r": {"open": {"t1": ["view-table"]}}}""", "open", "t1", true)]
    [InlineData("""{"r": {"open": {"t1": ["vt"]}}}""", "open", "t2", false)]
    [InlineData("""{"a": ["view-table"]}""", "open", "secret", false)]
    [InlineData("{}", "open", "t1", false)]
    [InlineData("[]", "open", "t1", false)]
    public async Task Restrictions_CanOnlyReduce(string restrictions, string database, string table, bool expected)
    {
        const string Config = """{"databases": {"open": {"tables": {"secret": {"allow": {"id": "root"}}}}}}""";
        var actor = $$"""{"id":"u","_r":{{restrictions}}}""";
        Assert.Equal(expected, await AllowedAsync(Config, actor, ViewTable, new(database, table)));
    }

    [Fact]
    public async Task Restrictions_DenyAbove_IsNotUndoneBelow()
    {
        const string Config = """{"databases": {"d": {"allow": {"id": "root"}, "tables": {"t": {"allow": true}}}}}""";
        Assert.True(await AllowedAsync(Config, """{"id":"u"}""", ViewTable, new("d", "t")));
        Assert.False(await AllowedAsync(Config, """{"id":"u","_r":{"r":{"d":{"t":["vt"]}}}}""", ViewTable, new("d", "t")));
        Assert.True(await AllowedAsync(Config, """{"id":"root","_r":{"r":{"d":{"t":["vt"]}}}}""", ViewTable, new("d", "t")));
    }

    [Fact]
    public void Rules_OfAnActionThatNobodyMentions_AreNone()
    {
        Assert.Null(ConfigPermissions.Rules((JsonObject)JsonNode.Parse("""{"allow": true}""")!, null, InsertRow));
    }

    private static Actor? Actor(string? json) => json is null ? null : new Actor((JsonObject)JsonNode.Parse(json)!);

    private static async Task<bool> AllowedAsync(string config, string? actorJson, PermissionAction action, Resource resource)
    {
        var actor = Actor(actorJson);
        var rules = new List<PermissionSql>();
        if (action.DefaultAllow)
        {
            rules.Add(PermissionSql.Everywhere("default", true, "default"));
        }

        PermissionSql?[] more =
        [
            ConfigPermissions.Rules((JsonObject)JsonNode.Parse(config)!, actor, action),
            ActorRestrictions.Of(actor, action)?.ToSql(),
        ];
        rules.AddRange(more.OfType<PermissionSql>());
        await using var database = Database.PrivateMemory("m", new DatabaseOptions());
        var question = PermissionSqlBuilder.IsAllowed([new(action, actor, rules)], resource);
        return (await database.ExecuteAsync(question.Sql, question.Parameters, ct: TestContext.Current.CancellationToken)).Scalar is 1L;
    }
}
