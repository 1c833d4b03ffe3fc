using Litestream.Ltx;
using Litestream.Replicas;
using Testing;
using Xunit;

namespace Litestream.Tests.Replicas;

public sealed class LtxDirectoryTests
{
    private const string Meta = "/data/.app.db-litestream";
    private readonly SimulatedDisk _disk = new();

    [Fact]
    public void PathOf_IsThatOfLitestream()
    {
        var directory = new LtxDirectory(_disk, Meta);
        Assert.Equal($"{Meta}/ltx/0/0000000000000001-000000000000000a.ltx", directory.PathOf(0, new Txid(1), new Txid(10)));
        Assert.Equal($"{Meta}/ltx/9", directory.LevelPath(9));
    }

    [Fact]
    public void List_FolderIsMissing_IsEmpty() => Assert.Empty(new LtxDirectory(_disk, Meta).List(0));

    [Fact]
    public void List_ShowsLtxFilesInOrder_AndNothingElse()
    {
        var directory = new LtxDirectory(_disk, Meta);
        foreach (var (min, max) in ((ulong, ulong)[])[(5, 5), (1, 4), (1, 1), (16, 17)])
            _disk.Write(directory.PathOf(1, new Txid(min), new Txid(max)), new byte[100 + min]);
        _disk.Write($"{Meta}/ltx/1/0000000000000006-0000000000000006.ltx.tmp", [1]);
        _disk.Write($"{Meta}/ltx/1/x", [1]);
        _disk.Write($"{Meta}/ltx/1/0000000000000009-0000000000000009.ltx/file", [1]);
        Assert.Equal(
            [(1, 1, 101), (1, 4, 101), (5, 5, 105), (16, 17, 116)],
            directory.List(1).Select(f => ((int)f.MinTxid.Value, (int)f.MaxTxid.Value, (int)f.SizeBytes))
        );
    }

    [Fact]
    public void OpenRead_Delete_ReachTheFile()
    {
        var directory = new LtxDirectory(_disk, Meta);
        _disk.Write(directory.PathOf(0, new Txid(1), new Txid(1)), [1, 2, 3]);
        var file = Assert.Single(directory.List(0));
        using (var stream = directory.OpenRead(file))
            Assert.Equal(3, stream.Length);
        directory.Delete(file);
        directory.Delete(file);
        Assert.Empty(directory.List(0));
        Assert.Equal(LitestreamError.NotFound, Assert.Throws<LitestreamException>(() => directory.OpenRead(file)).Error);
    }

    [Fact]
    public void RemoveTemporaryFiles_RemovesOnlyThem()
    {
        var directory = new LtxDirectory(_disk, Meta);
        directory.RemoveTemporaryFiles();
        string[] kept = [directory.PathOf(0, new Txid(1), new Txid(1)), $"{Meta}/ltx/1/tmp", $"{Meta}/other.tmp"];
        foreach (var path in kept)
            _disk.Write(path, [1]);
        _disk.Write(directory.PathOf(0, new Txid(2), new Txid(2)) + ".tmp", [1]);
        _disk.Write(directory.PathOf(9, new Txid(1), new Txid(2)) + ".tmp", [1]);
        _disk.Write($"{Meta}/ltx/x.tmp", [1]);
        directory.RemoveTemporaryFiles();
        Assert.Equal(kept.Order(StringComparer.Ordinal), _disk.Files);
    }
}
