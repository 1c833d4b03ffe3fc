using Litestream.IO;
using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Restore;
using Litestream.Sqlite;
using Litestream.Tests.Replication;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Restore;

/// <summary>An application with its engine and folder replica, and a follower of that replica, stepped by hand.</summary>
internal sealed class Following : IAsyncDisposable
{
    private readonly ReplicaClient _client;

    private Following(Circle circle)
    {
        Circle = circle;
        _client = new ObjectStoreFactory().Open(new ReplicaOptions { Url = ReplicaUrl.Parse(circle.Replica) });
        Output = circle.Folder.Combine("out", "follower.db");
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public Circle Circle { get; }

    public string Output { get; }

    public string SidecarPath => Output + "-txid";

    public FakeTimeProvider Time { get; } = new(DateTimeOffset.UnixEpoch.AddYears(50));

    public DatabaseFollower Follower { get; private set; } = null!;

    public FollowStatus Status => Follower.Status;

    public ReplicaClient Client => _client;

    /// <summary>
    /// A replica of so many transactions, and a follower that was started. The first one is number 2, with a snapshot 1-2: a run leaves one number out.
    /// </summary>
    public static async Task<Following> StartedAsync(int transactions = 3)
    {
        var following = new Following(await Circle.RunningAsync(transactions));
        await following.StartAsync();
        return following;
    }

    public static async Task<Following> NotStartedAsync(int transactions = 3) => new(await Circle.RunningAsync(transactions));

    public Task<RestoreResult?> StartAsync(ReplicaClient? client = null)
    {
        Follower = new DatabaseFollower(
            client ?? _client,
            new FollowOptions { OutputPath = Output, BusyTimeout = TimeSpan.FromMilliseconds(200) },
            DurableFiles.System,
            Time,
            NullLogger.Instance
        );
        return Follower.StartAsync(Token);
    }

    /// <summary>As a new process would.</summary>
    public async Task RestartAsync()
    {
        await Follower.DisposeAsync();
        await StartAsync();
    }

    /// <summary>One look after the usual pause.</summary>
    public async Task StepAsync()
    {
        Time.Advance(TimeSpan.FromSeconds(1));
        await Follower.StepAsync(Token);
    }

    /// <summary>A look after so long a silence that all levels are looked at.</summary>
    public async Task StepAfterSilenceAsync()
    {
        Time.Advance(TimeSpan.FromSeconds(31));
        await Follower.StepAsync(Token);
    }

    /// <summary>So many transactions, each on the replica.</summary>
    public async Task WriteAsync(int transactions = 1, int rows = 1, int bytes = 100)
    {
        for (var i = 0; i < transactions; i++)
        {
            Circle.Write(rows, bytes);
            await Circle.SyncAsync();
        }
    }

    public string Sidecar() => File.ReadAllText(SidecarPath);

    public void RequireEqual()
    {
        Assert.Equal(CanonicalDump.Of(Circle.App), CanonicalDump.Of(Output));
        Assert.Equal(Circle.Txid, Status.Txid.Value);
        Assert.Equal($"{Status.Txid}\n", Sidecar());
        Assert.Equal((FollowState.Current, 0ul, TimeSpan.Zero), (Status.State, Status.LagTransactions, Status.Lag));
        using var check = TestDatabase.Open(Output, readOnly: true);
        Assert.Equal("ok", check.Scalar("PRAGMA integrity_check"));
        Assert.Equal("delete", check.Scalar("PRAGMA journal_mode"));
        Assert.Equal(
            ["follower.db", "follower.db-txid"],
            Directory
                .GetFiles(Path.GetDirectoryName(Output)!)
                .Select(Path.GetFileName)
                .Where(name => name != "follower.db-txid-next")
                .Order()
        );
    }

    /// <summary>SQLite's own view of the header: rollback mode, the size valid for the change counter.</summary>
    public void RequireHeader()
    {
        using var database = TestDatabase.Open(Output, readOnly: true);
        Assert.Equal("delete", database.Scalar("PRAGMA journal_mode"));
        Assert.Equal("ok", database.Scalar("PRAGMA integrity_check"));
    }

    /// <summary>The number that moves with every apply.</summary>
    public uint ChangeCounter()
    {
        using var database = FollowedDatabase.Open(Output, DurableFiles.System, TimeSpan.FromSeconds(1));
        return database.ChangeCounter;
    }

    /// <summary>Fails when the file of a transaction holds the first page.</summary>
    public async Task RequireNoPageOneAsync(ulong txid)
    {
        var file = (await Circle.RemoteAsync()).Single(f => f.MaxTxid.Value == txid);
        Assert.DoesNotContain(1u, await Circle.PagesAsync(file));
    }

    /// <summary>Merges files of level 0 (and the first snapshot, when it is to begin at the first transaction) into one of another level.</summary>
    public async Task CompactAsync(int level, ulong min, ulong max, bool removeSources)
    {
        var sources = (await Circle.RemoteAsync()).Where(f => f.MinTxid.Value >= min && f.MaxTxid.Value <= max).ToList();
        var merged = sources.ToList();
        if (min == 1)
        {
            var snapshot = (await Circle.RemoteAsync(LtxFileInfo.SnapshotLevel))[0];
            merged = [snapshot, .. sources.Where(f => f.MinTxid > snapshot.MaxTxid)];
            sources.Add(snapshot);
        }
        var decoders = new List<LtxDecoder>();
        foreach (var source in merged)
            decoders.Add(await LtxDecoder.OpenAsync(await _client.OpenAsync(source, 0, null, Token), null, Token));
        using var content = new MemoryStream();
        await LtxMerger.MergeAsync(decoders, content, legacyPageFrames: false, Token);
        content.Position = 0;
        await _client.WriteAsync(level, new Txid(min), new Txid(max), content, Token);
        if (removeSources)
            await _client.DeleteAsync(sources, Token);
    }

    /// <summary>The path of a file of the replica.</summary>
    public string PathOf(int level, ulong min, ulong max) =>
        Path.Combine(Circle.Replica, ReplicaLayout.Folders.Key(level, new Txid(min), new Txid(max)));

    public async ValueTask DisposeAsync()
    {
        if (Follower is not null)
            await Follower.DisposeAsync();
        await _client.DisposeAsync();
        await Circle.DisposeAsync();
    }
}
