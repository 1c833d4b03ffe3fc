using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Datasette.Configuration;
using Datasette.Litestream.Status;
using Datasette.Permissions;
using Litestream;
using Litestream.Replication;
using Testing;

namespace Datasette.Litestream.Tests;

public sealed class HostReplicationTests
{
    private const string AllToFolder = "plugins: {datasette-litestream: {all-replicate: ['file://{{dir}}/bk/$DB_NAME']}}";
    private const string Values = "SELECT group_concat(v, ',') FROM (SELECT v FROM t ORDER BY id)";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task P030_NothingConfigured_StartsNothing()
    {
        await using var host = await FakeHost.StartAsync("plugins: {}", "data");

        Assert.Null(host.Replication);
        Assert.DoesNotContain(host.Folder.Contents(), entry => entry.Contains("litestream", StringComparison.Ordinal));
    }

    [Fact]
    public void P010_KeysOfMetadataConfigurationAndSettings_AreFoundAlike()
    {
        using var folder = new TempFolder();
        var block =
            """{"plugins": {"datasette-litestream": {"metrics-addr": ":9090"}}, "databases": {"d": {"plugins": {"datasette-litestream": {"replicas": ["x"]}}}}}""";
        File.WriteAllText(folder.Combine("file"), block);

        var metadata = DatasetteConfig.Load(folder.Combine("file"), null, []);
        var config = DatasetteConfig.Load(null, folder.Combine("file"), []);
        var setting = DatasetteConfig.Load(null, null, [("plugins.datasette-litestream.metrics-addr", ":9090")]);

        foreach (var read in new[] { metadata, config, setting })
            Assert.Equal(":9090", (string?)read.Root["plugins"]!["datasette-litestream"]!["metrics-addr"]);
        foreach (var read in new[] { metadata, config })
            Assert.Equal("x", (string?)read.Root["databases"]!["d"]!["plugins"]!["datasette-litestream"]!["replicas"]![0]);
    }

    [Fact]
    [Trait("Rule", "P087")]
    public void P040_Permission_IsGlobalAndDeniedByDefault()
    {
        var action = Assert.Single(new LitestreamPlugin().RegisterActions(null!));

        Assert.Equal("litestream-view-status", action.Name);
        Assert.Equal(ResourceKind.Global, action.Kind);
        Assert.False(action.DefaultAllow);
        Assert.Null(action.AlsoRequires);
    }

    [Fact]
    public async Task P031_OnlyMetricsAddress_ServesAnEmptyEndpointAndAPage()
    {
        await using var host = await FakeHost.StartAsync("plugins: {datasette-litestream: {metrics-addr: '127.0.0.1:0'}}", "data");

        var page = LitestreamStatusView.Read(host, host.Replication!);
        Assert.Equal("alive", page.ProcessState);
        Assert.Equal("not configured, not replicated", Assert.Single(page.Databases).NotReplicated);
    }

    [Fact]
    public async Task P033_Start_CopiesTheDatabaseWithoutARequest()
    {
        await using var host = await FakeHost.StartAsync(AllToFolder, "data");

        await Restored.BecomesAsync(host.Folder.Combine("bk", "data"), Values, "first");
    }

    [Fact]
    public async Task P072_WriteThroughTheHost_IsRestorableFromEveryReplica()
    {
        await using var host = await FakeHost.StartAsync(
            """
            plugins: {datasette-litestream: {all-replicate: ['file://{{dir}}/bk/$DB_NAME', 'file://{{dir}}/second/$DB_NAME']}}
            databases: {data: {plugins: {datasette-litestream: {replicas: [{path: '{{dir}}/explicit'}]}}}}
            """,
            "data"
        );

        await host.InsertAsync("data", "second");

        foreach (var replica in new[] { "bk/data", "second/data", "explicit" })
            await Restored.BecomesAsync(host.Folder.Combine(replica), Values, "first,second");
    }

