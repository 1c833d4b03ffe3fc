using Litestream.Ltx;
using Litestream.Replication;
using Xunit;

namespace Litestream.Tests.Replication;

/// <summary>A replica may list anything.</summary>
public sealed class HostileNameTests
{
    [Theory]
    [InlineData(0, "ffffffffffffffff", false)]
    [InlineData(0, "ffffffffffffffff", true)]
    [InlineData(0, "0000000000000001", true)]
    [InlineData(9, "0000000000000001", true)]
    [InlineData(9, "0000000000000001", false)]
    [InlineData(1, "0000000000000001", false)]
    public async Task FileOfTheLastTransactionOfAll_IsFailureThatNamesIt(int level, string first, bool localStateLost)
    {
        await using var circle = await Circle.RunningAsync(5);
        await circle.KillAsync();
        if (localStateLost)
            Directory.Delete(EngineFolder.Of(circle.Options), recursive: true);
        Directory.CreateDirectory(Path.Combine(circle.Replica, "ltx", $"{level}"));
        var file = Path.Combine(circle.Replica, "ltx", $"{level}", $"{first}-ffffffffffffffff.ltx");
        await File.WriteAllBytesAsync(file, new byte[200], Circle.Token);
        circle.Write(3);
        await circle.StartAsync();
        await circle.StepAsync();
        var replica = circle.Status.Replicas[0];
        Assert.Equal(ReplicationState.Failing, replica.State);
        Assert.Contains($"{Path.GetFileName(file)} of level {level}", replica.Cause, StringComparison.Ordinal);
        File.Delete(file);
        await circle.StepAsync(120);
        await circle.RequireRestorableAsync();
    }

    [Fact]
    public void LastTransactionOfAll_NoneCanFollow()
    {
        var e = Assert.Throws<LitestreamException>(() => new Txid(ulong.MaxValue).Next());
        Assert.Equal(LitestreamError.Corrupt, e.Error);
        Assert.Contains("ffffffffffffffff", e.Message, StringComparison.Ordinal);
    }
}
