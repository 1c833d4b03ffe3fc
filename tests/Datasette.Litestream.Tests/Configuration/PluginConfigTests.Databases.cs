using Datasette.Litestream.Configuration;

namespace Datasette.Litestream.Tests.Configuration;

/// <summary>Which databases go where.</summary>
public sealed partial class PluginConfigTests
{
    [Fact]
    public void P020_CredentialsAndAddress_StandBesideTheDatabases()
    {
        var config = new ConfigSetup
        {
            TopLevel = """{"metrics-addr": ":9", "secret-access-key": "shhh-very-secret", "access-key-id": "AKIDEXAMPLE1234"}""",
        }
            .Database("data", OneFolder)
            .Read();

        ConfigSetup.ShownIs(
            """
            {"dbs": [{"path": "/data/data.db", "replicas": [{"path": "backup"}]}],
             "access-key-id": "…1234", "secret-access-key": "***REDACTED***", "addr": ":9"}
            """,
            config
        );
    }

    [Fact]
    [Trait("Rule", "P055")]
    public void P021_MemoryDatabase_IsSkipped_AndOrderIsThatOfAttaching()
    {
        var config = new ConfigSetup { TopLevel = """{"all-replicate": ["file:///bk/$DB_NAME"]}""" }
            .Memory()
            .Database("zebra")
            .Database("ant")
            .Read();

        Assert.Equal(["zebra", "ant"], config.Databases.Select(entry => entry.Name));
        Assert.Empty(config.Skipped);
    }

    [Fact]
    [Trait("Rule", "P055")]
    public void P022_AllReplicate_ReplacesVariablesAndNamesInOrder()
    {
        var config = new ConfigSetup
        {
            TopLevel = """{"all-replicate": ["file://$DB_DIRECTORY/a/$DB_NAME", "file:///$PWD/b/$DB_NAME-$DB_NAME"]}""",
        }
            .Database("data", path: "/some where/data.db")
            .Read();

        ConfigSetup.ShownIs(
            """
            {"dbs": [{"path": "/some where/data.db", "replicas": [
              {"url": "file:///some where/a/data", "name": "t0"}, {"url": "file:////work dir/b/data-data", "name": "t1"}]}]}
            """,
            config
        );
        Assert.Equal(
            ["/some where/a/data", "/work dir/b/data-data"],
            config.Databases[0].Options.Replicas.Select(replica => replica.Url.Path)
        );
    }

    [Fact]
    [Trait("Rule", "P055")]
    public void P022_ExplicitReplicas_ComeFirst_AndGeneratedNamesStartAtZero()
    {
        var config = new ConfigSetup { TopLevel = """{"all-replicate": ["file:///b/$DB_NAME"]}""" }
            .Database("data", OneFolder)
            .Database("other db")
            .Read();

        Assert.Equal([null, "t0"], config.Databases[0].Options.Replicas.Select(replica => replica.Name));
        Assert.Equal("/b/other db", Assert.Single(config.Databases[1].Options.Replicas).Url.Path);
        ConfigSetup.ShownIs(
            """
            {"dbs": [{"path": "/data/data.db", "replicas": [{"path": "backup"}, {"url": "file:///b/data", "name": "t0"}]},
                     {"path": "/data/other db.db", "replicas": [{"url": "file:///b/other db", "name": "t0"}]}]}
            """,
            config
        );
    }

    [Fact]
    [Trait("Rule", "P055")]
    public void P022_EmptyList_KeepsTheDatabaseButSaysThatNothingIsStored()
    {
        var config = new ConfigSetup { TopLevel = """{"all-replicate": []}""" }
            .Database("data")
            .Read();

        ConfigSetup.ShownIs("""{"dbs": [{"path": "/data/data.db"}]}""", config);
        Assert.Contains("no replica", Assert.Single(config.Notices));
    }

    [Fact]
    [Trait("Rule", "P055")]
    public void P023_ReadingTwice_GivesTheSame()
    {
        var input = new ConfigSetup { TopLevel = """{"all-replicate": ["file:///b/$DB_NAME"]}""" }
            .Database("data", OneFolder)
            .Input();

        var first = PluginConfigReader.Read(input).ShownText();

        Assert.Equal(first, PluginConfigReader.Read(input).ShownText());
    }

    [Fact]
    public void P024_OldVariableDb_BecomesEmptyAndIsSaid()
    {
        var config = new ConfigSetup { TopLevel = """{"all-replicate": ["file:///x/$DB"]}""" }
            .Database("data")
            .Read();

        Assert.Contains("$DB_NAME", Assert.Single(config.Notices));
        Assert.Equal("/x", Assert.Single(config.Databases[0].Options.Replicas).Url.Path);
    }

    [Fact]
    public void P025_DatabaseName_IsUsedAsTheHostShowsIt()
    {
        var config = new ConfigSetup { TopLevel = """{"all-replicate": ["s3://bucket/$DB_NAME"]}""" }
            .Database("data_2", path: "/elsewhere/data.db")
            .Read();

        Assert.Equal("data_2", config.Databases[0].Options.Replicas[0].Url.Path);
    }

    [Fact]
    [Trait("Rule", "P055")]
    public void P026_ImmutableDatabase_IsSkippedAndSaid()
    {
        var config = new ConfigSetup { TopLevel = """{"all-replicate": ["file:///b/$DB_NAME"]}""" }
            .Database("data")
            .Database("fixed", mutable: false)
            .Read();

        Assert.Equal("data", Assert.Single(config.Databases).Name);
        Assert.Equal(new SkippedEntry("fixed", "immutable, not replicated"), Assert.Single(config.Skipped));
    }

    [Fact]
    [Trait("Rule", "P055")]
    public void P026_ImmutableDatabaseWithABlock_StopsTheStart() =>
        Assert.Contains("immutable", new ConfigSetup().Database("fixed", OneFolder, mutable: false).Refusal());

    [Fact]
    public void P029_TwoDatabasesAtOnePlace_StopTheStartNamingBoth()
    {
        var message = new ConfigSetup { TopLevel = """{"all-replicate": ["file:///same"]}""" }
            .Database("one")
            .Database("two")
            .Refusal();

        Assert.Contains("'one' and 'two'", message);
        Assert.Contains("/same", message);
    }

    [Fact]
    public void P029_PlacesAreComparedAfterCleaning() =>
        Assert.Contains(
            "'one' and 'two'",
            new ConfigSetup()
                .Database("one", """{"replicas": [{"path": "/b/x"}]}""")
                .Database("two", """{"replicas": ["file:///b/y/../x/"]}""")
                .Refusal()
        );

    [Fact]
    public void P029_OnePlaceTwiceForOneDatabase_StopsTheStart() =>
        Assert.Contains(
            "two replicas of database 'data'",
            new ConfigSetup().Database("data", """{"replicas": ["s3://b/x", "s3://b/x"]}""").Refusal()
        );
}