    [Fact]
    public async Task P071_TwoDatabases_GoToTwoDestinations()
    {
        await using var host = await FakeHost.StartAsync(AllToFolder, "one", "other db");
        await host.InsertAsync("other db", "only here");

        await Restored.BecomesAsync(host.Folder.Combine("bk", "one"), Values, "first");
        await Restored.BecomesAsync(host.Folder.Combine("bk", "other db"), Values, "first,only here");
    }

    [Fact]
    public async Task P034_CleanStop_BringsTheLastCommitToTheReplica()
    {
        await using var host = await FakeHost.StartAsync(AllToFolder, "data");
        for (var i = 0; i < 20; i++)
            await host.InsertAsync("data", $"v{i}");

        await host.StopAsync();

        Assert.Equal("21", await Restored.ScalarAsync(host.Folder.Combine("bk", "data"), "SELECT count(*) FROM t"));
    }

    [Fact]
    public async Task P034_StartAgain_GoesOnWhereItStopped()
    {
        await using var host = await FakeHost.StartAsync(AllToFolder, "data");
        await host.StopAsync();
        await host.InsertAsync("data", "between");

        await host.StartAsync();
        await host.InsertAsync("data", "after");
        await host.StopAsync();

        Assert.Equal("first,between,after", await Restored.ScalarAsync(host.Folder.Combine("bk", "data"), Values));
    }

    [Fact]
    public async Task P038_WhileRunning_TheHostDoesNotCheckpoint()
    {
        await using var host = await FakeHost.StartAsync(AllToFolder, "data");
        Assert.Equal(0, await host.PragmaOfWriterAsync("data", "wal_autocheckpoint"));

        await host.StopAsync();

        Assert.Equal(1000, await host.PragmaOfWriterAsync("data", "wal_autocheckpoint"));
    }

    [Theory]
    [InlineData("plugins: {datasette-litestream: {all-replicat: []}}", "datasette.yaml:1:", "all-replicate")]
    [InlineData("plugins: {datasette-litestream: {all-replicate: ['nonsense://x']}}", "datasette.yaml:1:", "nonsense")]
    [InlineData(
        "databases:\n  data:\n    plugins:\n      datasette-litestream:\n        replicas: []\n        oops: 1",
        "datasette.yaml:6:",
        "oops"
    )]
    [Trait("Rule", "P055")]
    public async Task P032_BadConfiguration_StopsTheStartWithPlaceAndReason(string config, string place, string word)
    {
        await using var host = FakeHost.Create(config, ["data"]);

        var error = await Assert.ThrowsAsync<StartupException>(host.StartAsync);

        Assert.StartsWith("datasette-litestream: ", error.Message);
        Assert.Contains(place, error.Message);
        Assert.Contains(word, error.Message);
        Assert.Equal(1, error.ExitCode);
        Assert.Null(host.Replication);
    }

    [Fact]
    [Trait("Rule", "P055")]
    [Trait("Rule", "P062")]
    public async Task P032_UnreachableReplica_DoesNotStopTheStart_AndTheOtherReplicaGoesOn()
    {
        var closed = Processes.FreePort();
        await using var host = FakeHost.Create(
            $$$"""
            plugins:
              datasette-litestream:
                access-key-id: AKIDEXAMPLE
                secret-access-key: SECRETEXAMPLE
                all-replicate: ['s3://bucket/$DB_NAME?endpoint=http://127.0.0.1:{{{closed}}}&region=us-east-1', 'file://{{dir}}/bk/$DB_NAME']
            """,
            ["data"],
            new LitestreamPlugin { Options = new LitestreamOptions { ShutdownSyncTimeout = TimeSpan.FromMilliseconds(200) } }
        );

        await host.StartAsync();

        await Restored.BecomesAsync(host.Folder.Combine("bk", "data"), Values, "first");
        await Restored.UntilAsync(
            () => host.Replication!.Store!.Databases[0].Replicas[0].State == ReplicationState.Failing,
            "the first replica is failing"
        );
        await Restored.UntilAsync(() => host.Replication!.Verdict().Word == "Safe, but", "the verdict is 'Safe, but'");
        var page = LitestreamStatusView.Read(host, host.Replication!);
        Assert.NotNull(page.Databases[0].Replicas[0].Cause);
        Assert.NotNull(page.Databases[0].Replicas[0].NextRetry);
        Assert.Equal(("stored, but t0 is failing", Tone.Warn), host.Replication!.StateOf("data"));
        Assert.DoesNotContain("SECRETEXAMPLE", StatusJson.Of(page).ToJsonString() + page.Log);
    }

