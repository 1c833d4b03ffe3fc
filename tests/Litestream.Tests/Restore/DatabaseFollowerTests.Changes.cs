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

/// <summary>What becomes of a follower when its replica or its file is changed by others.</summary>
public sealed partial class DatabaseFollowerTests
{
    [Fact]
    [Trait("Scenario", "K15")]
    public async Task Follow_ReplicaEmptiedAndBegunAnew_StartsOverFromItsSnapshot()
    {
        await using var following = await Following.StartedAsync(5);
        await using var other = await Circle.RunningAsync(2);
        Directory.Delete(following.Circle.Replica, recursive: true);
        await following.StepAsync();
        Assert.Equal(FollowState.Failing, following.Status.State);
        Assert.Contains("is empty", following.Status.Cause, StringComparison.Ordinal);
        Directory.Move(other.Replica, following.Circle.Replica);
        await following.StepAfterSilenceAsync();
        Assert.Contains("gone back", following.Status.Cause, StringComparison.Ordinal);
        await following.StepAsync();
        Assert.Equal((FollowState.Current, new Txid(3)), (following.Status.State, following.Status.Txid));
        Assert.Equal(CanonicalDump.Of(other.App), CanonicalDump.Of(following.Output));
    }

    [Fact]
    public async Task Follow_PageSizeChanges_Follows()
    {
        await using var following = await Following.StartedAsync();
        await following.WriteAsync(2, rows: 20, bytes: 2000);
        await following.StepAsync();
        using var reader = TestDatabase.Open(following.Output, readOnly: true);
        Assert.Equal(following.Circle.App.Scalar("SELECT count(*) FROM t"), reader.Scalar("SELECT count(*) FROM t"));
        await following.Circle.StopAsync();
        following.Circle.App.Execute(
            "PRAGMA journal_mode=delete; PRAGMA page_size=1024; VACUUM; PRAGMA journal_mode=wal; INSERT INTO t(v) VALUES(1)"
        );
        await following.Circle.StartAsync();
        await following.Circle.SyncAsync();
        await following.StepAsync();
        Assert.Equal(following.Circle.App.Scalar("SELECT count(*) FROM t"), reader.Scalar("SELECT count(*) FROM t"));
        Assert.Equal("1024", reader.Scalar("PRAGMA page_size"));
        following.RequireEqual();
    }

    [Fact]
    public async Task Follow_ReaderInTheWay_IsToldAndAppliesWhenItIsGone()
    {
        await using var following = await Following.StartedAsync();
        await following.WriteAsync(1);
        using (var reader = TestDatabase.Open(following.Output, readOnly: true))
        {
            reader.Execute("BEGIN");
            var rows = reader.Scalar("SELECT count(*) FROM t");
            var step = following.Follower.StepAsync(Cancel).AsTask();
            while (!step.IsCompleted)
            {
                following.Time.Advance(TimeSpan.FromMilliseconds(50));
                await Task.Delay(1, Cancel);
            }
            await step;
            Assert.Equal(FollowState.Blocked, following.Status.State);
            Assert.Equal(1ul, following.Status.LagTransactions);
            Assert.Equal(rows, reader.Scalar("SELECT count(*) FROM t"));
            Assert.False(File.Exists(following.Output + "-journal"));
            reader.Execute("END");
        }
        await following.StepAsync();
        following.RequireEqual();
    }

    [Fact]
    public async Task Follow_SomebodyElseWrites_StopsLoudly()
    {
        await using var following = await Following.StartedAsync();
        await following.StepAsync();
        using (var writer = TestDatabase.Open(following.Output))
            writer.Execute("INSERT INTO t(v) VALUES('mine')");
        await following.WriteAsync(1);
        var exception = await Assert.ThrowsAsync<LitestreamException>(following.StepAsync);
        Assert.Equal(LitestreamError.Conflict, exception.Error);
        using var reader = TestDatabase.Open(following.Output, readOnly: true);
        Assert.Equal("1", reader.Scalar("SELECT count(*) FROM t WHERE v = 'mine'"));
    }

    [Fact]
    public async Task Follow_FileReplaced_StopsLoudly()
    {
        await using var following = await Following.StartedAsync();
        File.Move(following.Output, following.Output + ".old");
        Assert.Equal(LitestreamError.Conflict, (await Assert.ThrowsAsync<LitestreamException>(following.StepAsync)).Error);
    }

    [Fact]
    public async Task Follow_FileInWalModeAsLitestreamLeavesIt_IsResumed()
    {
        await using var following = await Following.NotStartedAsync();
        Directory.CreateDirectory(Path.GetDirectoryName(following.Output)!);
        await new DatabaseRestorer(DurableFiles.System, following.Time, NullLogger.Instance).RestoreAsync(
            following.Client,
            new RestoreOptions { OutputPath = following.Output },
            Cancel
        );
        await File.WriteAllTextAsync(following.SidecarPath, "0000000000000004\n", Cancel);
        Assert.Null(await following.StartAsync());
        following.RequireHeader();
        await following.WriteAsync(2);
        await following.StepAsync();
        following.RequireEqual();
    }

    [Fact]
    public async Task Follow_ThousandsOfFilesBehind_AreAppliedInFewChanges()
    {
        await using var following = await Following.StartedAsync();
        await following.WriteAsync(200);
        var counter = following.ChangeCounter();
        await following.StepAsync();
        following.RequireEqual();
        Assert.InRange(following.ChangeCounter() - counter, 1u, 4u);
    }

    private static async Task<long> AskAsync(TestProcess shell, string sql)
    {
        var from = shell.LineCount;
        await shell.WriteLineAsync($"SELECT 'answer ' || ({sql});");
        var match = await shell.WaitForLineAsync(new("^answer (\\d+)$"), from: from, cancellationToken: Cancel);
        return long.Parse(match.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
    }
}
