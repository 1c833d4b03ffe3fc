using Datasette.Litestream.Configuration;

namespace Datasette.Litestream.Tests.Configuration;

public sealed partial class PluginConfigTests
{
    private const string OneFolder = """{"replicas": [{"path": "backup"}]}""";

    [Fact]
    public void P030_NothingConfigured_IsInert()
    {
        var config = new ConfigSetup().Database("data").Memory().Read();

        Assert.False(config.IsConfigured);
        Assert.Empty(config.Databases);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("null")]
    public void P030_EmptyTopLevel_IsInert(string topLevel) =>
        Assert.False(
            new ConfigSetup { TopLevel = topLevel }
                .Database("data")
                .Read()
                .IsConfigured
        );

    [Fact]
    public void P031_OnlyMetricsAddress_RunsWithoutDatabases()
    {
        var config = new ConfigSetup { TopLevel = """{"metrics-addr": ":9090"}""" }
            .Database("data")
            .Read();

        Assert.True(config.IsConfigured);
        Assert.Empty(config.Databases);
        Assert.Equal(":9090", config.MetricsAddress);
        ConfigSetup.ShownIs("""{"dbs": [], "addr": ":9090"}""", config);
    }

    [Fact]
    public void P011_TopLevelKeys_AreNotInheritedByADatabase()
    {
        var config = new ConfigSetup { TopLevel = """{"access-key-id": "AKIDTOPLEVEL", "metrics-addr": ":1"}""" }
            .Database("one", OneFolder)
            .Database("two")
            .Read();

        Assert.Equal("one", Assert.Single(config.Databases).Name);
        Assert.Equal("not configured, not replicated", Assert.Single(config.Skipped).Reason);
    }

    [Fact]
    public void P012_EnvAndFile_AreResolvedAndHidden()
    {
        var setup = new ConfigSetup
        {
            TopLevel =
                """{"access-key-id": {"$env": "ID"}, "secret-access-key": {"$file": "secret.txt"}, "all-replicate": ["s3://bucket/$DB_NAME"]}""",
        }.Database("data");
        setup.Environment["ID"] = "AKIDFROMENVIRONMENT";
        setup.Files["/work dir/secret.txt"] = "very secret text\n";

        var config = setup.Read();

        var settings = Assert.Single(Assert.Single(config.Databases).Options.Replicas).Settings;
        Assert.Equal("AKIDFROMENVIRONMENT", settings["access-key-id"]);
        Assert.Equal("very secret text", settings["secret-access-key"]);
        var text = config.ShownText();
        Assert.DoesNotContain("AKIDFROM", text);
        Assert.DoesNotContain("very secret", text);
        Assert.Contains("***REDACTED***", text);
    }

    [Fact]
    public void P012_EnvUnset_IsNull()
    {
        var config = new ConfigSetup { TopLevel = """{"access-key-id": {"$env": "NOT_SET_AT_ALL"}}""" }
            .Database("data", OneFolder)
            .Read();

        ConfigSetup.ShownIs("""{"dbs": [{"path": "/data/data.db", "replicas": [{"path": "backup"}]}], "access-key-id": null}""", config);
    }

    [Fact]
    public void P012_FileMissing_StopsTheStart() =>
        Assert.Contains("secret.txt", new ConfigSetup { TopLevel = """{"secret-access-key": {"$file": "secret.txt"}}""" }.Refusal());

    [Fact]
    public void P012_DollarNames_AreExpandedFromTheEnvironment()
    {
        var setup = new ConfigSetup
        {
            TopLevel = """{"all-replicate": ["s3://${BUCKET}/$DB_NAME"], "access-key-id": "$KEY", "secret-access-key": "x"}""",
        }.Database("data");
        setup.Environment["BUCKET"] = "my-bucket";
        setup.Environment["KEY"] = "AKIDEXPANDED";

        var config = setup.Read();

        var replica = Assert.Single(Assert.Single(config.Databases).Options.Replicas);
        Assert.Equal("my-bucket", replica.Url.Bucket);
        Assert.Equal("AKIDEXPANDED", replica.Settings["access-key-id"]);
        Assert.Empty(config.Notices);
    }

    [Fact]
    public void P012_DollarNameUnset_IsEmptyAndSaid()
    {
        var config = new ConfigSetup { TopLevel = """{"access-key-id": "$YOUR_KEY"}""" }
            .Database("data", OneFolder)
            .Read();

        Assert.Contains("YOUR_KEY", Assert.Single(config.Notices));
        Assert.Equal("", (string?)config.Shown["access-key-id"]);
    }

