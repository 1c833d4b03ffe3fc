using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Replication;
using Testing;
using Xunit;

namespace Litestream.Tests.Replication;

/// <summary>Which local files stay, and for whom.</summary>
public sealed class LocalFilesTests
{
    private readonly SimulatedDisk _disk = new();
    private readonly LtxDirectory _directory;
    private readonly LocalFiles _files;

    public LocalFilesTests()
    {
        _directory = new LtxDirectory(_disk, "/meta");
        _files = new LocalFiles(_directory);
        _directory.CreateLevel(0);
    }

    [Fact]
    public void Trim_DeletesWhatAllHaveConfirmed_ButTheLastThatProvesIt_AndKeepsTheNewest()
    {
        Add(1, 5);
        Assert.Equal(0, _files.Trim(new Txid(3), new Txid(ulong.MaxValue), 1 << 20));
        Assert.Equal([3UL, 4UL, 5UL], OnDisk());
        Assert.Equal(0, _files.Trim(new Txid(5), new Txid(ulong.MaxValue), 1 << 20));
        Assert.Equal([5UL], OnDisk());
        Assert.Equal(new Txid(5), _files.Max);
        Assert.Equal(0, _files.Trim(new Txid(99), new Txid(ulong.MaxValue), 1));
        Assert.Equal([5UL], OnDisk());
    }

    [Fact]
    public void Trim_Nothing_OfNothing()
    {
        Assert.Equal(0, _files.Trim(new Txid(5), new Txid(ulong.MaxValue), 1));
        Assert.Equal(Txid.None, _files.Max);
        Assert.Null(_files.Newest);
    }

    [Fact]
    public void Trim_BeyondTheBound_DropsTheOldestThatSomeReplicaNeeds_AndCountsThem()
    {
        Add(1, 10, 100);
        Assert.Equal(7, _files.Trim(Txid.None, new Txid(ulong.MaxValue), 350));
        Assert.Equal([8UL, 9UL, 10UL], OnDisk());
        Assert.Equal(300, _files.SizeBytes);
        Assert.Null(_files.After(new Txid(3)));
        Assert.Equal(new Txid(9), _files.After(new Txid(8))!.MinTxid);
        Assert.Equal(2, _files.Trim(Txid.None, new Txid(ulong.MaxValue), 1));
        Assert.Equal([10UL], OnDisk());
    }

    [Fact]
    public void Add_AJump_MakesEverythingBeforeUseless()
    {
        Add(1, 4);
        Add(9, 10);
        Assert.Equal([9UL, 10UL], OnDisk());
        Assert.Null(_files.After(new Txid(4)));
        Assert.Equal(new Txid(9), _files.After(new Txid(8))!.MinTxid);
    }

    [Fact]
    public void Load_OnlyTheUnbrokenRunToTheNewestCounts()
    {
        Add(1, 3);
        Add(4, 6);
        _directory.Delete(Info(3));
        var again = new LocalFiles(_directory);
        again.Load();
        Assert.Equal(new Txid(6), again.Max);
        Assert.Equal([4UL, 5UL, 6UL], OnDisk());
        again.Load();
        Assert.Equal(new Txid(4), again.After(new Txid(3))!.MinTxid);
    }

    [Fact]
    public void PendingAfter_CountsFilesTransactionsAndTheOldest()
    {
        Add(3, 6, 10);
        Assert.Equal((20L, 2L, (DateTimeOffset?)Time(5)), _files.PendingAfter(new Txid(4)));
        Assert.Equal((40L, 6L, (DateTimeOffset?)Time(3)), _files.PendingAfter(Txid.None)); // two transactions are not kept any more
        Assert.Equal((0L, 0L, (DateTimeOffset?)null), _files.PendingAfter(new Txid(6)));
        Assert.Equal((0L, 0L, (DateTimeOffset?)null), _files.PendingAfter(new Txid(60)));
    }

    [Fact]
    public void Remove_ForgetsAndDeletes()
    {
        Add(1, 3);
        _files.Remove(_files.Newest!);
        Assert.Equal(new Txid(2), _files.Max);
        Assert.Equal([1UL, 2UL], OnDisk());
    }

    private void Add(int first, int last, int size = 10)
    {
        for (var i = first; i <= last; i++)
        {
            _disk.Write(_directory.PathOf(Info(i)), new byte[size]);
            _files.Add(Info(i) with { SizeBytes = size });
        }
    }

    private IEnumerable<ulong> OnDisk() => _directory.List(0).Select(f => f.MinTxid.Value);

    private static LtxFileInfo Info(int txid) => new(0, new Txid((ulong)txid), new Txid((ulong)txid), 10, Time(txid));

    private static DateTimeOffset Time(int second) => DateTimeOffset.UnixEpoch.AddSeconds(second);
}
