using Litestream.Cli;
using Litestream.Replicas;
using Litestream.S3;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Litestream.Tests.Cli;

public sealed class LitestreamConfigTests
{
    private static readonly ObjectStoreFactory s_stores = new(S3ObjectStore.Backend);

    [Fact]
    public void Parse_EveryKeyInEffect_IsMapped()
    {
        var config = Parse(
            """
            addr: ":9090"
            exec: myapp -x
            shutdown-sync-timeout: 10s
            shutdown-sync-interval: 100ms
            logging: { level: debug, type: json, stderr: true }
            dbs:
              - path: /data/app.db
                meta-path: /meta/app
                monitor-interval: 2s
                checkpoint-interval: 0s
                busy-timeout: 3s
                min-checkpoint-page-count: 10
                max-sync-wal-bytes: 1MiB
                max-local-bytes: 2GB
                legacy-page-frames: yes
                restore-if-db-not-exists: true
                replica:
                  path: /backup/app
                  sync-interval: 5s
            """
        );
        Assert.Equal(":9090", config.MetricsAddress);
        Assert.Equal("myapp -x", config.Exec);
        Assert.Equal(new LogSettings(LogLevel.Debug, LogType.Json, true), config.Logging);
        Assert.Equal(TimeSpan.FromSeconds(10), config.Options.ShutdownSyncTimeout);
        Assert.Equal(TimeSpan.FromMilliseconds(100), config.Options.ShutdownSyncInterval);
        var configured = Assert.Single(config.Databases);
        Assert.True(configured.RestoreIfMissing);
        var db = configured.Options;
        Assert.Same(db, config.Options.Databases[0]);
        Assert.Equal("/data/app.db", db.Path);
        Assert.Equal("/meta/app", db.MetaPath);
        Assert.Equal(TimeSpan.FromSeconds(2), db.MonitorInterval);
        Assert.Equal(TimeSpan.Zero, db.CheckpointInterval);
        Assert.Equal(TimeSpan.FromSeconds(3), db.BusyTimeout);
        Assert.Equal(10, db.MinCheckpointPageCount);
        Assert.Equal(1 << 20, db.MaxSyncWalBytes);
        Assert.Equal(2_000_000_000, db.MaxLocalBytes);
        Assert.True(db.LegacyPageFrames);
        var replica = Assert.Single(db.Replicas);
        Assert.Equal("file", replica.Url.Scheme);
        Assert.Equal("/backup/app", replica.Url.Path);
        Assert.Equal(TimeSpan.FromSeconds(5), replica.SyncInterval);
        Assert.Empty(config.Warnings);
    }

    [Fact]
    public void Parse_Nothing_IsNoDatabases() => Assert.Empty(Parse("# nothing\n").Databases);

    [Fact]
    public void Parse_SeveralReplicasOfBothDialects_AreAllThere()
    {
        var config = Parse(
            """
            dbs:
              - path: /a.db
                replicas:
                  - s3://bucket/a
                  - { type: s3, bucket: other, path: x y/z, name: second }
                  - /backup
            """
        );
        var replicas = config.Options.Databases[0].Replicas;
        Assert.Equal(["s3", "s3", "file"], replicas.Select(r => r.Url.Scheme));
        Assert.Equal("x y/z", replicas[1].Url.Path);
        Assert.Equal("other", replicas[1].Url.Bucket);
        Assert.Equal("second", replicas[1].Name);
    }

    [Fact]
    public void Parse_SettingsAtTheTop_AreDefaultsOfEveryReplicaThatUsesThem()
    {
        var config = Parse(
            """
            access-key-id: global
            region: eu-west-1
            part-size: 8MiB
            sync-interval: 3s
            dbs:
              - path: /a.db
                replicas:
                  - { url: "s3://bucket/a?region=us-east-2" }
                  - { url: s3://bucket/b, access-key-id: own, sync-interval: 4s }
                  - { path: /backup }
            """
        );
        var replicas = config.Options.Databases[0].Replicas;
        Assert.Equal("global", replicas[0].Settings["access-key-id"]);
        Assert.False(replicas[0].Settings.ContainsKey("region"));
        Assert.Equal("8388608", replicas[0].Settings["part-size"]);
        Assert.Equal("own", replicas[1].Settings["access-key-id"]);
        Assert.Equal("eu-west-1", replicas[1].Settings["region"]);
        Assert.Empty(replicas[2].Settings);
        Assert.Equal([3, 4, 3], replicas.Select(r => (int)r.SyncInterval.TotalSeconds));
        Assert.Empty(config.Warnings);
    }

