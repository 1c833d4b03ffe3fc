using Litestream.IO;
using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Restore;
using Litestream.Tests.Replication;
using Microsoft.Extensions.Logging.Abstractions;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Restore;

public sealed partial class DatabaseFollowerTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task K1_ReplicaGrows_DatabaseFollows()
    {
        await using var following = await Following.StartedAsync();
        await following.StepAsync();
        following.RequireEqual();
        for (var i = 0; i < 5; i++)
        {
            await following.WriteAsync(i + 1, rows: 20, bytes: 2000);
            if (i == 3)
                following.Circle.App.Execute("CREATE TABLE more(a PRIMARY KEY, b) WITHOUT ROWID; INSERT INTO more SELECT id, v FROM t");
            await following.Circle.SyncAsync();
            await following.StepAsync();
            following.RequireEqual();
        }
    }

    [Fact]
    public async Task Follow_FreshRestore_IsInRollbackModeAtOnce()
    {
        await using var following = await Following.StartedAsync();
        following.RequireHeader();
    }

    [Fact]
    public async Task K2_CancelledWhileFollowing_EndsCleanly()
    {
        await using var following = await Following.StartedAsync();
        await following.WriteAsync(2);
        using var stop = new CancellationTokenSource();
        var run = following.Follower.RunAsync(stop.Token);
        while (following.Status.Txid.Value < 6)
            await Task.Delay(5, Cancel);
        await stop.CancelAsync();
        await run;
        Assert.Equal(FollowState.Stopped, following.Status.State);
        await following.RestartAsync();
        await following.StepAsync();
        following.RequireEqual();
    }

    [Theory]
    [InlineData("0000000000000003\n", 3)]
    [InlineData("00000000000000ff", 255)]
    [InlineData("00000000000000FF\r\n", 255)]
    [InlineData("", null)]
    [InlineData("3", null)]
    [InlineData("0000000000000000\n", null)]
    [InlineData("000000000000000g\n", null)]
    [InlineData("0000000000000003\n4", null)]
    public async Task K3_SidecarTexts_AreReadOrRefused(string text, int? txid)
    {
        using var folder = new TempFolder();
        var sidecar = new TxidSidecar(DurableFiles.System, folder.Combine("a.db"));
        Assert.Null(sidecar.Read());
        await File.WriteAllTextAsync(sidecar.Path, text, Cancel);
        if (txid is { } expected)
            Assert.Equal((ulong)expected, sidecar.Read()!.Value.Value);
        else
            Assert.Equal(LitestreamError.Corrupt, Assert.Throws<LitestreamException>(() => sidecar.Read()).Error);
        await sidecar.WriteAsync(new Txid(0x1a), Cancel);
        Assert.Equal("000000000000001a\n", await File.ReadAllTextAsync(sidecar.Path, Cancel));
        Assert.Equal(["a.db-txid"], folder.Contents());
    }

    [Fact]
    public async Task K5_DatabaseWithoutSidecar_IsRefused()
    {
        await using var following = await Following.NotStartedAsync();
        Directory.CreateDirectory(Path.GetDirectoryName(following.Output)!);
        await File.WriteAllTextAsync(following.Output, "something", Cancel);
        var exception = await Assert.ThrowsAsync<LitestreamException>(() => following.StartAsync());
        Assert.Equal(LitestreamError.OutputExists, exception.Error);
        Assert.Equal("something", await File.ReadAllTextAsync(following.Output, Cancel));
        await File.WriteAllTextAsync(following.SidecarPath, "nonsense", Cancel);
        Assert.Equal(LitestreamError.Corrupt, (await Assert.ThrowsAsync<LitestreamException>(() => following.StartAsync())).Error);
    }

    [Fact]
    public async Task Follow_SidecarWithoutDatabase_RestoresAnew()
    {
        await using var following = await Following.NotStartedAsync();
        Directory.CreateDirectory(Path.GetDirectoryName(following.Output)!);
        await File.WriteAllTextAsync(following.SidecarPath, "0000000000000001\n", Cancel);
        Assert.NotNull(await following.StartAsync());
        await following.StepAsync();
        following.RequireEqual();
    }

    [Fact]
    public async Task K6_HistoryPrunedPastTheSavedState_StartsFromASnapshot()
    {
        await using var following = await Following.StartedAsync();
        await following.WriteAsync(6, rows: 10, bytes: 1000);
        await following.CompactAsync(9, 1, 9, removeSources: true);
        Assert.Equal([10ul], (await following.Circle.RemoteAsync()).Select(f => f.MinTxid.Value));
        await following.RestartAsync();
        await following.StepAsync();
        following.RequireEqual();
    }

    [Fact]
    public async Task K6_HistoryPrunedAndNoSnapshot_SaysWhatIsMissingAndKeepsTrying()
    {
        await using var following = await Following.StartedAsync();
        await following.WriteAsync(4);
        var held = Directory.CreateDirectory(following.Circle.Folder.Combine("held")).FullName;
        foreach (var txid in new ulong[] { 5, 6 })
            File.Move(following.PathOf(0, txid, txid), Path.Combine(held, $"{txid}"));
        await following.RestartAsync();
        await following.StepAsync();
        Assert.Equal(
            (FollowState.Failing, new Txid(5), new Txid(6)),
            (following.Status.State, following.Status.MissingFrom!.Value, following.Status.MissingTo!.Value)
        );
        Assert.Contains("0000000000000005 to 0000000000000006 are missing", following.Status.Cause, StringComparison.Ordinal);
        foreach (var txid in new ulong[] { 5, 6 })
            File.Move(Path.Combine(held, $"{txid}"), following.PathOf(0, txid, txid));
        await following.StepAsync();
        following.RequireEqual();
    }

    [Fact]
    public async Task K8_LevelZeroGone_GapIsFilledByAnOverlappingFile()
    {
        await using var following = await Following.StartedAsync(5);
        await following.WriteAsync(5);
        await following.CompactAsync(1, 4, 9, removeSources: false);
        for (ulong txid = 3; txid <= 9; txid++)
            File.Delete(following.PathOf(0, txid, txid));
        await following.StepAsync();
        following.RequireEqual();
    }

    [Fact]
    public async Task K9_LevelZeroEmpty_HigherLevelsServe()
    {
        await using var following = await Following.StartedAsync(3);
        await following.WriteAsync(3);
        await following.CompactAsync(2, 3, 7, removeSources: true);
        await following.StepAsync();
        following.RequireEqual();
        // Also when the levels were looked at a moment ago.
        await following.WriteAsync(2);
        await following.CompactAsync(1, 8, 9, removeSources: true);
        await following.StepAsync();
        await following.StepAfterSilenceAsync();
        following.RequireEqual();
    }

    [Fact]
    public async Task K10_ListingFails_IsToldAndTriedAgain()
    {
        await using var following = await Following.StartedAsync();
        await following.WriteAsync(2);
        var store = new FailingStore(following.Client.Store);
        await using var client = new ReplicaClient(store, ReplicaLayout.Folders);
        await following.Follower.DisposeAsync();
        await following.StartAsync(client);
        store.FailAtEndOfListing = true;
        await following.StepAsync();
        Assert.Equal((FollowState.Failing, 1), (following.Status.State, following.Status.Failures));
        Assert.Contains("listing broke off", following.Status.Cause, StringComparison.Ordinal);
        Assert.Equal(new Txid(4), following.Status.Txid);
        store.FailAtEndOfListing = false;
        await following.StepAsync();
        following.RequireEqual();
        Assert.Equal(0, following.Status.Failures);
    }

    [Fact]
    public async Task K11_DamagedFile_NothingOfItIsApplied()
    {
        await using var following = await Following.StartedAsync();
        await following.WriteAsync(3, rows: 5, bytes: 3000);
        var before = CanonicalDump.Of(following.Output);
        var path = following.PathOf(0, 5, 5);
        var bytes = await File.ReadAllBytesAsync(path, Cancel);
        var good = bytes.ToArray();
        bytes[^3] ^= 1; // the checksum at the very end: every page looks right until then
        await File.WriteAllBytesAsync(path, bytes, Cancel);
        await following.StepAsync();
        Assert.Equal((FollowState.Failing, new Txid(4)), (following.Status.State, following.Status.Txid));
        Assert.Contains("level 0 file 0000000000000005-0000000000000005.ltx", following.Status.Cause, StringComparison.Ordinal);
        Assert.Equal(before, CanonicalDump.Of(following.Output));
        await File.WriteAllBytesAsync(path, good, Cancel);
        await following.StepAfterSilenceAsync();
        following.RequireEqual();
    }

    [Fact]
    public async Task K11_DamagedFileInTheMiddle_WhatIsBeforeItIsAppliedAndAnotherLevelServes()
    {
        await using var following = await Following.StartedAsync();
        await following.WriteAsync(4);
        await following.CompactAsync(1, 6, 7, removeSources: false);
        var path = following.PathOf(0, 7, 7);
        var bytes = await File.ReadAllBytesAsync(path, Cancel);
        bytes[^3] ^= 1;
        await File.WriteAllBytesAsync(path, bytes, Cancel);
        await following.StepAsync();
        following.RequireEqual();
    }

    [Theory]
    [InlineData("DELETE FROM t; VACUUM")]
    [InlineData("DELETE FROM t; VACUUM; INSERT INTO t(v) SELECT zeroblob(20000) FROM t LIMIT 1")]
    public async Task K12_DatabaseShrinks_FileIsCutAfterTheWrites(string sql)
    {
        await using var following = await Following.StartedAsync();
        await following.WriteAsync(2, rows: 50, bytes: 3000);
        await following.StepAsync();
        var large = new FileInfo(following.Output).Length;
        following.Circle.App.Execute(sql);
        await following.Circle.SyncAsync();
        await following.StepAsync();
        following.RequireEqual();
        Assert.InRange(new FileInfo(following.Output).Length, 1, large / 2);
        await following.WriteAsync(2, rows: 60, bytes: 3000);
        await following.StepAsync();
        following.RequireEqual();
    }

    [Fact]
    public async Task K13_OpenReaderInAnotherProcess_SeesNewDataAlsoOfAFileWithoutPageOne()
    {
        await using var following = await Following.StartedAsync();
        following.Circle.App.Execute("CREATE TABLE big(id INTEGER PRIMARY KEY, n); INSERT INTO big VALUES(1, 0)");
        await following.Circle.SyncAsync();
        await following.StepAsync();
        await using var shell = TestProcess.Start(Require.Program("sqlite3"), ["-batch", "-cmd", ".timeout 5000", following.Output]);
        using var here = TestDatabase.Open(following.Output, readOnly: true);
        for (var i = 1; i <= 5; i++)
        {
            // Readers have the page in their caches, and no page of the file but this one changes.
            Assert.Equal(i - 1, await AskAsync(shell, "SELECT n FROM big"));
            following.Circle.App.Execute($"UPDATE big SET n = {i}");
            await following.Circle.SyncAsync();
            if (i > 1)
                await following.RequireNoPageOneAsync(following.Circle.Txid);
            await following.StepAsync();
            Assert.Equal(i, await AskAsync(shell, "SELECT n FROM big"));
            Assert.Equal($"{i}", here.Scalar("SELECT n FROM big"));
        }
        following.RequireHeader();
    }

    [Fact]
    public async Task K14_SavedStateAboveTheNewestSnapshot_Resumes()
    {
        await using var following = await Following.StartedAsync(5);
        await following.CompactAsync(9, 1, 3, removeSources: false);
        await following.WriteAsync(2);
        await following.StepAsync();
        await following.RestartAsync();
        await following.WriteAsync(2);
        await following.StepAsync();
        following.RequireEqual();
    }

    [Fact]
    [Trait("Scenario", "follow")]
    public async Task K15_GapThatNothingBridges_IsToldAtOnceAndFilledBySnapshotWhenOneComes()
    {
        await using var following = await Following.StartedAsync();
        await following.WriteAsync(5);
        // As the scenario "follow": 5 and 6 are there, 8 and 9, but not 7.
        var held = following.Circle.Folder.Combine("held");
        File.Move(following.PathOf(0, 7, 7), held);
        await following.StepAsync();
        Assert.Equal(("0000000000000006\n", FollowState.Failing), (following.Sidecar(), following.Status.State));
        Assert.Equal(
            (new Txid(7), new Txid(7), 3ul),
            (following.Status.MissingFrom!.Value, following.Status.MissingTo!.Value, following.Status.LagTransactions)
        );
        var samples = following.Follower.Samples();
        Assert.Equal(1, Assert.Single(samples, s => s.Name == "litestream_follow_failing").Value);
        Assert.Equal(1, Assert.Single(samples, s => s.Name == "litestream_follow_missing_transactions").Value);
        await following.StepAsync();
        Assert.Equal("0000000000000006\n", following.Sidecar());
        // Filled: it goes on.
        File.Move(held, following.PathOf(0, 7, 7));
        await following.StepAsync();
        following.RequireEqual();
        // And again, bridged by a snapshot only.
        await following.WriteAsync(3);
        await following.CompactAsync(9, 1, 11, removeSources: false);
        File.Delete(following.PathOf(0, 11, 11));
        await following.StepAsync();
        following.RequireEqual();
    }

    private sealed class FailingStore(ObjectStore inner) : ObjectStore
    {
        public bool FailAtEndOfListing { get; set; }

        public override StoreCapabilities Capabilities => inner.Capabilities;

        public override string Kind => inner.Kind;

        public override string Location => inner.Location;

        protected internal override async IAsyncEnumerable<StoredObject> ListCoreAsync(
            string prefix,
            string? after,
            [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken
        )
        {
            await foreach (var stored in inner.ListAsync(prefix, after, cancellationToken))
                yield return stored;
            if (FailAtEndOfListing)
                throw new LitestreamException(LitestreamError.Unavailable, "the listing broke off") { IsTransient = true };
        }

        protected internal override Task<Stream> OpenCoreAsync(
            string key,
            long offset,
            long? length,
            CancellationToken cancellationToken
        ) => inner.OpenAsync(key, offset, length, cancellationToken);

        protected internal override Task<StoredObject> PutCoreAsync(
            string key,
            Stream content,
            PutOptions options,
            CancellationToken cancellationToken
        ) => inner.PutAsync(key, content, options, cancellationToken);

        protected internal override Task<StoredObject?> HeadCoreAsync(string key, CancellationToken cancellationToken) =>
            inner.HeadAsync(key, cancellationToken);

        protected internal override Task DeleteCoreAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken) =>
            inner.DeleteAsync(keys, cancellationToken);
    }
}
