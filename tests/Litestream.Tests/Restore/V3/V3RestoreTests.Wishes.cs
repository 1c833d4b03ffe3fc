using Litestream.IO;
using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Restore;
using Litestream.Restore.V3;
using Litestream.Tests.Ltx;
using Microsoft.Extensions.Logging;
using Testing;
using Xunit;

namespace Litestream.Tests.Restore.V3;

/// <summary>What is asked for, two layouts side by side, and backups that change meanwhile.</summary>
public sealed partial class V3RestoreTests
{
    [Fact]
    public async Task I21_20_OutputOrSidecarExists_IsRefused()
    {
        Simple();
        Directory.CreateDirectory(Path.GetDirectoryName(_backup.Output)!);
        await File.WriteAllTextAsync(_backup.Output + "-wal", "x", TestContext.Current.CancellationToken);
        var failure = await Assert.ThrowsAsync<LitestreamException>(() => _backup.RestoreAsync());
        Assert.Equal(LitestreamError.OutputExists, failure.Error);
        Assert.Equal(["restored.db-wal"], Directory.GetFiles(Path.GetDirectoryName(_backup.Output)!).Select(Path.GetFileName));
    }

    [Fact]
    public async Task I21_21_I21_22_BothLayouts_TheNewerStateWinsAndATxidMeansLtx()
    {
        Simple();
        var old = _backup.Now;
        await AddLtxAsync(1, 101);
        Assert.Equal(V3Sample.Database(101), await _backup.RestoreAsync());
        Assert.Equal(V3Sample.Database(11, 12, 13), await At(old));
        // 0.3 counts what is not after the moment, LTX what is strictly before it: both at once, and 0.3 wins by a hair.
        Assert.Equal(V3Sample.Database(11, 12, 13), await At(_backup.Now));
        Assert.Equal(V3Sample.Database(101), await At(_backup.Now.AddMilliseconds(1)));
        _backup.Snapshot(V3Sample.B, 0, V3Sample.Database(44, 45));
        Assert.Equal(V3Sample.Database(44, 45), await _backup.RestoreAsync());
        Assert.Equal(V3Sample.Database(101), await _backup.RestoreAsync(new RestoreTarget(new Txid(1))));
        _backup.Store.Write(V3Sample.SnapshotKey(V3Sample.B, 0), [0, 1]);
        var failure = await _backup.FailAsync();
        Assert.Equal(LitestreamError.Corrupt, failure.Error);
    }

    [Fact]
    public async Task BothLayouts_FollowMode_StartsFromLtxFilesAlone()
    {
        await AddLtxAsync(1, 101);
        Simple();
        Assert.NotNull(
            (await RestorePlanner.PlanAsync(_backup.Client, RestoreTarget.Latest, TestContext.Current.CancellationToken)).OldBackup
        );
        var plan = await RestorePlanner.PlanFilesAsync(_backup.Client, RestoreTarget.Latest, TestContext.Current.CancellationToken);
        Assert.Equal((null, new Txid(1)), (plan.OldBackup, plan.Txid));
    }