    [Fact]
    public void P012_ValueFromTheEnvironment_IsNotExpandedAgain()
    {
        var setup = new ConfigSetup
        {
            TopLevel = """{"access-key-id": "AKIDEXAMPLE", "secret-access-key": {"$env": "S"}, "all-replicate": ["s3://b/$DB_NAME"]}""",
        }.Database("data");
        setup.Environment["S"] = "pa$HOME$$word";
        setup.Environment["HOME"] = "/root";

        Assert.Equal("pa$HOME$$word", setup.Read().Databases[0].Options.Replicas[0].Settings["secret-access-key"]);
    }

    [Theory]
    [InlineData("all-replicat", "all-replicate")]
    [InlineData("metrics_addr", "metrics-addr")]
    [InlineData("secret-key", null)]
    public void P013_UnknownTopLevelKey_IsNamedWithPlaceAndNearest(string key, string? nearest)
    {
        var message = new ConfigSetup
        {
            TopLevel = $$"""{"{{key}}": 1}""",
            Locate = path => path[^1] == key ? "metadata.yaml line 7" : null,
        }.Refusal();

        Assert.StartsWith($"datasette-litestream: metadata.yaml line 7: unknown key '{key}'", message);
        if (nearest is not null)
            Assert.Contains($"did you mean '{nearest}'?", message);
        Assert.Contains("credentials-refresh-interval", message);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void P014_StringAndMapping_AreBothReplicas()
    {
        var config = new ConfigSetup()
            .Database("data", """{"replicas": ["s3://bucket/one", {"url": "file:///backup/two", "name": "near"}, {"path": "three"}]}""")
            .Read();

        var replicas = Assert.Single(config.Databases).Options.Replicas;
        Assert.Equal([null, "near", null], replicas.Select(replica => replica.Name));
        Assert.Equal(["s3", "file", "file"], replicas.Select(replica => replica.Url.Scheme));
        Assert.Equal("/backup/two", replicas[1].Url.Path);
        Assert.Equal("/work dir/three", replicas[2].Url.Path);
    }

    [Fact]
    public void P014_DatabaseSettings_ReachTheEngineAndThePage()
    {
        var config = new ConfigSetup()
            .Database(
                "data",
                """{"replicas": [{"path": "backup"}], "monitor-interval": "2s", "checkpoint-interval": "30s", "min-checkpoint-page-count": 10, "max-checkpoint-page-count": 100}"""
            )
            .Read();

        var options = Assert.Single(config.Databases).Options;
        Assert.Equal(TimeSpan.FromSeconds(2), options.MonitorInterval);
        Assert.Equal(TimeSpan.FromSeconds(30), options.CheckpointInterval);
        Assert.Equal(10, options.MinCheckpointPageCount);
        Assert.Contains("max-checkpoint-page-count", Assert.Single(config.Notices));
        ConfigSetup.ShownIs(
            """{"dbs": [{"path": "/data/data.db", "replicas": [{"path": "backup"}], "monitor-interval": "2s", "checkpoint-interval": "30s", "min-checkpoint-page-count": 10, "max-checkpoint-page-count": 100}]}""",
            config
        );
    }

    [Theory]
    [InlineData("\"monitor-interval\": 10", "unit")]
    [InlineData("\"monitor-interval\": \"0s\"", "monitor-interval")]
    [InlineData("\"checkpoint-interval\": \"1d\"", "duration")]
    [InlineData("\"min-checkpoint-page-count\": 0", "1 or more")]
    [InlineData("\"min-checkpoint-page-count\": \"many\"", "1 or more")]
    public void P014_WrongValue_StopsTheStart(string setting, string word)
    {
        var message = new ConfigSetup().Database("data", $$"""{"replicas": [{"path": "b"}], {{setting}}}""").Refusal();

        Assert.Contains(word, message);
        Assert.Contains("'data'", message);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"replicas": []}""")]
    [InlineData("""{"monitor-interval": "1s"}""")]
    public void P014_BlockWithoutReplica_StopsTheStart(string block) =>
        Assert.Contains("no replica", new ConfigSetup().Database("data", block).Refusal());

    [Theory]
    [InlineData("""{"replicas": [{}]}""")]
    [InlineData("""{"replicas": [{"type": "s3"}]}""")]
    [InlineData("""{"replicas": [{"url": "nonsense://x/y"}]}""")]
    [InlineData("""{"replicas": [{"path": "b", "buckett": "x"}]}""")]
    [InlineData("""{"replicas": [17]}""")]
    [InlineData("""{"replicas": "backup"}""")]
    public void P032_ReplicaThatCanNeverWork_StopsTheStartNamingDatabaseAndReplica(string block)
    {
        var message = new ConfigSetup().Database("data", block).Refusal();

        Assert.Contains("'data'", message);
        Assert.Contains("replicas", message);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void P015_PathOfADatabase_IsRefused() =>
        Assert.Contains(
            "'path'",
            new ConfigSetup().Database("data", """{"replicas": [{"path": "b"}], "path": "elsewhere.db"}""").Refusal()
        );

    [Fact]
    [Trait("Rule", "P063")]
    public void P015_UnknownDatabaseKey_IsNamedWithNearest()
    {
        var message = new ConfigSetup().Database("data", """{"replica": [{"path": "b"}]}""").Refusal();

        Assert.Contains("unknown key 'replica' for database 'data'", message);
        Assert.Contains("did you mean 'replicas'?", message);
    }

    [Theory]
    [InlineData("9090")]
    [InlineData("\":\"")]
    [InlineData("\"localhost\"")]
    [InlineData("\":99999\"")]
    [InlineData("\"::1:9090\"")]
    public void P050_MetricsAddressWithoutPort_StopsTheStart(string address) =>
        Assert.Contains("metrics-addr", new ConfigSetup { TopLevel = $$"""{"metrics-addr": {{address}}}""" }.Refusal());

    [Theory]
    [InlineData(":9090")]
    [InlineData("127.0.0.1:9090")]
    [InlineData("localhost:1")]
    [InlineData("[::1]:9090")]
    public void P050_MetricsAddress_IsTaken(string address) =>
        Assert.Equal(
            address,
            new ConfigSetup { TopLevel = $$"""{"metrics-addr": "{{address}}"}""" }
                .Read()
                .MetricsAddress
        );

    [Fact]
    [Trait("Rule", "C111")]
    public void P036_CredentialsOfTheEnvironment_AreUsedWhenTheConfigurationHasNone()
    {
        var setup = new ConfigSetup().Database(
            "data",
            """{"replicas": ["s3://b/plain", {"url": "s3://b/own", "access-key-id": "AKIDOWN", "secret-access-key": "SECRETOWN"}]}"""
        );
        setup.Environment["LITESTREAM_ACCESS_KEY_ID"] = "AKIDENVIRONMENT";
        setup.Environment["LITESTREAM_SECRET_ACCESS_KEY"] = "SECRETENVIRONMENT";

        var config = setup.Read();

        var replicas = config.Databases[0].Options.Replicas;
        Assert.Equal("AKIDENVIRONMENT", replicas[0].Settings["access-key-id"]);
        Assert.Equal("SECRETENVIRONMENT", replicas[0].Settings["secret-access-key"]);
        Assert.Equal("AKIDOWN", replicas[1].Settings["access-key-id"]);
        Assert.Equal("x ***REDACTED*** …MENT", config.Redactor.Text("x SECRETENVIRONMENT AKIDENVIRONMENT"));
        Assert.DoesNotContain("ENVIRONMENT", config.ShownText());
    }

    [Fact]
    public void P036_CredentialsOfTheConfiguration_WinOverTheEnvironment()
    {
        var setup = new ConfigSetup { TopLevel = """{"access-key-id": "AKIDCONFIG", "secret-access-key": "SECRETCONFIG"}""" }.Database(
            "data",
            """{"replicas": ["s3://b/x"]}"""
        );
        setup.Environment["LITESTREAM_ACCESS_KEY_ID"] = "AKIDENVIRONMENT";
        setup.Environment["LITESTREAM_SECRET_ACCESS_KEY"] = "SECRETENVIRONMENT";

        Assert.Equal("AKIDCONFIG", setup.Read().Databases[0].Options.Replicas[0].Settings["access-key-id"]);
    }

    [Fact]
    public void P071_ReadmeSecondExample_GivesTwoDestinations()
    {
        var config = new ConfigSetup { TopLevel = """{"all-replicate": ["s3://my-bucket/$DB_NAME"]}""" }
            .Database("one")
            .Database("two")
            .Read();

        Assert.Equal(["one", "two"], config.Databases.Select(entry => entry.Options.Replicas[0].Url.Path));
        Assert.All(config.Databases, entry => Assert.Equal("my-bucket", entry.Options.Replicas[0].Url.Bucket));
    }

    [Fact]
    public void ConfiguredDatabaseThatIsNotAttached_IsSaid()
    {
        var input = new ConfigSetup { TopLevel = """{"metrics-addr": ":1"}""" }.Input() with { ConfiguredNames = ["dtaa"] };

        Assert.Contains("dtaa", Assert.Single(PluginConfigReader.Read(input).Notices));
    }
}
