using System.Collections.Concurrent;
using Datasette.Litestream.Configuration;
using Litestream;
using Litestream.Replicas;
using Microsoft.Extensions.Logging;

namespace Datasette.Litestream;

/// <summary>
/// Looks at each destination once, beside the engine, for data of Litestream 0.3: it is left alone and stays restorable, but a person must know.
/// A destination that cannot be reached is not an error here; the engine speaks of that.
/// </summary>
/// <param name="stores">The backends that are known.</param>
/// <param name="log">Where findings go.</param>
internal sealed class DestinationLook(ObjectStoreFactory stores, ILogger log) : IAsyncDisposable
{
    private readonly ConcurrentDictionary<(string Database, string Replica), string> _remarks = new();
    private readonly ConcurrentBag<Task> _tasks = [];
    private readonly CancellationTokenSource _stop = new();

    /// <summary>What was found, by database and replica name.</summary>
    public IReadOnlyDictionary<(string Database, string Replica), string> Remarks => _remarks;

    /// <summary>Starts looking at the replicas of a database.</summary>
    public void Begin(ReplicatedEntry entry)
    {
        foreach (var replica in entry.Options.Replicas)
            _tasks.Add(LookAsync(entry.Name, replica));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_tasks);
        _stop.Dispose();
    }

    private async Task LookAsync(string database, ReplicaOptions replica)
    {
        var name = replica.Name!;
        await Task.Yield();
        try
        {
            await using var client = stores.Open(replica);
            if (!await client.HasGenerationsAsync(_stop.Token))
                return;
            var text =
                $"{replica.Url} also holds a backup made by Litestream 0.3 (generations/). It is left as it is; new data goes beside it in the newer format. Both can be restored.";
            _remarks[(database, name)] = text;
            Log.Notice(log, $"{database}: {text}");
        }
        catch (LitestreamException e)
        {
            Log.NoLook(log, name, database, e);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The host stops; nobody will read the finding.
        }
    }
}
