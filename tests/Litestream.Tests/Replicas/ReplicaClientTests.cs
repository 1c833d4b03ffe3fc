using Litestream.IO;
using Litestream.Ltx;
using Litestream.Replicas;
using Testing;
using Xunit;

namespace Litestream.Tests.Replicas;

public sealed class ReplicaClientTests
{
    private static readonly DateTimeOffset Time = new(2026, 5, 6, 7, 8, 9, 123, TimeSpan.Zero);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<bool> Layouts => [true, false];

    [Theory]
    [MemberData(nameof(Layouts))]
    public async Task Write_ThenList_GivesTheFilesInOrder(bool buckets)
    {
        await using var client = Client(buckets, out var store);
        foreach (var (min, max) in ((ulong, ulong)[])[(10, 12), (1, 9), (13, 13), (1, 1), (10, 10)])
            await WriteAsync(client, 2, min, max);
        store.Write(client.Layout.LevelPrefix(2) + "notes.txt", [1]);
        store.Write(client.Layout.LevelPrefix(2) + "000000000000000a-0000000000000009.ltx", new byte[200]);
        store.Write(client.Layout.LevelPrefix(2) + "000000000000000A-000000000000000B.ltx", new byte[200]);
        await WriteAsync(client, 3, 1, 20);
        Assert.Equal([(1, 1), (1, 9), (10, 10), (10, 12), (13, 13)], await RangesAsync(client, 2, 0));
        Assert.Equal([(1, 1), (1, 9), (10, 10), (10, 12), (13, 13)], await RangesAsync(client, 2, 1));
        Assert.Equal([(10, 10), (10, 12), (13, 13)], await RangesAsync(client, 2, 2));
        Assert.Equal([(10, 10), (10, 12), (13, 13)], await RangesAsync(client, 2, 10));
        Assert.Equal([(13, 13)], await RangesAsync(client, 2, 11));
        Assert.Empty(await RangesAsync(client, 2, 14));
        Assert.Empty(await RangesAsync(client, 0, 0));
    }

