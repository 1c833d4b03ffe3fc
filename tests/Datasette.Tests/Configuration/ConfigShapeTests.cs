using Datasette.Configuration;
using Datasette.Hosting;
using Testing;
using Xunit;

namespace Datasette.Tests.Configuration;

/// <summary>What cannot have been meant is told at the start, with file, line and what belongs there.</summary>
public sealed class ConfigShapeTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    private string Write(string text)
    {
        var file = folder.Combine("x.yaml");
        File.WriteAllText(file, text);
        return file;
    }

    [Theory]
    [InlineData("databases: 5", "1:1: 'databases' must be a mapping of names of databases, not 5.")]
    [InlineData("databases: [data]", "1:1: 'databases' must be a mapping of names of databases, not a list.")]
    [InlineData("databases:\n  data: t.db", "2:3: 'data' must be a mapping of keys and values, not \"t.db\".")]
    [InlineData("databases:\n  data:\n    tables: t", "3:5: 'tables' must be a mapping of names of tables, not \"t\".")]
    [InlineData("databases: {data: {tables: {t: 5}}}", "1:29: 't' must be a mapping of keys and values, not 5.")]
    [InlineData("databases: {data: {queries: [select 1]}}", "1:20: 'queries' must be a mapping of names of queries, not a list.")]
    [InlineData("databases: {data: {queries: {q: 5}}}", "1:30: the query 'q' must be SQL, or a mapping with a key 'sql', not 5.")]
    [InlineData("databases: {data: {queries: {q: {title: x}}}}", "1:30: the query 'q' has no SQL; give it a key 'sql'.")]
    [InlineData("settings: 5", "1:1: 'settings' must be a mapping of names of settings and values, not 5.")]
    [InlineData("plugins: [a]", "1:1: 'plugins' must be a mapping of names of plugins and their configuration, not a list.")]
    [InlineData("allow: root", "1:1: 'allow' must be true, false or a mapping such as {id: root}, not \"root\".")]
    [InlineData("allow: [root]", "1:1: 'allow' must be true, false or a mapping such as {id: root}, not a list.")]
    [InlineData("databases: {data: {allow_sql: 7}}", "1:20: 'allow_sql' must be true, false or a mapping such as {id: root}, not 7.")]
    [InlineData("permissions: root", "1:1: 'permissions' must be a mapping of names of permissions and who has them, not \"root\".")]
    [InlineData(
        "permissions: {view-instance: root}",
        "1:15: 'view-instance' must be true, false or a mapping such as {id: root}, not \"root\"."
    )]
    [InlineData(
        "databases: {data: {tables: {t: {column_types: [a]}}}}",
        "1:33: 'column_types' must be a mapping of names of columns and types, not a list."
    )]
    [Trait("Rule", "C070")]
    public void AValueThatMeansNothing_StopsTheStart(string yaml, string message)
    {
        var file = Write(yaml);
        Assert.Equal($"{file}:{message}", Assert.Throws<StartupException>(() => DatasetteConfig.Load(null, file, [])).Message);
    }

    [Theory]
    [InlineData("databases: 5", "1:1: 'databases' must be a mapping of names of databases, not 5.")]
    [InlineData("databases: {data: {tables: 5}}", "1:20: 'tables' must be a mapping of names of tables, not 5.")]
    [InlineData("databases: {data: {allow: [x]}}", "1:20: 'allow' must be true, false or a mapping such as {id: root}, not a list.")]
    public void SoItIsInMetadata(string yaml, string message)
    {
        var file = Write(yaml);
        Assert.Equal($"{file}:{message}", Assert.Throws<StartupException>(() => DatasetteConfig.Load(file, null, [])).Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("databases:")]
    [InlineData("databases: {data:}")]
    [InlineData("databases: {data: {tables:, queries:, allow:, permissions:, plugins: }}")]
    [InlineData(
        "allow: true\nallow_sql: 0\ndatabases: {data: {allow: {id: [a, b]}, tables: {t: {allow: false}}, queries: {q: select 1, r: {sql: select 2}}}}"
    )]
    [InlineData("my_own_key: 5\nplugins: {p: 5}\ntitle: x\nunits: {m: 1}\ndatabases: {data: {license: x, tables: {t: {units: {a: m}}}}}")]
    public void WhatMeansSomething_Passes(string yaml) => Assert.Empty(DatasetteConfig.Load(null, Write(yaml), []).Warnings);

    [Theory]
    [InlineData("setings: {a: 1}", "1:1: 'setings' has no effect. Did you mean 'settings'?")]
    [InlineData("sql_time_limit_ms: 5", "1:1: 'sql_time_limit_ms' has no effect here: it belongs below 'settings'.")]
    [InlineData("databases: {data: {allow_sqll: false}}", "1:20: 'allow_sqll' has no effect. Did you mean 'allow_sql'?")]
    [InlineData("databases: {data: {tables: {t: {facet: [a]}}}}", "1:33: 'facet' has no effect. Did you mean 'facets'?")]
    public void AKeyThatIsNearlyRight_IsWarnedAbout(string yaml, string warning)
    {
        var file = Write(yaml);
        Assert.Equal($"{file}:{warning}", Assert.Single(DatasetteConfig.Load(null, file, []).Warnings));
    }

    [Fact]
    public void ASettingThatIsNearlyRight_IsWarnedAbout() =>
        Assert.Equal(
            "-s sql_time_limit: 'sql_time_limit' has no effect. Did you mean 'sql_time_limit_ms'?",
            Assert.Single(DatasetteConfig.Load(null, null, [("sql_time_limit", "5000")]).Warnings)
        );

    [Theory]
    [InlineData("settings:\n  default_page_size: '5'", "incorrect type. Expected int, got str.", "2:3)")]
    [InlineData(
        "settings:\n  sql_time_limit: 5",
        "Invalid setting 'sql_time_limit' in config file. Did you mean 'sql_time_limit_ms'?",
        "2:3)"
    )]
    [Trait("Rule", "C062")]
    public void ASetting_IsFoundInItsFile(string yaml, string message, string place)
    {
        var file = Write(yaml);
        var config = DatasetteConfig.Load(null, file, []);
        var failure = Assert.Throws<StartupException>(() =>
            DatasetteSettings.Parse(config.Root["settings"]!.AsObject(), name => config.Locate("settings", name))
        );
        Assert.Contains(message, failure.Message);
        Assert.EndsWith($" ({file}:{place}", failure.Message);
    }

    [Fact]
    public void NamesOfNothing_AreWarnedAbout()
    {
        var file = Write(
            """
            permissions: {view-tabel: false, insert-row: {id: a}}
            plugins: {litestream: {}, known: {}}
            databases:
              data:
                tables: {t: {permissions: {nonsense-here: true}}}
                queries: {q: {sql: select 1, permissions: {view-query: true}}}
                plugins: {litestream: {}}
            """
        );
        Assert.Equal(
            [
                $"{file}:1:15: there is no permission 'view-tabel', so this rule has no effect. Did you mean 'view-table'?",
                $"{file}:2:11: no plugin is called 'litestream' here, so its configuration has no effect.",
                $"{file}:5:32: there is no permission 'nonsense-here', so this rule has no effect.",
            ],
            ConfigNames.Unknown(DatasetteConfig.Load(null, file, []), ["view-table", "insert-row", "view-query"], ["known"])
        );
    }
}