    [Fact]
    public async Task P035_TwoHostsInOneProcess_DoNotKnowEachOther()
    {
        var plugin = new LitestreamPlugin();
        await using var one = FakeHost.Create(AllToFolder, ["data"], plugin);
        await using var two = FakeHost.Create(AllToFolder, ["data"], plugin);
        await one.StartAsync();
        await two.StartAsync();

        await one.StopAsync();
        await two.InsertAsync("data", "still running");

        Assert.Null(one.Replication);
        await Restored.BecomesAsync(two.Folder.Combine("bk", "data"), Values, "first,still running");
    }

    [Fact]
    public async Task P050_MetricsEndpoint_AnswersWithTheKnownNames()
    {
        var port = Processes.FreePort();
        await using var host = await FakeHost.StartAsync(
            AllToFolder.Replace("{all-replicate", $"{{metrics-addr: ':{port}', all-replicate", StringComparison.Ordinal),
            "data"
        );
        await host.InsertAsync("data", "x");
        await Restored.BecomesAsync(host.Folder.Combine("bk", "data"), Values, "first,x");

        using var client = new HttpClient();
        using var answer = await client.GetAsync(new Uri($"http://127.0.0.1:{port}/metrics"), Cancel);
        var text = await answer.Content.ReadAsStringAsync(Cancel);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", answer.Content.Headers.ContentType!.ToString());
        foreach (
            var name in new[]
            {
                "litestream_db_size",
                "litestream_wal_size",
                "litestream_total_wal_bytes",
                "litestream_sync_count",
                "litestream_sync_error_count",
                "litestream_sync_seconds",
            }
        )
            Assert.Contains($"{name}{{db=\"{RealPath.Of(host.Folder.Combine("data.db"))}\"}}", text);
        Assert.Contains("litestream_replica_operation_total{", text);
        Assert.Contains("litestream_replica_operation_bytes{", text);
    }

    [Fact]
    public async Task P050_MetricsAddressInUse_StopsTheStart()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        var port = ((IPEndPoint)other.LocalEndpoint).Port;
        await using var host = FakeHost.Create($"plugins: {{datasette-litestream: {{metrics-addr: '127.0.0.1:{port}'}}}}", []);

        var error = await Assert.ThrowsAsync<StartupException>(host.StartAsync);

