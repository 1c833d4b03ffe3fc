using Litestream.Compaction;
using Litestream.Ltx;
using Xunit;

namespace Litestream.Tests.Compaction;

/// <summary>What is merged next: replication-engine §9 and §21 F.</summary>
public sealed class CompactionPlanTests
{
    [Fact]
    public void F2_NothingNew_NothingToDo()
    {
        Assert.Empty(CompactionPlan.Next([], [], []));
        Assert.Empty(CompactionPlan.Next([File(0, 2, 2), File(0, 3, 3)], [File(1, 2, 3)], [File(9, 1, 2)]));
    }

    [Fact]
    public void F1_EverythingBehindTheLevel_InOneRun()
    {
        var run = CompactionPlan.Next([File(0, 2, 2), File(0, 3, 3), File(0, 4, 4)], [File(1, 2, 2)], [File(9, 1, 2)]);
        Assert.Equal([3UL, 4UL], run.Select(f => f.MinTxid.Value));
    }

    [Fact]
    public void RunsAreNeverMergedAcrossAHole_ASnapshotLeadsOverIt()
    {
        LtxFileInfo[] sources = [File(0, 2, 2), File(0, 3, 3), File(0, 6, 6), File(0, 7, 7)];
        LtxFileInfo[] snapshots = [File(9, 1, 2), File(9, 1, 6)];
        Assert.Equal([2UL, 3UL], CompactionPlan.Next(sources, [], snapshots).Select(f => f.MinTxid.Value));
        Assert.Equal([6UL, 7UL], CompactionPlan.Next(sources, [File(1, 2, 3)], snapshots).Select(f => f.MinTxid.Value));
    }

    [Fact]
    public void F10_HoleThatNoSnapshotLeadsOver_IsAnErrorThatNamesIt()
    {
        var e = Assert.Throws<LitestreamException>(() =>
            CompactionPlan.Next([File(0, 2, 2), File(0, 6, 6)], [File(1, 2, 3)], [File(9, 1, 2)])
        );
        Assert.Equal((LitestreamError.Gap, 4UL, 5UL), (e.Error, e.MinTxid!.Value.Value, e.MaxTxid!.Value.Value));
    }

    [Fact]
    public void TheFileThatGoesUpWithASnapshot_WaitsForARealOne()
    {
        Assert.Empty(CompactionPlan.Next([File(0, 2, 2)], [], [File(9, 1, 2)]));
        Assert.Equal(2, CompactionPlan.Next([File(0, 2, 2), File(0, 3, 3)], [], [File(9, 1, 2)]).Count);
    }

    [Fact]
    public void ALevelDoesNotBeginWithAWholeCopy_WhenASnapshotHasIt()
    {
        LtxFileInfo[] sources = [File(0, 1, 1), File(0, 2, 2), File(0, 3, 3), File(0, 4, 4)];
        Assert.Equal([3UL, 4UL], CompactionPlan.Next(sources, [], [File(9, 1, 2), File(9, 1, 3)]).Select(f => f.MinTxid.Value));
        Assert.Equal(4, CompactionPlan.Next(sources, [], []).Count);
    }

    [Fact]
    public void ManyFiles_AreMergedInParts()
    {
        var sources = Enumerable.Range(2, 600).Select(i => File(0, (ulong)i, (ulong)i)).ToArray();
        var first = CompactionPlan.Next(sources, [], [File(9, 1, 2)]);
        Assert.Equal(CompactionPlan.MaxFiles, first.Count);
        var second = CompactionPlan.Next(sources, [File(1, 2, first[^1].MaxTxid.Value)], [File(9, 1, 2)]);
        Assert.Equal(first[^1].MaxTxid.Next(), second[0].MinTxid);
    }

    [Fact]
    public void ContainedFiles_ArePassedOver()
    {
        var run = CompactionPlan.Next([File(1, 2, 9), File(1, 3, 4), File(1, 8, 12)], [], [File(9, 1, 2)]);
        Assert.Equal([9UL, 12UL], run.Select(f => f.MaxTxid.Value));
    }

    private static LtxFileInfo File(int level, ulong min, ulong max) =>
        new(level, new Txid(min), new Txid(max), 100, DateTimeOffset.UnixEpoch.AddSeconds(max));
}
