using System.Security.Cryptography;
using System.Text;
using Litestream.Replicas;
using Xunit;

namespace Litestream.Tests.Contracts;

/// <summary>What every store promises (replication-engine.md §20). One class per store says how to open an empty one.</summary>
public abstract partial class ObjectStoreContract : IAsyncLifetime
{
    private ObjectStore? _store;

    protected ObjectStore Store => _store!;

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Size of an object that this store does not send in one piece.</summary>
    protected virtual int LargeSize => 12 << 20;

    public async ValueTask InitializeAsync() => _store = await OpenEmptyAsync();

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (_store is not null)
            await _store.DisposeAsync();
    }

    [Fact]
    public async Task List_StoreIsEmpty_ShowsNothing()
    {
        Assert.Empty(await KeysAsync("", null));
        Assert.Empty(await KeysAsync("no/such/folder/", null));
    }

    [Fact]
    public async Task List_ShowsKeysInOrdinalOrderWithSizes()
    {
        string[] keys = ["b", "a/2", "a/1", "a.txt", "a-b/c", "a/10", "A", "a/b/c"];
        for (var i = 0; i < keys.Length; i++)
            await PutAsync(keys[i], new byte[i]);
        Assert.Equal(keys.Order(StringComparer.Ordinal), await KeysAsync("", null));
        await foreach (var stored in Store.ListAsync("", null, Cancel))
            Assert.Equal(Array.IndexOf(keys, stored.Key), stored.SizeBytes);
    }

    [Fact]
    public async Task List_Prefix_ShowsOnlyKeysThatStartWithIt()
    {
        foreach (var key in (string[])["ltx/0/1", "ltx/0/2", "ltx/1/1", "ltx/01", "ltx2/0"])
            await PutAsync(key, [1]);
        Assert.Equal(["ltx/0/1", "ltx/0/2"], await KeysAsync("ltx/0/", null));
        Assert.Equal(["ltx/0/1", "ltx/0/2", "ltx/01"], await KeysAsync("ltx/0", null));
        Assert.Equal(["ltx/0/1", "ltx/0/2", "ltx/01", "ltx/1/1", "ltx2/0"], await KeysAsync("ltx", null));
    }

    [Fact]
    public async Task List_After_StartsBehindThatKeyWhetherItExistsOrNot()
    {
        foreach (var key in (string[])["p/1", "p/2", "p/2/x", "p/3", "q"])
            await PutIfPossibleAsync(key);
        var all = await KeysAsync("", null);
        foreach (var after in (string[])["o", "p/", "p/1", "p/15", "p/2", "p/2/", "p/3", "q", "r"])
            Assert.Equal(all.Where(k => string.CompareOrdinal(k, after) > 0), await KeysAsync("", after));
        Assert.Equal(
            all.Where(k => k.StartsWith("p/", StringComparison.Ordinal) && string.CompareOrdinal(k, "p/1") > 0),
            await KeysAsync("p/", "p/1")
        );
    }

    [Fact]
    public async Task Put_ThenOpen_GivesTheSameBytes()
    {
        var content = Random(100_000, 1);
        var stored = await PutAsync("a/b", content);
        Assert.Equal("a/b", stored.Key);
        Assert.Equal(content.Length, stored.SizeBytes);
        Assert.Equal(content, await ReadAsync("a/b"));
    }

    [Fact]
    public async Task Put_EmptyContent_GivesAnEmptyObject()
    {
        await PutAsync("empty", []);
        Assert.Empty(await ReadAsync("empty"));
        Assert.Equal(0, (await Store.HeadAsync("empty", Cancel))!.SizeBytes);
    }

    [Fact]
    public async Task Put_KeyIsTaken_Replaces()
    {
        await PutAsync("k", [1, 2, 3, 4, 5]);
        await PutAsync("k", [9]);
        Assert.Equal([9], await ReadAsync("k"));
        Assert.Equal(["k"], await KeysAsync("", null));
    }

    [Fact]
    public async Task Put_StreamIsNotAtItsStart_WritesOnlyTheRest()
    {
        using var content = new MemoryStream([1, 2, 3, 4, 5]) { Position = 2 };
        var stored = await Store.PutAsync("k", content, PutOptions.None, Cancel);
        Assert.Equal(3, stored.SizeBytes);
        Assert.Equal([3, 4, 5], await ReadAsync("k"));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(300_000)]
    public async Task Put_StreamCannotSeek_WritesAllOfIt(int size)
    {
        var content = Random(size, 2);
        var stored = await Store.PutAsync("k", new ForwardStream(content), PutOptions.None, Cancel);
        Assert.Equal(size, stored.SizeBytes);
        Assert.Equal(content, await ReadAsync("k"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Put_LargeContent_ArrivesWhole(bool canSeek)
    {
        var content = Random(LargeSize, 3);
        var time = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
        Stream stream = canSeek ? new MemoryStream(content) : new ForwardStream(content);
        var stored = await Store.PutAsync("large", stream, new PutOptions { Timestamp = time }, Cancel);
        Assert.Equal(content.Length, stored.SizeBytes);
        Assert.Equal(SHA256.HashData(content), SHA256.HashData(await ReadAsync("large")));
        Assert.Equal(time, await TimeOfAsync("large"));
        Assert.Equal(content.AsSpan(LargeSize - 10).ToArray(), await ReadAsync("large", LargeSize - 10));
    }

    [Fact]
    public async Task Put_ContentFails_LeavesNothing()
    {
        var failure = new InvalidOperationException("the source broke");
        var thrown = await Assert.ThrowsAnyAsync<Exception>(() =>
            Store.PutAsync("broken", new ForwardStream(Random(LargeSize, 4), failAt: LargeSize - 1, failure), PutOptions.None, Cancel)
        );
        Assert.True(ReferenceEquals(thrown, failure) || ReferenceEquals(thrown.InnerException, failure), thrown.ToString());
        Assert.Empty(await KeysAsync("", null));
        Assert.Null(await Store.HeadAsync("broken", Cancel));
    }

    [Fact]
    public async Task Put_ContentFails_KeepsTheOlderObject()
    {
        await PutAsync("k", [1, 2, 3]);
        await Assert.ThrowsAnyAsync<Exception>(() =>
            Store.PutAsync("k", new ForwardStream(new byte[1000], failAt: 500, new IOException("broke")), PutOptions.None, Cancel)
        );
        Assert.Equal([1, 2, 3], await ReadAsync("k"));
    }

    [Fact]
    public async Task Put_Timestamp_IsKeptToTheMillisecond()
    {
        var time = new DateTimeOffset(2024, 2, 29, 23, 59, 58, 123, TimeSpan.Zero);
        await Store.PutAsync("k", new MemoryStream([1]), new PutOptions { Timestamp = time }, Cancel);
        Assert.Equal(time, await TimeOfAsync("k"));
        if (Store.Capabilities.ListsTimestamps)
        {
            await foreach (var listed in Store.ListAsync("", null, Cancel))
                Assert.Equal(time, listed.LastModified);
        }
    }

    [Fact]
    public async Task Put_ManyWritersOfOneKey_OneOfThemWinsWhole()
    {
        var contents = Enumerable.Range(0, 8).Select(i => Random(50_000, 100 + i)).ToList();
        await Task.WhenAll(contents.Select(c => Task.Run(() => PutAsync("k", c), Cancel)));
        var found = await ReadAsync("k");
        Assert.Contains(contents, c => c.AsSpan().SequenceEqual(found));
        Assert.Equal(["k"], await KeysAsync("", null));
    }

    [Theory]
    [InlineData(0, null, "0123456789")]
    [InlineData(3, null, "3456789")]
    [InlineData(0, 4L, "0123")]
    [InlineData(3, 4L, "3456")]
    [InlineData(8, 100L, "89")]
    [InlineData(9, 1L, "9")]
    [InlineData(10, null, "")]
    [InlineData(10, 5L, "")]
    [InlineData(50, 5L, "")]
    public async Task Open_Range_GivesThoseBytes(long offset, long? length, string expected)
    {
        await PutAsync("digits", "0123456789"u8.ToArray());
        Assert.Equal(expected, Encoding.ASCII.GetString(await ReadAsync("digits", offset, length)));
    }

    [Fact]
    public async Task Open_ObjectIsMissing_SaysNotFound()
    {
        var e = await Assert.ThrowsAsync<LitestreamException>(() => ReadAsync("missing"));
        Assert.Equal(LitestreamError.NotFound, e.Error);
        Assert.False(e.IsTransient);
        await PutAsync("folder/file", [1]);
        e = await Assert.ThrowsAsync<LitestreamException>(() => ReadAsync("folder"));
        Assert.Equal(LitestreamError.NotFound, e.Error);
    }

    [Fact]
    public async Task Open_StreamIsLeftEarly_DoesNoHarm()
    {
        await PutAsync("k", Random(2_000_000, 5));
        for (var i = 0; i < 20; i++)
        {
            await using var stream = await Store.OpenAsync("k", 0, null, Cancel);
            Assert.NotEqual(0, await stream.ReadAsync(new byte[10], Cancel));
        }
        Assert.Equal(2_000_000, (await ReadAsync("k")).Length);
    }

    [Fact]
    public async Task Head_ObjectIsMissing_IsNull() => Assert.Null(await Store.HeadAsync("missing", Cancel));

    [Fact]
    public async Task Delete_RemovesTheGivenAndNothingElse()
    {
        foreach (var key in (string[])["a/1", "a/2", "a/3"])
            await PutAsync(key, [1]);
        await Store.DeleteAsync(["a/1", "a/3", "a/4", "b/c/d"], Cancel);
        Assert.Equal(["a/2"], await KeysAsync("", null));
        await Store.DeleteAsync(["a/1", "a/3"], Cancel);
        await Store.DeleteAsync([], Cancel);
    }

    [Fact]
    public async Task Keys_SpecialCharacters_AreKept()
    {
        string[] keys = ["a b", "a+b", "a%20b", "a%b", "ä/€/漢", "q?x=1&y", "h#i", "quote'\"", "{x}[y]", "~tilde", "a=b;c,d@e:f$g!h*i(j)"];
        for (var i = 0; i < keys.Length; i++)
            await PutAsync(keys[i], [(byte)i]);
        Assert.Equal(keys.Order(StringComparer.Ordinal), await KeysAsync("", null));
        for (var i = 0; i < keys.Length; i++)
            Assert.Equal([(byte)i], await ReadAsync(keys[i]));
        await Store.DeleteAsync(keys, Cancel);
        Assert.Empty(await KeysAsync("", null));
    }

    [Fact]
    public async Task Cancellation_BeforeTheCall_EndsIt()
    {
        await PutAsync("k", [1]);
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        var token = cancelled.Token;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Store.OpenAsync("k", 0, null, token));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Store.HeadAsync("k", token));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Store.PutAsync("k", new MemoryStream([2]), PutOptions.None, token));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Store.DeleteAsync(["k"], token));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            await Store.ListAsync("", null, token).FirstOrDefaultAsync(CancellationToken.None)
        );
        Assert.Equal([1], await ReadAsync("k"));
    }

    [Fact]
    public async Task Cancellation_InTheMiddleOfAPut_LeavesNothing()
    {
        using var cancelled = new CancellationTokenSource();
        var content = new ForwardStream(Random(LargeSize, 6), failAt: LargeSize / 2, null, cancelled.Cancel);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Store.PutAsync("k", content, PutOptions.None, cancelled.Token));
        Assert.Empty(await KeysAsync("", null));
    }

    [Fact]
    public async Task WrongArguments_ThrowStandardExceptions()
    {
        await Assert.ThrowsAnyAsync<ArgumentException>(() => Store.OpenAsync("", 0, null, Cancel));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => Store.OpenAsync("k", -1, null, Cancel));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => Store.OpenAsync("k", 0, 0, Cancel));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => Store.PutAsync("", Stream.Null, PutOptions.None, Cancel));
    }

    [Fact]
    public void Names_AreSet()
    {
        Assert.NotEmpty(Store.Kind);
        Assert.NotEmpty(Store.Location);
    }

    /// <summary>Opens a store in which nothing is.</summary>
    protected abstract Task<ObjectStore> OpenEmptyAsync();

    protected static byte[] Random(int size, int seed)
    {
        var bytes = new byte[size];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    protected Task<StoredObject> PutAsync(string key, byte[] content) =>
        Store.PutAsync(key, new MemoryStream(content), PutOptions.None, Cancel);

    protected async Task<byte[]> ReadAsync(string key, long offset = 0, long? length = null)
    {
        await using var stream = await Store.OpenAsync(key, offset, length, Cancel);
        using var copy = new MemoryStream();
        await stream.CopyToAsync(copy, Cancel);
        return copy.ToArray();
    }

    protected async Task<List<string>> KeysAsync(string prefix, string? after)
    {
        var keys = new List<string>();
        await foreach (var stored in Store.ListAsync(prefix, after, Cancel))
            keys.Add(stored.Key);
        return keys;
    }

    /// <summary>In a folder a file cannot also be a folder; there such a key is left out.</summary>
    private async Task PutIfPossibleAsync(string key)
    {
        try
        {
            await PutAsync(key, [1]);
        }
        catch (LitestreamException e) when (e.Error == LitestreamError.LocalStorage && Store.Capabilities.ListsTimestamps) { }
    }

    private async Task<DateTimeOffset?> TimeOfAsync(string key)
    {
        var head = await Store.HeadAsync(key, Cancel);
        Assert.NotNull(head);
        if (Store.Capabilities.ListsTimestamps)
            return head.LastModified;
        return StoredTimestamp.TryParse(head.Metadata![StoredTimestamp.MetadataKey], out var time) ? time : null;
    }
}
