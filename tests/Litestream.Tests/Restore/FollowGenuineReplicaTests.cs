using System.Text.Json;
using Litestream.IO;
using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Restore;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Testing;
using Xunit;

namespace Litestream.Tests.Restore;

/// <summary>Replicas that the genuine program wrote, followed as they came into being: a file appears, the follower applies it, each state is the source's.</summary>
public class FollowGenuineReplicaTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string> Cases =>
        RestoreCases.Of(
            "ltx",
            name =>
                !name.StartsWith("lock-page", StringComparison.Ordinal)
                    && name
                        is "checkpoints"
                            or "levels"
                            or "vacuum-smaller"
                            or "rich-content"
                            or "legacy-frames"
                            or "page-512"
                            or "page-65536"
                            or "retention"
                            or "replaced-database"
                            or "restart-clean"
                || name.StartsWith("autovacuum", StringComparison.Ordinal)
        );

    [Theory]
    [MemberData(nameof(Cases))]
    [Trait("Scenario", "K1")]
    public async Task Follow_FilesOfTheGenuineProgramAppear_EveryStateIsTheSources(string name)
    {
        using var fixture = await RestoreFixture.OpenAsync("ltx", name);
        using var folder = new TempFolder();
        var replica = Directory.CreateDirectory(folder.Combine("replica")).FullName;
        var files = fixture
            .Expect.GetProperty("files")
            .EnumerateArray()
            .Where(f => f.TryGetProperty("max_txid", out _))
            .OrderBy(f => f.GetProperty("max_txid").GetUInt64())
            .ThenBy(f => f.GetProperty("level").GetInt32())
            .ToList();
        var states = fixture
            .Expect.GetProperty("states")
            .EnumerateArray()
            .Where(s => s.TryGetProperty("txid", out _))
            .GroupBy(s => s.GetProperty("txid").GetUInt64())
            .ToDictionary(g => g.Key, g => g.Last().GetProperty("dump_sha256").GetString());
        var time = new FakeTimeProvider();
        await using var client = new ObjectStoreFactory().Open(new ReplicaOptions { Url = ReplicaUrl.Parse(replica) });
        await using var follower = new DatabaseFollower(
            client,
            new FollowOptions { OutputPath = folder.Combine("out.db") },
            DurableFiles.System,
            time,
            NullLogger.Instance
        );
        var (started, compared) = (false, 0);
        foreach (var group in files.GroupBy(f => f.GetProperty("max_txid").GetUInt64()))
        {
            foreach (var file in group)
                Copy(fixture.Replica, replica, file.GetProperty("path").GetString()!);
            if (!started && group.All(f => f.GetProperty("min_txid").GetUInt64() != 1))
                continue;
            if (!started)
                await follower.StartAsync(Cancel);
            started = true;
            time.Advance(TimeSpan.FromSeconds(31));
            await follower.StepAsync(Cancel);
            Assert.True(follower.Status.Txid.Value == group.Key, $"at {group.Key}: {follower.Status}");
            if (!states.TryGetValue(group.Key, out var dump))
                continue;
            compared++;
            using var reader = TestDatabase.Open(folder.Combine("out.db"), readOnly: true);
            Assert.Equal(dump, LogicalDump.Hash(reader));
            Assert.Equal("ok", reader.Scalar("PRAGMA integrity_check"));
        }
        Assert.True(compared > 0, "no state was compared");
    }

    private static void Copy(string from, string to, string path)
    {
        var target = Path.Combine(to, path);
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        File.Copy(Path.Combine(from, path), target);
        File.SetLastWriteTimeUtc(target, File.GetLastWriteTimeUtc(Path.Combine(from, path)));
    }
}
