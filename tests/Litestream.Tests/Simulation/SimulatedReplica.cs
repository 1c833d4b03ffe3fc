using System.Security.Cryptography;
using Litestream.IO;
using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Restore;
using Microsoft.Extensions.Logging.Abstractions;
using Testing;

namespace Litestream.Tests.Simulation;

/// <summary>One destination: a bucket in memory or a folder on the simulated disk, the door that the engine uses, and what is known of the objects.</summary>
internal sealed class SimulatedReplica
{
    private readonly MemoryObjectStore? _bucket;
    private readonly Func<SimulatedDisk> _disk;
    private readonly TimeProvider _time;
    private readonly Dictionary<string, string> _contents = new(StringComparer.Ordinal);
    private readonly List<string> _lies = [];
    private readonly HashSet<string> _touched = new(StringComparer.Ordinal);
    private readonly Func<SimulatedReplica, StoreCall, StoreFault?> _onCall;

    internal SimulatedReplica(
        string name,
        bool isFolder,
        Func<SimulatedDisk> disk,
        TimeProvider time,
        Func<SimulatedReplica, StoreCall, StoreFault?> onCall
    )
    {
        (Name, _disk, _time, _onCall) = (name, disk, time, onCall);
        _bucket = isFolder ? null : new MemoryObjectStore(time);
    }

    internal string Name { get; }

    private string Folder => $"/sim/{Name}";

    /// <summary>Time after which a listing notices a write or deletion.</summary>
    internal TimeSpan ListingDelay { get; set; }

    internal ReplicaOptions Options(TimeSpan syncInterval) =>
        new()
        {
            Name = Name,
            Url = ReplicaUrl.Parse($"mem://{Name}/"),
            SyncInterval = syncInterval,
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
            .. _disk()
                .Files.Where(f => f.StartsWith(Folder + "/", StringComparison.Ordinal) && !f.EndsWith(".tmp", StringComparison.Ordinal))
                .Select(f => f[(Folder.Length + 1)..]),
        ];

    /// <summary>A door for a new engine.</summary>
    internal ObjectStore Open()
    {
        if (_bucket is null)
            return new FaultyObjectStore(new FileObjectStore(_disk(), Folder, _time), OnCall);
        var door = _bucket.Share();
        door.ListingDelay = ListingDelay;
        door.Fault = OnCall;
        return door;
    }

    private StoreFault? OnCall(StoreCall call)
    {
        if (call.Operation == "PUT")
            _touched.Add(call.Key);
        return _onCall(this, call);
    }

    internal void Empty()
    {
        foreach (var key in Keys)
            Remove(key);
        _contents.Clear();
        Confirmed = Txid.None;
        States.Clear();
    }

    /// <summary>The power was cut: what was not durable on the disk has gone, and its name may be given anew.</summary>
    internal void ForgetLost()
    {
        var present = Keys.ToHashSet(StringComparer.Ordinal);
        foreach (var lost in _contents.Keys.Where(k => !present.Contains(k)).ToList())
            _contents.Remove(lost);
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
            _disk().Remove($"{Folder}/{key}");
        else
            _bucket.Remove(key);
    }

    internal void Damage(string key, int at)
    {
        var bytes = Read(key);
        bytes[at % bytes.Length] ^= 1;
        if (_bucket is null)
            _disk().Write($"{Folder}/{key}", bytes);
        else
            _bucket.Write(key, bytes);
    }

    private byte[] Read(string key) => _bucket?.Read(key) ?? _disk().Read($"{Folder}/{key}");

    /// <summary>Keys that were written since the last call; complains when one of them holds something else than before.</summary>
    internal IReadOnlyList<string> TakeWritten()
    {
        if (_touched.Count == 0)
            return [];
        var present = Keys.ToHashSet(StringComparer.Ordinal);
        var written = _touched.Where(present.Contains).Order(StringComparer.Ordinal).ToList();
        _touched.Clear();
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
        return await RestorePlanner.ListPointsAsync(client, TimestampAccuracy.Listing, CancellationToken.None);
    }

    /// <summary>What a restore gives, in memory.</summary>
    internal async Task<(Txid Txid, byte[] Content)> RestoreAsync(RestoreTarget target)
    {
        const string Output = "/out/restored.db";
        var disk = new SimulatedDisk(_time);
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
            return new FileObjectStore(_disk(), Folder, _time);
        var door = _bucket.Share();
        door.ListsAtOnce = true;
        return door;
    }
}