    [Fact]
    public async Task BothLayouts_NewerOldBackupHasAHole_FailsAndNamesTheLtxState()
    {
        await AddLtxAsync(1, 101);
        ThreeIndexes();
        Assert.True(_backup.Store.Remove(V3Sample.SegmentKey(V3Sample.A, 1, 0)));
        var failure = await _backup.FailAsync();
        Assert.Equal(LitestreamError.Gap, failure.Error);
        Assert.Contains("-txid 0000000000000001", failure.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task I21_23_ObjectsDeletedWhileRestoring_AreListedAgain()
    {
        Simple();
        var done = false;
        _backup.Store.Fault = call =>
        {
            if (call.Operation == "GET" && !done)
            {
                // Retention of the running 0.3: a new snapshot, and the old generation goes.
                done = true;
                foreach (var key in _backup.Store.Keys)
                    _backup.Store.Remove(key);
                _backup.Snapshot(V3Sample.A, 1, V3Sample.Database(61, 62));
            }
            return null;
        };
        Assert.Equal(V3Sample.Database(61, 62), await _backup.RestoreAsync());
        Assert.True(done);
    }

    [Fact]
    public async Task ASegmentTooNewInTheMiddle_EndsThePlanThereAndSaysSo()
    {
        Simple();
        var moment = _backup.Now;
        // Rewritten later, as a copied bucket is.
        var middle = V3Sample.SegmentKey(V3Sample.A, 0, 32 + V3Sample.FrameSize);
        _backup.Put(middle, _backup.Store.Read(middle));
        var log = new Lines();
        Assert.Equal(V3Sample.Database(11, 2, 3), await _backup.RestoreAsync(new RestoreTarget(Timestamp: moment), log));
        Assert.Contains(log.Said, line => line.Contains("stops before generation", StringComparison.Ordinal));
    }

    [Fact]
    public async Task EndOfAMiddleIndexMissing_IsFoundByTheCounterOfPageOne()
    {
        _backup.Snapshot(V3Sample.A, 0, V3Sample.Database(1));
        _backup.Segments(V3Sample.A, 0, _backup.Wal().Frame(1, 2, Counted(1)).Frame(1, 2, Counted(2)).Frame(1, 2, Counted(3)), 1);
        _backup.Segments(V3Sample.A, 1, _backup.Wal().Frame(1, 2, Counted(4)));
        await _backup.RestoreAsync();
        Assert.True(_backup.Store.Remove(V3Sample.SegmentKey(V3Sample.A, 0, 32 + V3Sample.FrameSize)));
        var failure = await _backup.FailAsync();
        Assert.Equal(LitestreamError.Gap, failure.Error);
        Assert.Contains("the end of the index before 00000001 is missing", failure.Message, StringComparison.Ordinal);

        static byte[] Counted(byte counter)
        {
            var page = V3Sample.Database()[..V3Sample.PageSize];
            page[27] = counter;
            return page;
        }
    }

    [Fact]
    public async Task SegmentsThatOverlap_AreAppliedOnceAndMustAgree()
    {
        // What a killed and restarted 0.3.13 leaves: the first segment written again, longer, beside the second one.
        var wal = _backup.Wal().Frame(2, 4, 11).Frame(3, 4, 12).Frame(4, 4, 13);
        var bytes = wal.ToArray();
        _backup.Snapshot(V3Sample.A, 0, V3Sample.Database(1, 2, 3));
        _backup.Put(V3Sample.SegmentKey(V3Sample.A, 0, 0), V3Sample.Compress(bytes[..0x450]));
        _backup.Put(V3Sample.SegmentKey(V3Sample.A, 0, 0x238), V3Sample.Compress(bytes[0x238..0x450]));
        Assert.Equal(V3Sample.Database(11, 12, 3), await _backup.RestoreAsync());
        _backup.Put(V3Sample.SegmentKey(V3Sample.A, 0, 0x238), V3Sample.Compress(bytes[0x238..]));
        Assert.Equal(V3Sample.Database(11, 12, 13), await _backup.RestoreAsync());
        var other = _backup.Wal().Frame(2, 4, 11).Frame(3, 4, 99).Frame(4, 4, 13).ToArray();
        _backup.Put(V3Sample.SegmentKey(V3Sample.A, 0, 0x238), V3Sample.Compress(other[0x238..]));
        Assert.Contains("other frames", (await _backup.FailAsync()).Message, StringComparison.Ordinal);
        Assert.True(_backup.Store.Remove(V3Sample.SegmentKey(V3Sample.A, 0, 0x238)));
        _backup.Put(V3Sample.SegmentKey(V3Sample.A, 0, 0x240), V3Sample.Compress(bytes[0x240..]));
        Assert.Contains("begins inside a frame", (await _backup.FailAsync()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WishesThatContradictThemselves_AreRefused()
    {
        Simple();
        foreach (
            var target in new[]
            {
                new RestoreTarget { Index = 1 },
                new RestoreTarget(Timestamp: _backup.Now) { Generation = V3Sample.A, Index = 0 },
                new RestoreTarget(new Txid(1)) { Generation = V3Sample.A },
            }
        )
            Assert.Equal(LitestreamError.InvalidConfiguration, (await _backup.FailAsync(target)).Error);
    }

    [Fact]
    public async Task Plan_AsText_NamesEveryObject()
    {
        Simple();
        var plan = await RestorePlanner.PlanAsync(_backup.Client, RestoreTarget.Latest, TestContext.Current.CancellationToken);
        Assert.Equal(_backup.Store.Keys.Sum(key => (long)_backup.Store.Read(key).Length), plan.SizeBytes);
        foreach (var key in _backup.Store.Keys)
            Assert.Contains(key, plan.ToString(), StringComparison.Ordinal);
    }

    private Task<byte[]> At(DateTimeOffset time) => _backup.RestoreAsync(new RestoreTarget(Timestamp: time));
}