    [Theory]
    [InlineData("dbs:\n  - path: /a.db\n    replika: /x\n", "c.yml:3:5: unknown key 'replika' (did you mean 'replica'?)")]
    [InlineData("dbs:\n  - path: /a.db\n    replica:\n      path: /x\n      colour: blue\n", "c.yml:5:7: unknown key 'colour'")]
    [InlineData("colour: x\nsmell: y\n", "c.yml:1:1: unknown key 'colour'; also unknown: 'smell' (line 2)")]
    [InlineData("logging:\n  Level: debug\n", "c.yml:2:3: unknown key 'Level' (did you mean 'level'?)")]
    [InlineData("monitor-interval: 1s\n", "c.yml:1:1: unknown key 'monitor-interval' (it belongs to dbs[])")]
    [InlineData("path: 1s\n", "c.yml:1:1: unknown key 'path' (it belongs to dbs[] or dbs[].replica)")]
    public void Parse_UnknownKey_IsAnErrorWithPlaceAndNearestKey(string text, string expected)
    {
        var e = Fails(text);
        Assert.Equal(expected, e.Message);
        Assert.NotNull(e.Hint);
    }

    [Fact]
    public void Parse_UnknownKeyButNotStrict_IsAWarning()
    {
        var config = Parse("strict: false\ncolour: blue\ndbs:\n  - { path: /a.db, replika: x, replica: /b }\n");
        Assert.Equal(2, config.Warnings.Count);
        Assert.Contains("c.yml:2:1: unknown key 'colour'", config.Warnings[0], StringComparison.Ordinal);
        Assert.Contains("'replika' (did you mean 'replica'?)", config.Warnings[1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(
        "dbs: [{path: /a, replica: {path: /b, sync-interval: 10}}]",
        "dbs[0].replica.sync-interval: a duration needs a unit (got 10)"
    )]
    [InlineData("dbs: [{path: /a, replica: {path: /b, sync-interval: 1d}}]", "dbs[0].replica.sync-interval: not a duration (got 1d)")]
    [InlineData(
        "dbs: [{path: /a, replica: {path: /b, sync-interval: 0s}}]",
        "dbs[0].replica.sync-interval: must be greater than 0 (got 0s)"
    )]
    [InlineData("snapshot: {interval: 0s}", "snapshot.interval: must be greater than 0 (got 0s)")]
    [InlineData("snapshot: {retention: -1h}", "snapshot.retention: must be greater than 0 (got -1h0m0s)")]
    [InlineData("l0-retention: -1s", "l0-retention: must not be less than 0 (got -1s)")]
    [InlineData("l0-retention-check-interval: 0s", "l0-retention-check-interval: must be greater than 0 (got 0s)")]
    [InlineData("shutdown-sync-timeout: -1s", "shutdown-sync-timeout: must not be less than 0 (got -1s)")]
    [InlineData("shutdown-sync-interval: 0s", "shutdown-sync-interval: must be greater than 0 (got 0s)")]
    [InlineData("heartbeat-url: ftp://x", "heartbeat-url: must be an http or https URL (got ftp://x)")]
    [InlineData("heartbeat-interval: 59s", "heartbeat-interval: must be 1m or more (got 59s)")]
    [InlineData("levels: [{interval: 0s}]", "levels[0].interval: must be greater than 0 (got 0s)")]
    [InlineData("levels: [{}]", "levels[0].interval: must be greater than 0 (got nothing)")]
    [InlineData("logging: {level: loud}", "logging.level: unknown log level (got loud)")]
    [InlineData("logging: {type: xml}", "logging.type: unknown log type (got xml)")]
    [InlineData("socket: {permissions: rw}", "socket.permissions: must be octal permissions (got rw)")]
    [InlineData("part-size: big", "part-size: not a number of bytes (got big)")]
    [InlineData("concurrency: 0", "concurrency: must be greater than 0 (got 0)")]
    [InlineData("dbs: [{path: /a, dir: /b}]", "database config #1: cannot specify both 'path' and 'dir'")]
    [InlineData("dbs: [{replica: /b}]", "database config #1: must specify 'path' or 'dir'")]
    [InlineData("dbs:\n  - path: !a\n    replica: /b", "database config #1: must specify 'path' or 'dir'")]
    [InlineData("dbs: [{path: '', replica: /b}]", "database config #1: must specify 'path' or 'dir'")]
    [InlineData("dbs:\n  - path:\n    replica: /b", "database config #1: must specify 'path' or 'dir'")]
    [InlineData("dbs: [{dir: /a, replica: /b}]", "database config #1: 'dir' needs 'pattern'")]
    [InlineData("dbs: [{path: /a, watch: true, replica: /b}]", "database config #1: 'watch' can only be used with 'dir'")]
    [InlineData("dbs: [{path: /a, meta-dir: /m, replica: /b}]", "database config #1: 'meta-dir' can only be used with 'dir'")]
    [InlineData(
        "dbs: [{dir: /a, pattern: x, meta-dir: /m, meta-path: /n, replica: /b}]",
        "database config #1: cannot specify both 'meta-path' and 'meta-dir'"
    )]
    [InlineData("dbs: [{path: /a}]", "dbs[0]: must specify a replica for /a")]
    [InlineData("dbs: [{path: /a, replica: /b, replicas: [/c]}]", "dbs[0]: cannot specify both 'replica' and 'replicas'")]
    [InlineData("dbs: [{path: /a, replica: {path: s3://b/x}}]", "dbs[0].replica.path: a URL belongs into 'url' (got s3://b/x)")]
    [InlineData("dbs: [{path: /a, replica: {url: s3://b/x, path: y}}]", "dbs[0].replica: cannot use 'url' together with 'path'")]
    [InlineData("dbs: [{path: /a, replica: {url: s3://b/x, bucket: y}}]", "dbs[0].replica: cannot use 'url' together with 'bucket'")]
    [InlineData("dbs: [{path: /a, replica: {type: s3, path: y}}]", "bucket required for s3 replica")]
    [InlineData("dbs: [{path: /a, replica: {url: 's3:///y'}}]", "bucket required for s3 replica")]
    [InlineData("dbs: [{path: /a, replica: {type: sftp, path: y}}]", "user required for sftp replica")]
    [InlineData("dbs: [{path: /a, replica: {type: sftp, user: u, path: y}}]", "host required for sftp replica")]
    [InlineData("dbs: [{path: /a, replica: {type: s4, path: y}}]", "dbs[0].replica.type: unknown replica type (got s4)")]
    [InlineData("dbs: [{path: /a, replica: {sync-interval: 1s}}]", "dbs[0].replica: needs 'url' or 'path'")]
    [InlineData("dbs: [{path: /a, replica: /b}, {path: /x/../a, replica: /c}]", "dbs[1].path: stands also in dbs[0] (got /a)")]
    [InlineData(
        "dbs: [{path: /a, meta-path: /m, replica: /b}, {path: /c, meta-path: /m, replica: /d}]",
        "dbs[1].meta-path: is also used by dbs[0] (got /m)"
    )]
    [InlineData(
        "dbs: [{path: /a, replica: /b}, {path: /c, replica: 'file:///b/'}]",
        "dbs[1].replica: two replicas write to the same place and would destroy one another (got file:///b)"
    )]
    [InlineData("dbs: {path: /a}", "dbs: must be a list, not a group of keys")]
    [InlineData("dbs: [/a.db]", "dbs[0]: must be a group of keys, not a single value")]
    [InlineData("addr: [1]", "addr: must be a single value, not a list")]
    [InlineData("- a", "c.yml:1:1: a configuration file is a group of keys, not a list")]
    [InlineData("addr: x\naddr: y", "c.yml:2:1: key 'addr' stands twice in one group (first on line 1)")]
    public void Parse_WrongValue_SaysWhat(string text, string expected) => Assert.Equal(expected, Fails(text).Message);

    [Theory]
    [InlineData("age: {recipients: [age1abc]}\ndbs: []")]
    [InlineData("dbs: [{path: /a, replica: {path: /b, age: {identities: [x], recipients: [age1abc]}}}]")]
    public void Parse_Encryption_IsRefused(string text) => Assert.Contains("encrypt", Fails(text).Message, StringComparison.Ordinal);

    [Fact]
    public void Parse_ServerSideEncryptionForAFolder_IsRefused() =>
        Assert.Contains(
            "sse-customer-key",
            Fails("dbs: [{path: /a, replica: {path: /b, sse-customer-key: x}}]").Message,
            StringComparison.Ordinal
        );

    [Theory]
    [InlineData("validation: {interval: 1h}", "validation")]
    [InlineData("heartbeat-url: https://example.com/x", "heartbeat-url")]
    [InlineData("socket: {enabled: true}", "socket")]
    [InlineData("mcp-addr: \":3001\"", "mcp-addr")]
    [InlineData("dbs: [{dir: /a, pattern: '*.db', replica: /b}]", "dbs[0].dir")]
    [InlineData("dbs: [{path: /a, replica: {path: /b, retention-check-interval: 1h}}]", "dbs[0].replica.retention-check-interval")]
    [InlineData("dbs: [{path: /a, replica: {path: /b, validation-interval: 24h}}]", "dbs[0].replica.validation-interval")]
    [InlineData("dbs: [{path: /a, replica: {path: /b, region: eu}}]", "dbs[0].replica.region")]
    public void Parse_KeyWithoutEffect_IsNamedInAWarning(string text, string key)
    {
        var warning = Assert.Single(Parse(text).Warnings);
        Assert.Matches($@"^c\.yml:1: {System.Text.RegularExpressions.Regex.Escape(key)} is (not yet in|without) effect: .+", warning);
    }

    [Fact]
    public void Parse_CheckpointThresholds_ReachTheEngine_AndThatOfLitestream03IsExplained()
    {
        var config = Parse(
            "dbs: [{path: /a, min-checkpoint-page-count: 900, max-checkpoint-page-count: 700, truncate-page-n: -1, replica: /b}]"
        );
        var options = Assert.Single(config.Databases).Options;
        Assert.Equal((900, 700, -1), (options.MinCheckpointPageCount, options.MaxCheckpointPageCount, options.TruncatePageN));
        Assert.Matches(@"^c\.yml:1: dbs\[0\]\.max-checkpoint-page-count is read in another way .+ limit", Assert.Single(config.Warnings));
    }

    [Fact]
    public void Parse_DifferentSnapshotSchedules_AreAnErrorUnlessTheTopDecides()
    {
        const string dbs = "dbs: [{path: /a, snapshot: {interval: 1h}, replica: /b}, {path: /c, snapshot: {interval: 2h}, replica: /d}]\n";
        Assert.StartsWith("dbs[1].snapshot.interval:", Fails(dbs).Message, StringComparison.Ordinal);
        Assert.Equal(2, Parse("snapshot: {interval: 3h}\n" + dbs).Databases.Count);
    }

    [Fact]
    public void Parse_AliasesAndMerges_AreFollowed()
    {
        var config = Parse(
            """
            dbs:
              - &first
                path: /a.db
                monitor-interval: 7s
                replica: { path: /b }
              - <<: *first
                path: /c.db
                replica: { path: /d }
            """
        );
        Assert.Equal(["/a.db", "/c.db"], config.Databases.Select(d => d.Options.Path));
        Assert.All(config.Databases, d => Assert.Equal(TimeSpan.FromSeconds(7), d.Options.MonitorInterval));
    }

    [Fact]
    public void Parse_ZeroByte_IsRefusedAtOnce() => // found by fuzzing: the parser took ten seconds for it
        Assert.Equal("c.yml:2:3: a zero byte is no text: this is no YAML file", Fails("dbs: [\n%a\0\0\0").Message);

    [Theory]
    [InlineData("dbs:\n  - path: [\n", "yaml: line 2: ")]
    [InlineData("a: b: c\n", "yaml: line 1: ")]
    [InlineData("dbs:\n\t- path: x\n", "yaml: line 2: ")]
    public void Parse_BrokenYaml_NamesTheLine(string text, string start) =>
        Assert.StartsWith(start, Fails(text).Message, StringComparison.Ordinal);

    [Fact]
    public void Parse_DeepNesting_IsAnErrorAndNoCrash() => Fails("a: " + new string('[', 100_000));

    [Fact]
    public void Parse_AnyText_GivesAConfigurationOrOneClearError() =>
        CsCheck.Check.Sample(
            CsCheck.Gen.String["dbspathrelic:-[]{}&*#!|>'\"\n \t$%@`?,"],
            text =>
            {
                try
                {
                    Parse(text);
                }
                catch (LitestreamException e)
                {
                    Assert.Equal(LitestreamError.InvalidConfiguration, e.Error);
                    Assert.NotEmpty(e.Message);
                }
            }
        );

    [Fact]
    public void Parse_Environment_IsExpandedUnlessToldOtherwise()
    {
        const string text = "dbs: [{path: '/$NAME.db', replica: '/${PID}'}]";
        var source = new ConfigSource(s_stores) { Environment = name => name == "NAME" ? "app" : null };
        var expanded = LitestreamConfig.Parse("c.yml", text, source).Options.Databases[0];
        Assert.Equal("/app.db", expanded.Path);
        Assert.Equal($"/{Environment.ProcessId}", expanded.Replicas[0].Url.Path);
        var plain = LitestreamConfig.Parse("c.yml", text, source with { ExpandEnvironment = false }).Options.Databases[0];
        Assert.Equal("/$NAME.db", plain.Path);
    }

    [Fact]
    public void Parse_Paths_AreAbsoluteAndWithoutPrefix()
    {
        var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        var config = Parse("dbs: [{path: '~/a.db', replica: '~/b'}, {path: 'sqlite:///x/../c.db', replica: /d}, {path: e.db, replica: f}]");
        Assert.Equal([Path.Combine(home, "a.db"), "/c.db", Path.GetFullPath("e.db")], config.Databases.Select(d => d.Options.Path));
        Assert.Equal(Path.Combine(home, "b"), config.Databases[0].Options.Replicas[0].Url.Path);
        Assert.Equal(Path.GetFullPath("f"), config.Databases[2].Options.Replicas[0].Url.Path);
        Assert.NotNull(config.Find("e.db"));
        Assert.Null(config.Find("/a.db"));
    }

    [Fact]
    public void Parse_TypeOfALaterVersion_IsKnownAndRefusedWhenUsed()
    {
        var config = Parse("dbs: [{path: /a, replica: {url: 'gcs://b/x'}}]");
        var replica = config.Options.Databases[0].Replicas[0];
        Assert.Equal("gs", replica.Url.Scheme);
        var e = Assert.Throws<LitestreamException>(() => ReplicaConfig.FromText("gs://b/x", s_stores));
        Assert.Contains("'gs' is not available", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void FromMapping_UnknownKey_NamesTheNearest()
    {
        var mapping = new Dictionary<string, string> { ["url"] = "s3://b/x", ["acces-key-id"] = "k" };
        var e = Assert.Throws<LitestreamException>(() => ReplicaConfig.FromMapping(mapping, s_stores, "databases.app.replica"));
        Assert.Equal("databases.app.replica: unknown key 'acces-key-id' (did you mean 'access-key-id'?)", e.Message);
    }

    [Fact]
    public void FromMapping_TypedValues_AreNormalAndWarningsAreGiven()
    {
        var warnings = new List<string>();
        var mapping = new Dictionary<string, string>
        {
            ["type"] = "s3",
            ["bucket"] = "b",
            ["path"] = "x",
            ["force-path-style"] = "yes",
            ["part-size"] = "10MB",
            ["retention"] = "1h",
        };
        var options = ReplicaConfig.FromMapping(mapping, s_stores, warn: warnings.Add);
        Assert.Equal("true", options.Settings["force-path-style"]);
        Assert.Equal("10000000", options.Settings["part-size"]);
        Assert.False(options.Settings.ContainsKey("retention"));
        Assert.Equal((TimeSpan.FromHours(1), TimeSpan.FromHours(1)), (options.SnapshotRetention, options.SnapshotInterval));
        Assert.Empty(warnings);
    }

    [Fact]
    public void Parse_LevelsSnapshotsAndRetention_ReachEveryReplica()
    {
        var config = Parse(
            """
            levels: [{interval: 10s}, {interval: 2m}]
            snapshot: {interval: 6h}
            l0-retention: 7m
            l0-retention-check-interval: 20s
            verify-compaction: true
            dbs:
              - path: /a
                snapshot: {interval: 1h, retention: 48h}
                replicas:
                  - /b
                  - {path: /c, retention: 72h, snapshot-interval: 12h}
                  - {path: /d, retention: 0s}
            """
        );
        var replicas = config.Databases[0].Options.Replicas;
        Assert.All(replicas, r => Assert.Equal([TimeSpan.FromSeconds(10), TimeSpan.FromMinutes(2)], r.CompactionIntervals));
        Assert.All(
            replicas,
            r => Assert.Equal((7.0, 20.0, true), (r.L0Retention.TotalMinutes, r.L0RetentionCheckInterval.TotalSeconds, r.VerifyCompaction))
        );
        Assert.Equal(
            [(6.0, 48.0), (12.0, 72.0), (6.0, 48.0)],
            replicas.Select(r => (r.SnapshotInterval.TotalHours, r.SnapshotRetention.TotalHours))
        );
        Assert.Equal([true, true, false], replicas.Select(r => r.DeletesOldFiles));
        Assert.Empty(config.Warnings);
        var kept = Parse("retention: {enabled: false}\ndbs: [{path: /a, replica: /b}]");
        Assert.False(kept.Databases[0].Options.Replicas[0].DeletesOldFiles);
        Assert.Contains("retention.enabled is false", Assert.Single(kept.Warnings), StringComparison.Ordinal);
    }

    private static LitestreamConfig Parse(string text) =>
        LitestreamConfig.Parse("c.yml", text, new ConfigSource(s_stores) { Environment = _ => null });

    private static LitestreamException Fails(string text)
    {
        var e = Assert.Throws<LitestreamException>(() => Parse(text));
        Assert.Equal(LitestreamError.InvalidConfiguration, e.Error);
        return e;
    }
}