        Assert.Contains($"127.0.0.1:{port}", error.Message);
        Assert.Contains("in use", error.Message);
        Assert.Contains("metrics-addr", error.Message);
    }

    [Fact]
    public async Task P060_DatabaseAttachedLater_IsReplicated_AndDetachedOneIsLetGo()
    {
        await using var host = await FakeHost.StartAsync(AllToFolder, "data");
        await Restored.BecomesAsync(host.Folder.Combine("bk", "data"), Values, "first");

        await host.AttachAsync("late");
        await host.InsertAsync("late", "second");
        await Restored.BecomesAsync(host.Folder.Combine("bk", "late"), Values, "first,second");
        await host.InsertAsync("late", "third");
        await host.DetachAsync("late");

        Assert.Equal("first,second,third", await Restored.ScalarAsync(host.Folder.Combine("bk", "late"), Values));
        Assert.Equal("data", Assert.Single(LitestreamStatusView.Read(host, host.Replication!).Databases).Name);
        await host.InsertAsync("data", "undisturbed");
        await Restored.BecomesAsync(host.Folder.Combine("bk", "data"), Values, "first,undisturbed");
    }

    [Fact]
    public async Task P060_DatabaseWithABlockOfItsOwn_StartsReplicationOfAnInertHost()
    {
        await using var host = await FakeHost.StartAsync(
            "databases: {late: {plugins: {datasette-litestream: {replicas: ['file://{{dir}}/late-copy']}}}}"
        );
        Assert.Null(host.Replication);

        await host.AttachAsync("late");

        await Restored.BecomesAsync(host.Folder.Combine("late-copy"), Values, "first");
    }

    [Fact]
    public async Task P061_MistakeInADatabaseAttachedLater_HurtsNobodyElse()
    {
        await using var host = await FakeHost.StartAsync(
            AllToFolder
                + "\ndatabases: {bad: {plugins: {datasette-litestream: {oops: 1}}}, fixed: {plugins: {datasette-litestream: {replicas: [x]}}}}",
            "data"
        );

        await host.AttachAsync("bad");
        await host.AttachAsync("fixed", mutable: false);
        await host.AttachAsync("good");

        await Restored.BecomesAsync(host.Folder.Combine("bk", "good"), Values, "first");
        var page = LitestreamStatusView.Read(host, host.Replication!);
        Assert.Contains(
            page.Notices,
            notice =>
                notice.Contains("bad is not replicated", StringComparison.Ordinal) && notice.Contains("oops", StringComparison.Ordinal)
        );
        Assert.Contains(page.Notices, notice => notice.Contains("immutable", StringComparison.Ordinal));
        Assert.Contains("unknown key 'oops'", page.Log);
    }

    [Fact]
    public async Task P021_PathOfADatabase_HasItsLinksResolved()
    {
        using var folder = new TempFolder();
        folder.CreateFolder("real");
        Directory.CreateSymbolicLink(folder.Combine("link"), folder.Combine("real"));
        File.CreateSymbolicLink(folder.Combine("real", "b.db"), "a.db");

        Assert.Equal(RealPath.Of(folder.Combine("real", "a.db")), RealPath.Of(folder.Combine("link", "b.db")));
        Assert.EndsWith("/real/a.db", RealPath.Of(folder.Combine("link", "b.db")));
        await Task.CompletedTask;
    }

    [Fact]
    public void P037_FolderThatCannotBeWritten_IsSaidPlainly()
    {
        using var folder = new TempFolder();

        Assert.Null(DirectoryCheck.WhyNotWritable(folder.Combine("data.db")));
        Assert.Empty(folder.Contents());
        Assert.Contains("/proc/self", DirectoryCheck.WhyNotWritable("/proc/self/data.db"));
    }

    [Fact]
    public async Task P045_P044_Page_ShowsTheEnginesCountersWithoutARequestOfItsOwn()
    {
        await using var host = await FakeHost.StartAsync(AllToFolder, "data");
        await Restored.BecomesAsync(host.Folder.Combine("bk", "data"), Values, "first");

        // A file can be restored a moment before the one who stored it has counted it.
        await Restored.UntilAsync(
            () =>
                LitestreamStatusView
                    .Read(host, host.Replication!)
                    .Metrics.OperationCounts.Any(row => row is { Operation: "PUT", ReplicaType: "file", Value: > 0 }),
            "an upload is counted"
        );
        var page = LitestreamStatusView.Read(host, host.Replication!);

        var data = Assert.Single(page.Metrics.Databases);
        Assert.Equal("data", data.Name);
        Assert.Contains(data.Rows, row => row is { Key: "litestream_db_size", Value: > 0 });
        Assert.Contains("replicating data", page.Log);
        Assert.Equal(RealPath.Of(host.Folder.Combine("data.db")), (string?)JsonNode.Parse(page.Config)!["dbs"]![0]!["path"]);
    }
}
