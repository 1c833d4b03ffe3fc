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

/// <summary>Restores from the layout of Litestream 0.3: the cases of its specification, one by one.</summary>
[Trait("Scenario", "I21")]
public sealed partial class V3RestoreTests : IAsyncDisposable
{
    private readonly V3Sample _backup = new();

    public ValueTask DisposeAsync() => _backup.DisposeAsync();

    [Fact]
    public async Task I21_01_SnapshotOnly_EqualsTheSnapshot()
    {
        _backup.Snapshot(V3Sample.A, 0, V3Sample.Database(1, 2));
        Assert.Equal(V3Sample.Database(1, 2), await _backup.RestoreAsync());
    }

    [Fact]
    public async Task I21_02_SnapshotAndSegments_GiveAllPages()
    {
        Simple();
        Assert.Equal(V3Sample.Database(11, 12, 13), await _backup.RestoreAsync());
    }

    [Fact]
    public async Task I21_03_ThreeIndexes_AreAppliedInOrder()
    {
        ThreeIndexes();
        Assert.Equal(V3Sample.Database(30, 21, 12), await _backup.RestoreAsync());
        foreach (var (index, expected) in new[] { (0u, V3Sample.Database(10, 11, 12)), (1u, V3Sample.Database(10, 21, 12)) })
            Assert.Equal(expected, await _backup.RestoreAsync(new RestoreTarget { Generation = V3Sample.A, Index = index }));
    }

    [Fact]
    public async Task I21_04_MiddleIndexMissing_IsAnErrorNamingIt()
    {
        ThreeIndexes();
        Assert.True(_backup.Store.Remove(V3Sample.SegmentKey(V3Sample.A, 1, 0)));
        var failure = await _backup.FailAsync();
        Assert.Equal(LitestreamError.Gap, failure.Error);
        Assert.Contains($"generation {V3Sample.A}: WAL index 00000001 is missing", failure.Message, StringComparison.Ordinal);
        Assert.Contains("-index 00000000", failure.Hint, StringComparison.Ordinal);
        Assert.Equal(V3Sample.Database(10, 11, 12), await _backup.RestoreAsync(new RestoreTarget { Generation = V3Sample.A, Index = 0 }));
    }

    [Fact]
    public async Task I21_05_MiddleSegmentMissing_IsAnErrorNamingIndexAndOffset()
    {
        Simple();
        Assert.True(_backup.Store.Remove(V3Sample.SegmentKey(V3Sample.A, 0, 32 + V3Sample.FrameSize)));
        var failure = await _backup.FailAsync();
        Assert.Equal(LitestreamError.Gap, failure.Error);
        Assert.Contains("offset 00000238 of index 00000000 is due", failure.Message, StringComparison.Ordinal);
        Assert.Contains($"generation {V3Sample.A} index 00000000 offset 00000450", failure.Message, StringComparison.Ordinal);
        Assert.Equal(V3Sample.SegmentKey(V3Sample.A, 0, 0x450), failure.Path);
    }

