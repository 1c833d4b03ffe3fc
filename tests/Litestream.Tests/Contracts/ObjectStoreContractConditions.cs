using Litestream.Replicas;
using Xunit;

namespace Litestream.Tests.Contracts;

/// <content>Conditional writes.</content>
public abstract partial class ObjectStoreContract
{
    [Fact]
    public async Task IfAbsent_KeyIsFree_Writes_AndSecondTimeConflicts()
    {
        Assert.True(Store.Capabilities.ConditionalCreate);
        await Store.PutAsync("lease", new MemoryStream([1]), new PutOptions { IfAbsent = true }, Cancel);
        var e = await Assert.ThrowsAsync<LitestreamException>(() =>
            Store.PutAsync("lease", new MemoryStream([2]), new PutOptions { IfAbsent = true }, Cancel)
        );
        Assert.Equal(LitestreamError.Conflict, e.Error);
        Assert.Equal([1], await ReadAsync("lease"));
    }

    [Fact]
    public async Task IfAbsent_SixteenWriters_OneWins()
    {
        for (var round = 0; round < 3; round++)
        {
            var key = $"race/{round}";
            var outcomes = await Task.WhenAll(
                Enumerable.Range(0, 16).Select(i => Task.Run(() => TryPutAsync(key, i, new PutOptions { IfAbsent = true }), Cancel))
            );
            var winner = Assert.Single(outcomes, o => o.Error is null);
            Assert.All(outcomes.Where(o => o != winner), o => Assert.Equal(LitestreamError.Conflict, o.Error));
            Assert.Equal([(byte)winner.Writer], await ReadAsync(key));
        }
    }

    [Fact]
    public async Task IfTag_ObjectIsUnchanged_Writes_ElseConflicts()
    {
        Assert.True(Store.Capabilities.ConditionalReplace);
        var first = await PutAsync("lease", [1]);
        Assert.NotNull(first.Tag);
        Assert.Equal(first.Tag, (await Store.HeadAsync("lease", Cancel))!.Tag);
        var second = await Store.PutAsync("lease", new MemoryStream([2]), new PutOptions { IfTag = first.Tag }, Cancel);
        Assert.NotEqual(first.Tag, second.Tag);
        var e = await Assert.ThrowsAsync<LitestreamException>(() =>
            Store.PutAsync("lease", new MemoryStream([3]), new PutOptions { IfTag = first.Tag }, Cancel)
        );
        Assert.Equal(LitestreamError.Conflict, e.Error);
        Assert.Equal([2], await ReadAsync("lease"));
    }

    [Fact]
    public async Task IfTag_ObjectIsGone_Conflicts()
    {
        var stored = await PutAsync("lease", [1]);
        await Store.DeleteAsync(["lease"], Cancel);
        var e = await Assert.ThrowsAsync<LitestreamException>(() =>
            Store.PutAsync("lease", new MemoryStream([2]), new PutOptions { IfTag = stored.Tag }, Cancel)
        );
        Assert.Equal(LitestreamError.Conflict, e.Error);
        Assert.Empty(await KeysAsync("", null));
    }

    [Fact]
    public async Task IfTag_SixteenWriters_OneWins()
    {
        var stored = await PutAsync("lease", [100]);
        var outcomes = await Task.WhenAll(
            Enumerable.Range(0, 16).Select(i => Task.Run(() => TryPutAsync("lease", i, new PutOptions { IfTag = stored.Tag }), Cancel))
        );
        var winner = Assert.Single(outcomes, o => o.Error is null);
        Assert.Equal([(byte)winner.Writer], await ReadAsync("lease"));
    }

    private async Task<(int Writer, LitestreamError? Error)> TryPutAsync(string key, int writer, PutOptions options)
    {
        try
        {
            await Store.PutAsync(key, new MemoryStream([(byte)writer]), options, Cancel);
            return (writer, null);
        }
        catch (LitestreamException e)
        {
            return (writer, e.Error);
        }
    }
}
