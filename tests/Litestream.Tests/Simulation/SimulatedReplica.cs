using System.Security.Cryptography;
using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Restore;
using Microsoft.Extensions.Logging.Abstractions;
using Testing;
using Testing.Oracles;

namespace Litestream.Tests.Simulation;

/// <summary>One destination: objects in memory, the door that the engine uses, and what is known of the objects.</summary>
internal sealed class SimulatedReplica
{
    private readonly MemoryObjectStore _bucket;
    private readonly Dictionary<string, string> _contents = new(StringComparer.Ordinal);
    private readonly HashSet<string> _touched = new(StringComparer.Ordinal);
    private readonly Func<SimulatedReplica, StoreCall, StoreFault?> _onCall;

    internal SimulatedReplica(string name, TimeProvider time, Func<SimulatedReplica, StoreCall, StoreFault?> onCall)
    {
        (Name, _onCall) = (name, onCall);
        _bucket = new MemoryObjectStore(time);
    }

    internal string Name { get; }

    internal ReplicaOptions Options(TimeSpan syncInterval) =>
        new()
        {
            Name = Name,
            Url = ReplicaUrl.Parse($"mem://{Name}/"),
            SyncInterval = syncInterval,
        };

    /// <summary>Of each transaction here: the first and last state of the application that it may hold.</summary>
    internal Dictionary<ulong, (int From, int To)> States { get; } = [];

    /// <summary>Chance that a call fails.</summary>
    internal double Trouble { get; set; }

    internal IReadOnlyList<string> Keys => _bucket.Keys;

    /// <summary>A door for a new engine.</summary>
    internal ObjectStore Open()
    {
        var door = _bucket.Share();
        door.Fault = call =>
        {
            if (call.Operation == "PUT")
                _touched.Add(call.Key);
            return _onCall(this, call);
        };
        return door;
    }

    internal void Empty()
    {
        foreach (var key in _bucket.Keys)
            _bucket.Remove(key);
        _contents.Clear();
        States.Clear();
    }

    internal void Remove(string key) => _bucket.Remove(key);

    internal void Damage(string key, int at)
    {
        var bytes = _bucket.Read(key);
        bytes[at % bytes.Length] ^= 1;
        _bucket.Write(key, bytes);
    }

    /// <summary>Keys that were written since the last call; complains when one of them holds something else than before.</summary>
    internal IReadOnlyList<string> TakeWritten()
    {
        var written = _touched.Where(k => _bucket.Keys.Contains(k)).Order(StringComparer.Ordinal).ToList();
        _touched.Clear();
        foreach (var key in written)
        {
            var content = Convert.ToHexString(SHA256.HashData(_bucket.Read(key)));
            if (_contents.TryGetValue(key, out var before) && before != content)
                throw new InvalidOperationException($"{Name}: {key} was written again with other content");
            _contents[key] = content;
        }
        return written;
    }

    internal async Task<IReadOnlyList<RestorePoint>> PointsAsync()
    {
        await using var client = new ReplicaClient(_bucket.Share(), ReplicaLayout.Folders);
        return await RestorePlanner.ListPointsAsync(client, TimestampAccuracy.Listing, CancellationToken.None);
    }

    /// <summary>What a restore gives.</summary>
    internal async Task<string> RestoreAsync(MemoryFolder folder, RestoreTarget target, IntegrityCheckMode check)
    {
        var output = folder.Combine($"restored-{Guid.NewGuid():n}.db");
        try
        {
            await using var client = new ReplicaClient(_bucket.Share(), ReplicaLayout.Folders);
            var restorer = new DatabaseRestorer(Litestream.IO.DurableFiles.System, TimeProvider.System, NullLogger.Instance);
            await restorer.RestoreAsync(
                client,
                new RestoreOptions
                {
                    OutputPath = output,
                    Target = target,
                    IntegrityCheck = check,
                },
                CancellationToken.None
            );
            return CanonicalDump.Of(output);
        }
        finally
        {
            File.Delete(output);
            File.Delete(output + "-wal");
            File.Delete(output + "-shm");
        }
    }
}
