using System.Text.Json.Nodes;
using Datasette.Configuration;
using Testing;
using Xunit;

namespace Datasette.Tests.Configuration;

public sealed class DatasetteConfigTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("a: yes\nb: No\nc: ON\nd: 'yes'\ne: y", """{"a":true,"b":false,"c":true,"d":"yes","e":"y"}""")]
    [InlineData("a: 12\nb: -1_000\nc: 0x1F\nd: 010\ne: 0b101\nf: +5\ng: 0", """{"a":12,"b":-1000,"c":31,"d":8,"e":5,"f":5,"g":0}""")]
    [InlineData("a: 1.5\nb: 1e3\nc: 1.0e+3\nd: .5\ne: 1.\nf: 1.2.3", """{"a":1.5,"b":"1e3","c":1000.0,"d":0.5,"e":1.0,"f":"1.2.3"}""")]
    [InlineData("a: ~\nb:\nc: null\nd: 'null'\ne: !!str 5\nf: ! 5", """{"a":null,"b":null,"c":null,"d":"null","e":"5","f":"5"}""")]
    [InlineData("a: |\n  one\n  two\nb: >\n  one\n  two\nc: \"x\\ty\"", """{"a":"one\ntwo\n","b":"one two\n","c":"x\ty"}""")]
    [InlineData("a: &x {k: 1, l: 2}\nb: *x\nc:\n  <<: *x\n  l: 3", """{"a":{"k":1,"l":2},"b":{"k":1,"l":2},"c":{"l":3,"k":1}}""")]
    [InlineData("a: 1\na: 2\n1: x\non: y", """{"a":2,"1":"x","on":"y"}""")]
    [InlineData("a: [1, {b: c}]\nd: 2001-12-14\ne: :9090", """{"a":[1,{"b":"c"}],"d":"2001-12-14","e":":9090"}""")]
    [InlineData("{a: 1, 'b': NaN}", """{"a":1,"b":"NaN"}""")]
    [InlineData("", "{}")]
    [InlineData("# nothing\n---\n", "{}")]
    [InlineData("""{"a": 1.50, "b": [null, true], "a2": "\u00e9"}""", """{"a":1.50,"b":[null,true],"a2":"é"}""")]
    public void Load_YamlAndJson_MeanWhatTheyMeanToTheOriginal(string text, string expected)
    {
        var config = DatasetteConfig.Load(null, Write("c.json", text), []);
        Assert.Equal(JsonNode.Parse(expected)!.ToJsonString(), config.Root.ToJsonString());
    }

    [Theory]
    [InlineData("{bad: [", ":1:2: not valid JSON")]
    [InlineData("a: 1\nb: [1, 2\nc: 3\n", ":2:")]
    [InlineData("a: 1\n  b: 2\n", ":2:")]
    [InlineData("a: *nope", "nope")]
    [InlineData("a: !!python/object:x y", ":1:")]
    [InlineData("- 1\n- 2", "must hold a mapping of keys to values, not a list")]
    [InlineData("just text", "not a single value")]
    [InlineData("a: 1\n---\nb: 2", ":2:")]
    [InlineData("{\n  \"a\": 1,\n  \"b\" 2\n}", ":3:")]
    [InlineData("x: {a: 1 b: 2}", ":1:")]
    [InlineData("x: {a: {} b: 2}", ":1:")]
    [InlineData("x: [[1] [2]]", ":1:")]
    [InlineData("x: ['a' 'b']", ":1:")]
    [InlineData("x: \"abc", ":1:")]
    public void Load_InvalidFile_NamesFileLineAndColumn(string text, string part)
    {
        var path = Write("bad.yaml", text);
        var failure = Assert.Throws<StartupException>(() => DatasetteConfig.Load(null, path, []));
        Assert.Contains(path, failure.Message);
        Assert.Contains(part, failure.Message);
        Assert.DoesNotContain("\n", failure.Message);
        Assert.Equal(1, failure.ExitCode);
    }

    [Fact]
    public void Load_AliasBomb_IsRefused()
    {
        var text =
            "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
            + string.Concat(Enumerable.Range(1, 9).Select(i => $"a{i}: &a{i} [{string.Join(", ", Enumerable.Repeat($"*a{i - 1}", 9))}]\n"));
        Assert.Contains(
            "too many",
            Assert.Throws<StartupException>(() => DatasetteConfig.Load(null, Write("bomb.yaml", text), [])).Message
        );
        var deep = string.Concat(Enumerable.Repeat("[", 3000));
        Assert.Throws<StartupException>(() => DatasetteConfig.Load(null, Write("deep.yaml", "a: " + deep), []));
        Assert.Throws<StartupException>(() => DatasetteConfig.Load(null, Write("deep.json", deep), []));
    }

    [Fact]
    public void Load_ZeroByte_IsRefusedAtOnce() // found by fuzzing: the parser took ten seconds for it
    {
        using var folder = new TempFolder();
        var file = folder.Combine("zero.yaml");
        File.WriteAllText(file, "title: [\n%a\0\0\0");
        var failure = Assert.Throws<StartupException>(() => DatasetteConfig.Load(file, null, []));
        Assert.Contains("zero.yaml:2:3: not valid JSON or YAML: a zero byte is no text", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_MissingFile_IsWrongUsage()
    {
        var failure = Assert.Throws<StartupException>(() => DatasetteConfig.Load(_folder.Combine("nope.json"), null, []));
        Assert.Equal(2, failure.ExitCode);
        Assert.Contains("nope.json", failure.Message);
    }

    [Fact]
    [Trait("Rule", "C019")]
    [Trait("Rule", "C071")]
    [Trait("Rule", "C074")]
    public void Load_Metadata_MovesConfigurationAndPrunes()
    {
        var metadata = Write(
            "m.yaml",
            """
            title: T
            plugins:
              p: {a: 1}
            databases:
              d:
                allow: {id: root}
                plugins:
                  q: 1
                tables:
                  t:
                    sort: name
                    label_column: n
                    title: Table
                  u:
                    hidden: true
            """
        );
        var settings = Write("c.json", """{"plugins": {"old": 1}, "databases": {"d": {"tables": {"t": {"facets": ["x"]}}}}}""");
        var config = DatasetteConfig.Load(metadata, settings, []);
        Assert.Equal("""{"title":"T","databases":{"d":{"tables":{"t":{"title":"Table"}}}}}""", config.Metadata.ToJsonString());
        Assert.Equal(
            """{"plugins":{"p":{"a":1}},"databases":{"d":{"tables":{"t":{"facets":["x"],"sort":"name","label_column":"n"},"u":{"hidden":true}},"allow":{"id":"root"},"plugins":{"q":1}}}}""",
            config.Root.ToJsonString()
        );
        Assert.True(config.IsHidden("d", "u"));
        Assert.False(config.IsHidden("d", "t"));
        Assert.Empty(config.Warnings);
        Assert.Equal(new SourcePosition(metadata, 3, 7), config.Locate("plugins", "p", "a"));
        Assert.Equal(metadata, config.Locate("databases", "d", "tables", "t", "sort")!.File);
        Assert.Equal(new SourcePosition(settings, 1, 62), config.Locate("databases", "d", "tables", "t", "facets"));
    }

    [Fact]
    public void Load_ConfigurationLeftInMetadata_IsWarnedAbout()
    {
        var metadata = Write("m.yaml", "settings:\n  default_page_size: 3\ndatabases:\n  d:\n    allow_sql: false\n");
        var config = DatasetteConfig.Load(metadata, null, []);
        Assert.Equal(2, config.Warnings.Count);
        Assert.Contains($"{metadata}:1:1: 'settings' has no effect", config.Warnings[0]);
        Assert.Contains($"{metadata}:5:5: 'allow_sql'", config.Warnings[1]);
        Assert.Equal(100, DatasetteSettings.Parse(config.Root["settings"] as JsonObject).DefaultPageSize);
    }

    [Fact]
    [Trait("Rule", "C021")]
    public void Load_SettingOptions_MergeOverTheFile()
    {
        var path = Write("c.yaml", "settings: {default_page_size: 3, allow_facet: true}\nplugins:\n  p: {a: 1, b: 2}\n");
        var config = DatasetteConfig.Load(
            null,
            path,
            [
                ("default_page_size", "5"),
                ("allow_facet", "OFF"),
                ("plugins.p.b", "hello there"),
                ("plugins.litestream.metrics-addr", ":9090"),
                ("databases.docs.allow_sql", """{"id": ["a"]}"""),
                ("nonsense", "1"),
            ]
        );
        Assert.Equal(
            """{"settings":{"default_page_size":5,"allow_facet":false},"plugins":{"p":{"a":1,"b":"hello there"},"litestream":{"metrics-addr":":9090"}},"databases":{"docs":{"allow_sql":{"id":["a"]}}},"nonsense":1}""",
            config.Root.ToJsonString()
        );
        Assert.Equal("-s plugins.litestream.metrics-addr", config.Locate("plugins", "litestream", "metrics-addr")!.ToString());
        Assert.Equal(new SourcePosition(path, 3, 7), config.Locate("plugins", "p", "a"));
        Assert.Equal("-s plugins.p.b", config.Locate("plugins", "p", "b", "below")!.ToString());
        Assert.Null(config.Locate("nothing"));
    }

    [Theory]
    [InlineData("allow_facet", "maybe", "\"settings.allow_facet\" should be on/off/true/false/1/0")]
    [InlineData("default_page_size", "x", "\"settings.default_page_size\" should be an integer")]
    [InlineData("default_page_size", "-1", "\"settings.default_page_size\" should be an integer")]
    public void Load_WrongSettingOption_IsWrongUsage(string name, string value, string message)
    {
        var failure = Assert.Throws<StartupException>(() => DatasetteConfig.Load(null, null, [(name, value)]));
        Assert.Equal((message, 2), (failure.Message, failure.ExitCode));
    }

    [Theory]
    [InlineData("""{"nope": 1}""", "Invalid setting 'nope' in config file")]
    [InlineData(
        """{"default_page_size": "5"}""",
        "Setting 'default_page_size' in config file has incorrect type. Expected int, got str. Value: '5'. Hint: In YAML/JSON config files, remove quotes from boolean and integer values."
    )]
    [InlineData("""{"allow_facet": "off"}""", "Expected bool, got str. Value: 'off'.")]
    [InlineData("""{"allow_facet": 1}""", "Expected bool, got int. Value: 1.")]
    [InlineData("""{"max_csv_mb": true}""", "Expected int, got bool. Value: True.")]
    [InlineData("""{"max_csv_mb": 1.5}""", "Expected int, got float. Value: 1.5.")]
    [InlineData("""{"base_url": ["/"]}""", "Expected str, got list.")]
    [InlineData("""{"base_url": "x/"}""", "must start and end with a slash")]
    [InlineData("""{"max_csv_mb": -1}""", "between 0 and")]
    public void Settings_WrongInAFile_StopTheStart(string settings, string message)
    {
        var failure = Assert.Throws<StartupException>(() => DatasetteSettings.Parse((JsonObject)JsonNode.Parse(settings)!));
        Assert.Contains(message, failure.Message);
        Assert.Equal(1, failure.ExitCode);
    }

    [Fact]
    public void Settings_EveryOneOfTheList_HasItsDefaultAndIsRead()
    {
        var defaults = new DatasetteSettings().ToJson();
        Assert.Equal(DatasetteSettings.All.Select(s => s.Name), defaults.Select(p => p.Key));
        foreach (var setting in DatasetteSettings.All)
        {
            JsonNode changed = setting.Default switch
            {
                bool flag => !flag,
                int number => number + 1,
                _ => "/prefix/",
            };
            Assert.Equal(setting.Default.ToString(), defaults[setting.Name]!.ToString(), ignoreCase: true);
            var block = (JsonObject)JsonNode.Parse(new JsonObject { [setting.Name] = changed }.ToJsonString())!;
            Assert.Equal(block[setting.Name]!.ToJsonString(), DatasetteSettings.Parse(block).ToJson()[setting.Name]!.ToJsonString());
        }

        Assert.Equal(5, DatasetteSettings.Parse((JsonObject)JsonNode.Parse("""{"default_cache_ttl": null}""")!).DefaultCacheTtl);
    }

    [Fact]
    [Trait("Rule", "C077")]
    public void PluginConfig_FallsBackOnlyWhereThereIsNoBlock()
    {
        var config = Config(
            """
            {"plugins": {"p": {"at": "top"}}, "databases": {
              "with": {"plugins": {"p": {"at": "db"}}, "tables": {"t": {"plugins": {"p": {"at": "table"}}}, "u": {}}},
              "other": {"plugins": {"q": 1}}, "bare": {}}}
            """
        );
        Assert.Equal("top", At(config.PluginConfig("p")));
        Assert.Equal("db", At(config.PluginConfig("p", "with")));
        Assert.Null(config.PluginConfig("p", "other"));
        Assert.Equal("top", At(config.PluginConfig("p", "bare")));
        Assert.Equal("top", At(config.PluginConfig("p", "unknown")));
        Assert.Null(config.PluginConfig("p", "bare", fallback: false));
        Assert.Equal("table", At(config.PluginConfig("p", "with", "t")));
        Assert.Equal("db", At(config.PluginConfig("p", "with", "u")));
        Assert.Null(config.PluginConfig("p", "with", "u", fallback: false));
        Assert.Null(config.PluginConfig("nope"));
        Assert.Equal(["databases", "with", "plugins", "p"], config.PluginConfigPath("p", "with"));
    }

    [Fact]
    [Trait("Rule", "C078")]
    public void PluginConfig_ResolvesSecrets_AndHandsOutCopies()
    {
        var file = Write("secret.txt", "s3cret\n");
        var variable = "DATASETTE_TEST_" + Guid.NewGuid().ToString("N");
        Environment.SetEnvironmentVariable(variable, "from env");
        var root = new JsonObject
        {
            ["plugins"] = new JsonObject
            {
                ["p"] = new JsonObject
                {
                    ["env"] = new JsonObject { ["$env"] = variable },
                    ["unset"] = new JsonObject { ["$env"] = variable + "_" },
                    ["list"] = new JsonArray(new JsonObject { ["$file"] = file }),
                    ["two"] = new JsonObject { ["$env"] = variable, ["x"] = 1 },
                },
            },
        };
        var config = Config(root.ToJsonString());
        var resolved = config.PluginConfig("p")!;
        Assert.Equal("from env", (string?)resolved["env"]);
        Assert.Null(resolved["unset"]);
        Assert.Equal("s3cret\n", (string?)resolved["list"]![0]);
        Assert.IsType<JsonObject>(resolved["two"]);
        resolved["env"] = "changed";
        Assert.Equal("from env", (string?)config.PluginConfig("p")!["env"]);
        Assert.Equal(variable, (string?)config.Redacted()["plugins"]!["p"]!["env"]!["$env"]);

        var bad = Assert.Throws<StartupException>(() =>
            Config("""{"plugins": {"p": {"x": {"$file": "/no/such/file"}}}}""").PluginConfig("p")
        );
        Assert.Contains("/no/such/file", bad.Message);
        Assert.Contains("c.json:1:", bad.Message);
    }

    [Fact]
    public void Redacted_MasksWhatSoundsSecret()
    {
        var config = Config(
            """{"plugins": {"p": {"api_token": "x", "Secret-Thing": "y", "nested": [{"password": "z", "fine": 1}], "dsn_url": {"a": 1}, "hash_it": 1}}}"""
        );
        Assert.Equal(
            """{"plugins":{"p":{"api_token":"***","Secret-Thing":"y","nested":[{"password":"***","fine":1}],"dsn_url":"***","hash_it":"***"}}}""",
            config.Redacted().ToJsonString()
        );
    }

    private static string? At(JsonNode? node) => (string?)node?["at"];

    private DatasetteConfig Config(string json) => DatasetteConfig.Load(null, Write("c.json", json), []);

    private string Write(string name, string text)
    {
        var path = _folder.Combine(name);
        File.WriteAllText(path, text);
        return path;
    }
}