    [Fact]
    public async Task I21_06_FirstSegmentMissing_IsAnError()
    {
        Simple();
        Assert.True(_backup.Store.Remove(V3Sample.SegmentKey(V3Sample.A, 0, 0)));
        var failure = await _backup.FailAsync();
        Assert.Equal(LitestreamError.Gap, failure.Error);
        Assert.Contains("the start of WAL index 00000000 is missing", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task I21_07_IndexesThatDoNotStartAtZero_AreRestored()
    {
        _backup.Snapshot(V3Sample.A, 5, V3Sample.Database(1, 2));
        _backup.Segments(V3Sample.A, 5, _backup.Wal().Frame(2, 3, 51));
        _backup.Segments(V3Sample.A, 6, _backup.Wal().Frame(3, 3, 62));
        Assert.Equal(V3Sample.Database(51, 62), await _backup.RestoreAsync());
        var failure = await _backup.FailAsync(new RestoreTarget { Generation = V3Sample.A, Index = 4 });
        Assert.Contains("no snapshot up to WAL index 00000004", failure.Message, StringComparison.Ordinal);
        failure = await _backup.FailAsync(new RestoreTarget { Generation = V3Sample.A, Index = 7 });
        Assert.Equal(
            ("generation 0123456789abcdef has no WAL index 00000007", "its last one is 00000006"),
            (failure.Message, failure.Hint)
        );
    }

    [Fact]
    public async Task I21_08_ShorterSecondIndex_LeavesNoStaleFrames()
    {
        _backup.Snapshot(V3Sample.A, 0, V3Sample.Database(1, 2, 3));
        _backup.Segments(V3Sample.A, 0, _backup.Wal().Frame(2, 0, 10).Frame(3, 0, 11).Frame(4, 0, 12).Frame(5, 5, 13));
        // The second life cuts the database off; a third one makes it grow again, and nothing of the first may come back.
        _backup.Segments(V3Sample.A, 1, _backup.Wal().Frame(2, 3, 20));
        Assert.Equal(V3Sample.Database(20, 11)[V3Sample.PageSize..], (await _backup.RestoreAsync())[V3Sample.PageSize..]);
        _backup.Segments(V3Sample.A, 2, _backup.Wal().Frame(5, 5, 33));
        Assert.Equal(V3Sample.Database(20, 11, 0, 33)[V3Sample.PageSize..], (await _backup.RestoreAsync())[V3Sample.PageSize..]);
    }

    [Fact]
    public async Task I21_09_TimestampBetweenTwoSnapshots_TakesTheOlderAndOnlyWhatIsNotAfterIt()
    {
        _backup.Snapshot(V3Sample.A, 0, V3Sample.Database(1, 2));
        _backup.Segments(V3Sample.A, 0, _backup.Wal().Frame(2, 3, 10).Frame(3, 3, 11).Frame(2, 3, 12), 1, 2);
        var end = _backup.Now;
        _backup.Snapshot(V3Sample.A, 1, V3Sample.Database(99, 99));
        Assert.Equal(V3Sample.Database(12, 11), await At(end.AddMilliseconds(999)));
        Assert.Equal(V3Sample.Database(10, 11), await At(end.AddMilliseconds(-1)));
        Assert.Equal(V3Sample.Database(10, 11), await At(end.AddSeconds(-1)));
        Assert.Equal(V3Sample.Database(10, 2), await At(end.AddSeconds(-2)));
        Assert.Equal(V3Sample.Database(1, 2), await At(end.AddSeconds(-3)));
        Assert.Equal(V3Sample.Database(99, 99), await At(end.AddDays(1)));
    }

    [Fact]
    public async Task I21_10_TimestampBeforeTheFirstSnapshot_IsNotFoundAndNamesTheOldest()
    {
        Simple();
        var failure = await _backup.FailAsync(new RestoreTarget(Timestamp: _backup.Now.AddHours(-1)));
        Assert.Equal(LitestreamError.NotFound, failure.Error);
        Assert.Contains("the oldest state is generation", failure.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task I21_11_TwoGenerations_TheNewestSnapshotWinsWhateverItsName()
    {
        _backup.Snapshot(V3Sample.A, 3, V3Sample.Database(1, 2));
        _backup.Segments(V3Sample.A, 3, _backup.Wal().Frame(2, 3, 10));
        var between = _backup.Now;
        Assert.True(string.CompareOrdinal(V3Sample.B, V3Sample.A) < 0);
        _backup.Snapshot(V3Sample.B, 0, V3Sample.Database(7, 8));
        _backup.Segments(V3Sample.B, 0, _backup.Wal().Frame(2, 3, 70));
        Assert.Equal(V3Sample.Database(70, 8), await _backup.RestoreAsync());
        Assert.Equal(V3Sample.Database(10, 2), await At(between));
        Assert.Equal(V3Sample.Database(10, 2), await _backup.RestoreAsync(new RestoreTarget { Generation = V3Sample.A }));
        var failure = await _backup.FailAsync(new RestoreTarget { Generation = "0000000000000000" });
        Assert.Equal(LitestreamError.NotFound, failure.Error);
        Assert.Contains($"{V3Sample.A}, {V3Sample.B}", failure.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task I21_12_OffsetsOfNineDigits_AreSortedAsNumbers()
    {
        _backup.Snapshot(V3Sample.A, 1, V3Sample.Database(1));
        foreach (var offset in new[] { 0x1_0000_0000, 0xffff_fff8, 0x7fff_ffff_ffff_ffff, 0 })
            _backup.Put(V3Sample.SegmentKey(V3Sample.A, 1, offset), [1]);
        var backup = await V3Backup.ListAsync(_backup.Store, TestContext.Current.CancellationToken);
        var plan = V3Planner.Plan(backup, RestoreTarget.Latest);
        Assert.Equal([0ul, 0xffff_fff8, 0x1_0000_0000, 0x7fff_ffff_ffff_ffff], plan.Segments.Select(s => s.Offset));
        Assert.Equal(V3Sample.SegmentKey(V3Sample.A, 1, 0x1_0000_0000), plan.Segments[2].Key);
    }

    [Theory]
    [InlineData("generations/0123456789abcdef/snapshots/00000000.snapshot.lz4.tmp")]
    [InlineData("generations/0123456789abcdef/snapshots/0000000.snapshot.lz4")]
    [InlineData("generations/0123456789abcdef/snapshots/000000000.snapshot.lz4")]
    [InlineData("generations/0123456789abcdef/snapshots/0000000A.snapshot.lz4")]
    [InlineData("generations/0123456789abcdef/snapshots/.snapshot.lz4")]
    [InlineData("generations/0123456789abcdef/snapshots/00000009.wal.lz4")]
    [InlineData("generations/0123456789abcdef/snapshots/x/00000009.snapshot.lz4")]
    [InlineData("generations/0123456789abcdef/wal/00000000_0000000.wal.lz4")]
    [InlineData("generations/0123456789abcdef/wal/00000000_00000000000000000.wal.lz4")]
    [InlineData("generations/0123456789abcdef/wal/00000000-00000000.wal.lz4")]
    [InlineData("generations/0123456789abcdef/wal/00000000_0000000g.wal.lz4")]
    [InlineData("generations/0123456789abcdef/wal/00000000_00000000.WAL.lz4")]
    [InlineData("generations/0123456789abcdef/wal/+0000000_00000000.wal.lz4")]
    [InlineData("generations/0123456789ABCDEF/snapshots/00000009.snapshot.lz4")]
    [InlineData("generations/0123456789abcde/snapshots/00000009.snapshot.lz4")]
    [InlineData("generations/0123456789abcdef")]
    [InlineData("generations/0123456789abcdef/")]
    [InlineData("generations/x")]
    [InlineData("generations/")]
    public async Task I21_13_ForeignName_IsPassedOver(string key)
    {
        _backup.Put(key, [1, 2, 3]);
        Assert.True((await V3Backup.ListAsync(_backup.Store, TestContext.Current.CancellationToken)).IsEmpty);
        Simple();
        Assert.Equal(V3Sample.Database(11, 12, 13), await _backup.RestoreAsync());
    }

    [Fact]
    public async Task I21_14_NoGenerations_IsNotFoundAndAnErrorOfTheStoreIsNot()
    {
        Assert.Equal(LitestreamError.NotFound, (await _backup.FailAsync()).Error);
        Assert.Equal(LitestreamError.NotFound, (await _backup.FailAsync(new RestoreTarget { Generation = V3Sample.A })).Error);
        Simple();
        _backup.Store.Fault = call => call.Operation == "LIST" ? StoreFault.Unavailable() : null;
        Assert.Equal(LitestreamError.Unavailable, (await _backup.FailAsync()).Error);
    }

    [Fact]
    public async Task I21_15_EncryptedObjects_AreAClearError()
    {
        _backup.Put(V3Sample.SnapshotKey(V3Sample.A, 0), "age-encryption.org/v1\n-> X25519 abc\n"u8.ToArray());
        var failure = await _backup.FailAsync();
        Assert.Equal(LitestreamError.InvalidConfiguration, failure.Error);
        Assert.Contains("encrypted (age)", failure.Message, StringComparison.Ordinal);
        Assert.Contains("0.3.13", failure.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task I21_16_OneFlippedBitInAnyObject_IsAnErrorNamingIt()
    {
        Simple();
        foreach (var key in _backup.Store.Keys)
        {
            var good = _backup.Store.Read(key);
            for (var bit = 0; bit < good.Length * 8; bit += 7)
            {
                var bad = good.ToArray();
                bad[bit / 8] ^= (byte)(1 << (bit % 8));
                _backup.Store.Write(key, bad);
                var outcome = await Record.ExceptionAsync(() => _backup.RestoreAsync());
                // Bits that say how blocks depend on each other, or how long they may be, change nothing in a frame of one block.
                if (outcome is null)
                    Assert.Equal(
                        V3Sample.Database(11, 12, 13),
                        await File.ReadAllBytesAsync(_backup.Output, TestContext.Current.CancellationToken)
                    );
                else
                    Assert.Equal((LitestreamError.Corrupt, key), Of(Assert.IsType<LitestreamException>(outcome)));
            }
            _backup.Store.Write(key, good);
        }
        static (LitestreamError, string?) Of(LitestreamException e) => (e.Error, e.Path);
    }

    [Fact]
    public async Task I21_17_LastSegmentEndsInsideATransaction_StopsAtTheCommitBeforeAndSaysSo()
    {
        _backup.Snapshot(V3Sample.A, 0, V3Sample.Database(1, 2));
        _backup.Segments(V3Sample.A, 0, _backup.Wal().Frame(2, 3, 10).Frame(3, 0, 99).Frame(9, 0, 99), 1, 2);
        var log = new Lines();
        Assert.Equal(V3Sample.Database(10, 2), await _backup.RestoreAsync(log: log));
        Assert.Contains(log.Said, line => line.Contains("ends inside a transaction", StringComparison.Ordinal));
        // Not one commit at all: the snapshot.
        _backup.Snapshot(V3Sample.B, 0, V3Sample.Database(5, 6));
        _backup.Segments(V3Sample.B, 0, _backup.Wal().Frame(2, 0, 98));
        Assert.Equal(V3Sample.Database(5, 6), await _backup.RestoreAsync());
        // In the middle of the chain it is a loss.
        _backup.Segments(V3Sample.B, 1, _backup.Wal().Frame(2, 3, 97));
        var failure = await _backup.FailAsync();
        Assert.Equal(LitestreamError.Gap, failure.Error);
        Assert.Contains("index 00000000 before it ends inside a transaction", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task I21_18_WalOfAnotherPageSize_IsAnError()
    {
        _backup.Snapshot(V3Sample.A, 0, V3Sample.Database(1));
        _backup.Segments(V3Sample.A, 0, _backup.Wal(1024).Frame(2, 2, 10));
        var failure = await _backup.FailAsync();
        Assert.Equal(LitestreamError.Corrupt, failure.Error);
        Assert.Contains("the WAL has pages of 1024 bytes, the snapshot of 512", failure.Message, StringComparison.Ordinal);
    }

    private void Simple()
    {
        _backup.Snapshot(V3Sample.A, 0, V3Sample.Database(1, 2, 3));
        _backup.Segments(V3Sample.A, 0, _backup.Wal().Frame(2, 4, 11).Frame(3, 4, 12).Frame(4, 4, 13), 1, 2);
    }

    private void ThreeIndexes()
    {
        _backup.Snapshot(V3Sample.A, 0, V3Sample.Database(1, 2, 3));
        _backup.Segments(V3Sample.A, 0, _backup.Wal().Frame(2, 0, 10).Frame(3, 0, 11).Frame(4, 4, 12));
        _backup.Segments(V3Sample.A, 1, _backup.Wal().Frame(3, 4, 21));
        _backup.Segments(V3Sample.A, 2, _backup.Wal().Frame(2, 4, 30));
    }

    private async Task AddLtxAsync(ulong txid, byte fill)
    {
        var database = V3Sample.Database(fill);
        var header = new LtxHeader
        {
            PageSize = V3Sample.PageSize,
            Commit = 2,
            MinTxid = new Txid(txid),
            MaxTxid = new Txid(txid),
            Timestamp = _backup.Now.AddSeconds(1),
            NoChecksum = true,
        };
        var pages = new Dictionary<uint, byte[]> { [1] = database[..V3Sample.PageSize], [2] = database[V3Sample.PageSize..] };
        _backup.Put(ReplicaLayout.Folders.Key(0, new Txid(txid), new Txid(txid)), await LtxSamples.EncodeAsync(header, pages));
    }

    private sealed class Lines : ILogger
    {
        public List<string> Said { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel level, EventId id, TState state, Exception? exception, Func<TState, Exception?, string> format) =>
            Said.Add(format(state, exception));
    }
}