    [Fact]
    public async Task Keys_AreThoseOfLitestream()
    {
        await using var buckets = Client(true, out var bucketStore);
        await WriteAsync(buckets, 9, 1, 0x1f);
        Assert.Equal("0009/0000000000000001-000000000000001f.ltx", Assert.Single(bucketStore.Keys));
        await using var folders = Client(false, out var folderStore);
        await WriteAsync(folders, 9, 1, 0x1f);
        Assert.Equal("ltx/9/0000000000000001-000000000000001f.ltx", Assert.Single(folderStore.Keys));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Write_TellsSizeAndTimeOfTheHeader(bool canSeek)
    {
        await using var client = Client(true, out var store);
        var content = Content(3, 4);
        Stream stream = canSeek ? new MemoryStream(content) : new BoundedStream(new MemoryStream(content), long.MaxValue);
        var file = await client.WriteAsync(1, new Txid(3), new Txid(4), stream, Cancel);
        Assert.Equal(new LtxFileInfo(1, new Txid(3), new Txid(4), content.Length, Time), file);
        Assert.Equal(content, store.Read(store.Keys[0]));
        var head = await store.HeadAsync(store.Keys[0], Cancel);
        Assert.Equal("2026-05-06T07:08:09.123Z", head!.Metadata![StoredTimestamp.MetadataKey]);
    }

    [Fact]
    public async Task Write_ContentIsAnotherFile_WritesNothing()
    {
        await using var client = Client(true, out var store);
        foreach (
            var content in (byte[][])
                [
                    [],
                    new byte[99],
                    new byte[500],
                    Content(1, 2),
                    Content(2, 3),
                ]
        )
        {
            var e = await Assert.ThrowsAsync<LitestreamException>(() =>
                client.WriteAsync(0, new Txid(1), new Txid(3), new MemoryStream(content), Cancel)
            );
            Assert.Equal(LitestreamError.Corrupt, e.Error);
            Assert.Equal(0, e.Level);
        }
        Assert.Empty(store.Keys);
    }

    [Fact]
    public async Task Open_Range_GivesThoseBytes_AndMissingIsNotFound()
    {
        await using var client = Client(false, out _);
        var file = await WriteAsync(client, 0, 1, 1);
        await using var stream = await client.OpenAsync(file, 16, 8, Cancel);
        var bytes = new byte[20];
        Assert.Equal(8, await stream.ReadAtLeastAsync(bytes, 20, false, Cancel));
        Assert.Equal(1, bytes[7]);
        await client.DeleteAsync([file], Cancel);
        var e = await Assert.ThrowsAsync<LitestreamException>(() => client.OpenAsync(file, 0, null, Cancel));
        Assert.Equal(LitestreamError.NotFound, e.Error);
        await client.DeleteAsync([file], Cancel);
    }

    [Fact]
    public async Task List_ExactTimes_AsksObjectByObjectAndFallsBackToTheHeader()
    {
        await using var client = Client(true, out var store);
        for (ulong i = 1; i <= 120; i++)
            store.Write(client.Layout.Key(0, new Txid(i), new Txid(i)), Content(i, i), i == 7 ? null : Time);
        store.Write(client.Layout.Key(0, new Txid(121), new Txid(121)), [1, 2, 3]);
        var files = await client.ListAsync(0, Txid.None, TimestampAccuracy.Exact, Cancel).ToListAsync(Cancel);
        Assert.Equal(121, files.Count);
        Assert.Equal(files.OrderBy(f => f.MinTxid), files);
        Assert.All(files.Take(120), f => Assert.Equal(Time, f.Timestamp));
        Assert.NotEqual(Time, files[^1].Timestamp);
        Assert.Equal(121, store.Count("HEAD"));
        Assert.Equal(2, store.Count("GET"));
    }

    [Fact]
    public async Task List_ExactTimes_FolderWasCopiedWithoutTimes_ReadsTheHeaders()
    {
        using var folder = new TempFolder();
        await using var client = new ReplicaClient(new FileObjectStore(DurableFiles.System, folder.Path), ReplicaLayout.Folders);
        var file = await WriteAsync(client, 0, 1, 2);
        var path = folder.Combine("ltx", "0", file.FileName);
        Assert.Equal(Time.UtcDateTime, File.GetLastWriteTimeUtc(path));
        var copied = new DateTime(2030, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        File.SetLastWriteTimeUtc(path, copied);
        Assert.Equal(
            copied,
            (await client.ListAsync(0, Txid.None, TimestampAccuracy.Listing, Cancel).SingleAsync(Cancel)).Timestamp.UtcDateTime
        );
        Assert.Equal(Time, (await client.ListAsync(0, Txid.None, TimestampAccuracy.Exact, Cancel).SingleAsync(Cancel)).Timestamp);
    }

    [Fact]
    public async Task List_ExactTimes_FileVanishesMeanwhile_IsLeftOut()
    {
        await using var client = Client(true, out var store);
        await WriteAsync(client, 0, 1, 1);
        await WriteAsync(client, 0, 2, 2);
        store.Fault = call =>
        {
            if (call.Operation == "HEAD")
                store.Remove(client.Layout.Key(0, new Txid(1), new Txid(1)));
            return null;
        };
        Assert.Equal([(2, 2)], await RangesAsync(client, 0, 0, TimestampAccuracy.Exact));
    }

    [Fact]
    public async Task List_ExactTimes_OneRequestFails_FailsAndEndsTheOthers()
    {
        await using var client = Client(true, out var store);
        for (ulong i = 1; i <= 80; i++)
            await WriteAsync(client, 0, i, i);
        store.Fault = call =>
            call.Operation == "HEAD" && call.Key.Contains("000d-", StringComparison.Ordinal) ? StoreFault.Unavailable() : null;
        var e = await Assert.ThrowsAsync<LitestreamException>(() => RangesAsync(client, 0, 0, TimestampAccuracy.Exact));
        Assert.True(e.IsTransient);
    }

    [Fact]
    public async Task HasGenerations_IsTrueOnlyWithBackupsOfVersion3()
    {
        await using var client = Client(false, out var store);
        await WriteAsync(client, 0, 1, 1);
        Assert.False(await client.HasGenerationsAsync(Cancel));
        store.Write("generations/0123456789abcdef/snapshots/00000000.snapshot.lz4", [1]);
        Assert.True(await client.HasGenerationsAsync(Cancel));
    }

    [Theory]
    [InlineData("2026-05-06T07:08:09Z", 0)]
    [InlineData("2026-05-06T07:08:09.5Z", 5_000_000)]
    [InlineData("2026-05-06T07:08:09.000000001Z", 0)]
    [InlineData("2026-05-06T07:08:09.123456789Z", 1_234_567)]
    [InlineData("2026-05-06T09:08:09.123+02:00", 1_230_000)]
    public void StoredTimestamp_ReadsRfc3339(string text, long ticks)
    {
        Assert.True(StoredTimestamp.TryParse(text, out var time));
        Assert.Equal(new DateTimeOffset(2026, 5, 6, 7, 8, 9, TimeSpan.Zero).AddTicks(ticks), time);
    }

    [Theory]
    [InlineData(0, "2026-05-06T07:08:09Z")]
    [InlineData(1_000_000, "2026-05-06T07:08:09.1Z")]
    [InlineData(1_230_000, "2026-05-06T07:08:09.123Z")]
    [InlineData(10, "2026-05-06T07:08:09.000001Z")]
    public void StoredTimestamp_WritesNoTrailingZeros(long ticks, string expected) =>
        Assert.Equal(expected, StoredTimestamp.Format(new DateTimeOffset(2026, 5, 6, 9, 8, 9, TimeSpan.FromHours(2)).AddTicks(ticks)));

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("yesterday")]
    [InlineData("2026-05-06")]
    [InlineData("2026-13-06T07:08:09Z")]
    public void StoredTimestamp_OtherText_IsRefused(string? text) => Assert.False(StoredTimestamp.TryParse(text, out _));

    private static ReplicaClient Client(bool buckets, out MemoryObjectStore store)
    {
        store = new MemoryObjectStore();
        return new ReplicaClient(store, buckets ? ReplicaLayout.Buckets : ReplicaLayout.Folders);
    }

    /// <summary>The start of an LTX file, as much of it as a replica looks at.</summary>
    internal static byte[] Content(ulong min, ulong max)
    {
        var content = new byte[1000];
        new LtxHeader
        {
            PageSize = 4096,
            Commit = 1,
            MinTxid = new Txid(min),
            MaxTxid = new Txid(max),
            Timestamp = Time,
            NoChecksum = true,
        }.Write(content);
        return content;
    }

    private static Task<LtxFileInfo> WriteAsync(ReplicaClient client, int level, ulong min, ulong max) =>
        client.WriteAsync(level, new Txid(min), new Txid(max), new MemoryStream(Content(min, max)), Cancel);

    private static async Task<List<(int Min, int Max)>> RangesAsync(
        ReplicaClient client,
        int level,
        ulong from,
        TimestampAccuracy times = TimestampAccuracy.Listing
    ) =>
        await client
            .ListAsync(level, new Txid(from), times, Cancel)
            .Select(f => ((int)f.MinTxid.Value, (int)f.MaxTxid.Value))
            .ToListAsync(Cancel);
}
