using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Replication;
using Litestream.Tests.Replication;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Crashes;

/// <summary>Real file systems that are full or read-only, under the engine's own folder and under a folder replica.</summary>
[Trait("Speed", "slow")]
public sealed class RealDiskTests(ITestOutputHelper output)
{
    private const int RoundsADisk = 20;

    /// <summary>How many rounds: <c>LITESTREAM_DISK_ROUNDS</c>, default 60.</summary>
    private static readonly int Rounds = int.TryParse(Environment.GetEnvironmentVariable("LITESTREAM_DISK_ROUNDS"), out var n) ? n : 60;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    [Trait("Scenario", "D2")]
    [Trait("Scenario", "D8")]
    public async Task D3_DiskIsFullAtRandomMoments_TypedErrors_NoRemains_AndNothingIsLost()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("LITESTREAM_SEED"), out var s) ? s : Environment.TickCount;
        output.WriteLine($"seed {seed} (LITESTREAM_SEED)");
        var random = new Random(seed);
        var (own, remote) = (0, 0);
        for (var round = 0; round < Rounds; round += RoundsADisk)
        {
            using var disk = new SmallDisk(8 << 20);
            var (meta, replica) = ((round / RoundsADisk) % 3) switch
            {
                0 => (true, false),
                1 => (false, true),
                _ => (true, true),
            };
            await using var circle = new Circle(o =>
                o with
                {
                    MetaPath = meta ? disk.Combine("meta") : o.MetaPath,
                    Replicas = replica ? [new ReplicaOptions { Url = ReplicaUrl.Parse(disk.Combine("replica")) }] : o.Replicas,
                }
            );
            await circle.StartAsync();
            for (var i = 0; i < Math.Min(RoundsADisk, Rounds - round); i++)
            {
                var (failedOwn, failedRemote) = await RoundAsync(circle, disk, random);
                (own, remote) = (own + failedOwn, remote + failedRemote);
            }
            Assert.True(await circle.StopAsync());
        }
        output.WriteLine($"{Rounds} rounds; the engine's own files met a full disk {own} times, the replica's {remote} times");
        Assert.True(own + remote >= Rounds / 2, "the disk was hardly ever full");
    }

    private static async Task<(int Own, int Remote)> RoundAsync(Circle circle, SmallDisk disk, Random random)
    {
        disk.Fill(random.Next(3) == 0 ? 0 : random.Next(120_000));
        var (own, remote) = (0, 0);
        for (var i = random.Next(1, 5); i > 0; i--)
        {
            circle.Write(random.Next(1, 8), random.Next(100, 20_000));
            try
            {
                await circle.SyncAsync();
            }
            catch (LitestreamException e)
            {
                Assert.Equal(LitestreamError.DiskFull, e.Error);
                Assert.True(e.IsTransient);
                var where = circle.Status.Cause ?? circle.Status.Replicas[0].Cause!;
                Assert.Matches("cannot (create|write|close|sync|rename|lock|set|give|make)", where);
                Assert.Contains(disk.Path, where, StringComparison.Ordinal);
                if (circle.Status.State == ReplicationState.Failing)
                {
                    own++;
                    Assert.Equal(1, DiskFaultScenarioTests.DiskFull(circle));
                }
                else
                {
                    remote++;
                    Assert.Equal(ReplicationState.Failing, circle.Status.Replicas[0].State);
                }
            }
            await RequireWholeFilesAsync(disk.Path);
        }
        disk.Free();
        circle.App.Execute("DELETE FROM t WHERE id % 3 > 0");
        await circle.StepAsync(600);
        await circle.StepAsync(600);
        Assert.Equal((ReplicationState.Current, null), (circle.Status.State, circle.Status.Cause));
        Assert.Equal(ReplicationState.Current, circle.Status.Replicas[0].State);
        Assert.Equal(0, DiskFaultScenarioTests.DiskFull(circle));
        Assert.Equal(CanonicalDump.Of(circle.App), await circle.RestoreAsync(replica: circle.Options.Replicas[0].Url.Path));
        Assert.Equal(nameof(FullReason.FirstSync), circle.Status.LastFullReason);
        return (own, remote);
    }

    /// <summary>Nothing unfinished is left, and what has its final name is whole.</summary>
    private static async Task RequireWholeFilesAsync(string folder)
    {
        foreach (var file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
        {
            Assert.False(file.EndsWith(".tmp", StringComparison.Ordinal), $"left behind: {file}");
            if (!file.EndsWith(".ltx", StringComparison.Ordinal))
                continue;
            await using var stream = File.OpenRead(file);
            await using var decoder = await LtxDecoder.OpenAsync(stream, stream.Length, Token);
            var page = new byte[decoder.Header.PageSize];
            while (await decoder.ReadPageAsync(page, Token) != 0) { }
            await decoder.FinishAsync(Token);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task D12_FolderIsReadOnly_IsSaidClearly_AndHealsWhenItCanBeWritten(bool beforeTheStart)
    {
        using var disk = new SmallDisk(8 << 20);
        await using var circle = new Circle(o => o with { MetaPath = disk.Combine("meta") });
        if (beforeTheStart)
            disk.MakeReadOnly(true);
        await circle.StartAsync();
        if (!beforeTheStart)
        {
            await circle.SyncAsync();
            disk.MakeReadOnly(true);
            circle.Write();
        }
        var e = await Assert.ThrowsAsync<LitestreamException>(() => circle.SyncAsync());
        Assert.Equal(LitestreamError.LocalStorage, e.Error);
        Assert.Contains("read-only", e.Message + e.Hint, StringComparison.OrdinalIgnoreCase);
        Assert.StartsWith(disk.Path, e.Path, StringComparison.Ordinal);
        Assert.Equal(ReplicationState.Failing, circle.Status.State);
        Assert.Contains(disk.Path, circle.Status.Cause, StringComparison.Ordinal);
        disk.MakeReadOnly(false);
        await circle.StepAsync(600);
        await circle.RequireRestorableAsync();
        Assert.Equal(nameof(FullReason.FirstSync), circle.Status.LastFullReason);
    }

    [Fact]
    [Trait("Scenario", "D8")]
    public async Task D12_ReplicaFolderIsReadOnly_TheReplicaFails_TheDatabaseGoesOn()
    {
        using var disk = new SmallDisk(8 << 20);
        await using var circle = new Circle(o =>
            o with
            {
                Replicas = [new ReplicaOptions { Url = ReplicaUrl.Parse(disk.Combine("replica")) }],
            }
        );
        await circle.StartAsync();
        await circle.SyncAsync();
        var before = circle.Txid;
        disk.MakeReadOnly(true);
        circle.Write();
        await Assert.ThrowsAsync<LitestreamException>(() => circle.SyncAsync());
        Assert.Equal((ReplicationState.Current, before + 1), (circle.Status.State, circle.Txid));
        Assert.Equal(ReplicationState.Failing, circle.Status.Replicas[0].State);
        Assert.Contains("read-only", circle.Status.Replicas[0].Cause, StringComparison.OrdinalIgnoreCase);
        disk.MakeReadOnly(false);
        await circle.StepAsync(600);
        await circle.SyncAsync();
        Assert.Equal(CanonicalDump.Of(circle.App), await circle.RestoreAsync(replica: disk.Combine("replica")));
        await RequireWholeFilesAsync(disk.Path);
    }
}
