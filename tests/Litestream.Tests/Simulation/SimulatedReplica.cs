using System.Security.Cryptography;
using Litestream.IO;
using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Restore;
using Microsoft.Extensions.Logging.Abstractions;
using Testing;

namespace Litestream.Tests.Simulation;

/// <summary>One destination: a bucket in memory or a folder on the simulated disk, the door that the engine uses, and what is known of the objects.</summary>
internal sealed class SimulatedReplica(
    string name,
    TimeSpan syncInterval,
    Random random,
    Func<SimulatedDisk> disk,
    TimeProvider time,
    Func<SimulatedReplica, StoreCall, StoreFault?> onCall
)
{
    private readonly MemoryObjectStore? _bucket = random.Next(4) == 0 ? null : new MemoryObjectStore(time);
    private readonly Dictionary<string, string> _contents = new(StringComparer.Ordinal);
    private readonly List<string> _lies = [];
    private readonly HashSet<string> _touched = new(StringComparer.Ordinal);

    internal string Name => name;

    private string Folder => $"/sim/{Name}";

    /// <summary>Time after which a listing notices a write or deletion.</summary>
    internal TimeSpan ListingDelay { get; } = TimeSpan.FromMilliseconds(random.Next(5) == 0 ? random.Next(5000) : 0);

    /// <summary>Its retention deletes one file too many.</summary>
    internal bool IsGreedy { get; init; }

    /// <summary>When a listing or a question about a single object came last, and before that.</summary>
    internal (DateTimeOffset Last, DateTimeOffset Before) Asked { get; private set; }

    /// <summary>When the engine asked last for what a late listing had shown and had gone before: a doubt that is well founded.</summary>
    internal DateTimeOffset Misled { get; private set; }

    /// <summary>Uploads of single transactions that nothing on the way has refused; a folder's disk may have.</summary>
    internal Dictionary<string, (ulong Txid, DateTimeOffset Time)> Uploads { get; } = [];

    /// <summary>When each transaction was made that was stored here by itself.</summary>
    internal Dictionary<ulong, DateTimeOffset> Stored { get; } = [];

    /// <summary>Levels, snapshots and retention in short, so that a life has seen all of them.</summary>
    internal ReplicaOptions Settings { get; } =
        new()
        {
            Name = name,
            Url = ReplicaUrl.Parse($"mem://{name}/"),
            SyncInterval = syncInterval,
            CompactionIntervals =
            [
                .. new[] { random.Next(1, 20), random.Next(20, 200), random.Next(200, 2000) }
                    .Take(random.Next(1, 4))
                    .Select(s => TimeSpan.FromSeconds(s)),
            ],
            SnapshotInterval = TimeSpan.FromSeconds(random.Next(60, 7200)),
            SnapshotRetention = TimeSpan.FromSeconds(random.Next(60, 9000)),
            L0Retention = TimeSpan.FromSeconds(random.Next(6) == 0 ? 0 : random.Next(5, 300)),
            L0RetentionCheckInterval = TimeSpan.FromSeconds(random.Next(1, 15)),
            DeletesOldFiles = random.Next(8) > 0,
            VerifyCompaction = random.Next(4) == 0,
        };

    /// <summary>Of each transaction here: the first and last state of the application that it may hold.</summary>
    internal Dictionary<ulong, (int From, int To)> States { get; } = [];

    /// <summary>The last transaction that it was said to hold.</summary>
    internal Txid Confirmed { get; set; }

    /// <summary>Chance that a call fails.</summary>
    internal double Trouble { get; set; }

    internal IReadOnlyList<string> Keys =>
        _bucket?.Keys
        ??
        [
            .. disk()
                .Files.Where(f => f.StartsWith(Folder + "/", StringComparison.Ordinal) && !f.EndsWith(".tmp", StringComparison.Ordinal))
                .Select(f => f[(Folder.Length + 1)..]),
        ];

    /// <summary>A door for a new engine.</summary>
    internal ObjectStore Open()
    {
        if (_bucket is null)
            return new FaultyObjectStore(new FileObjectStore(disk(), Folder, time), OnCall) { IsGreedy = IsGreedy };
        var door = _bucket.Share();
        door.ListingDelay = ListingDelay;
        door.Fault = OnCall;
        return IsGreedy ? new FaultyObjectStore(door, _ => null) { IsGreedy = true } : door;
    }

    private StoreFault? OnCall(StoreCall call)
    {
        if (call.Operation == "GET" && ListingDelay > TimeSpan.Zero && !Keys.Contains(call.Key))
            Misled = time.GetUtcNow();
        if (call.Operation == "PUT")
            _touched.Add(call.Key);
        // The levels are listed one after the other, with a slow answer in between: one listing of the replica.
        if (call.Operation is "LIST" or "HEAD")
            Asked = (time.GetUtcNow(), time.GetUtcNow() - Asked.Last > TimeSpan.FromMinutes(1) ? Asked.Last : Asked.Before);
        return onCall(this, call);
    }

    internal void Empty()
    {
        if (_bucket is null)
            disk().RemoveFolder(Folder); // with what a power cut would bring back
        foreach (var key in Keys)
            Remove(key);
        _contents.Clear();
        Confirmed = Txid.None;
        Stored.Clear();
        States.Clear();
    }

    /// <summary>The power was cut: what was not durable on the disk has gone, and its name may be given anew.</summary>
    internal void ForgetLost(IReadOnlyList<string> before)
    {
        foreach (var lost in before.Except(Keys, StringComparer.Ordinal))
        {
            _contents.Remove(lost);
            if (LtxFileInfo.TryParseFileName(Path.GetFileName(lost), out _, out var txid))
                Stored.Remove(txid.Value);
        }
    }

    /// <summary>A file of which the engine is told that it is stored, and it is not.</summary>
    internal void Lie(string key) => _lies.Add(key);

    internal IReadOnlyList<string> TakeLies()
    {
        string[] lies = [.. _lies];
        _lies.Clear();
        return lies;
    }

    internal void Remove(string key)
    {
        if (_bucket is null)
            disk().Remove($"{Folder}/{key}");
        else
            _bucket.Remove(key);
    }

    internal void Damage(string key, int at)
    {
        var bytes = Read(key);
        bytes[at % bytes.Length] ^= 1;
        if (_bucket is null)
            disk().Write($"{Folder}/{key}", bytes);
        else
            _bucket.Write(key, bytes);
    }

    private byte[] Read(string key) => _bucket?.Read(key) ?? disk().Read($"{Folder}/{key}");

    /// <summary>Keys that were written since the last call; complains when one of them holds something else than before.</summary>
    internal IReadOnlyList<string> TakeWritten()
    {
        if (_touched.Count == 0)
            return [];
        var present = Keys.ToHashSet(StringComparer.Ordinal);
        var written = _touched.Where(present.Contains).Order(StringComparer.Ordinal).ToList();
        _touched.Clear();
        foreach (var (key, (txid, made)) in Uploads)
            if (present.Contains(key))
                Stored[txid] = made;
        Uploads.Clear();
        foreach (var key in written)
        {
            if (!key.EndsWith(".ltx", StringComparison.Ordinal))
                continue;
            var content = Convert.ToHexString(SHA256.HashData(Read(key)));
            if (_contents.TryGetValue(key, out var before) && before != content)
                throw new InvalidOperationException($"{Name}: {key} was written again with other content");
            _contents[key] = content;
        }
        return written;
    }

    internal async Task<IReadOnlyList<RestorePoint>> PointsAsync()
    {
        await using var client = new ReplicaClient(Look(), ReplicaLayout.Folders);
        return await RestorePlanner.ListPointsAsync(client, TimestampAccuracy.Exact, CancellationToken.None);
    }

    /// <summary>What a restore gives, in memory.</summary>
    internal async Task<(Txid Txid, byte[] Content)> RestoreAsync(RestoreTarget target)
    {
        const string Output = "/out/restored.db";
        var disk = new SimulatedDisk(time);
        await using var client = new ReplicaClient(Look(), ReplicaLayout.Folders);
        var restorer = new DatabaseRestorer(disk, TimeProvider.System, NullLogger.Instance);
        var result = await restorer.RestoreAsync(
            client,
            new RestoreOptions
            {
                OutputPath = Output,
                Target = target,
                IntegrityCheck = IntegrityCheckMode.None,
            },
            CancellationToken.None
        );
        return (result.Txid, disk.Read(Output));
    }

    private ObjectStore Look()
    {
        if (_bucket is null)
            return new FileObjectStore(disk(), Folder, time);
        var door = _bucket.Share();
        door.ListsAtOnce = true;
        return door;
    }
}
