namespace Litestream.Replication;

/// <summary>The last sync of a database before it is let go: read to the end, then upload until every replica has it or time runs out.</summary>
internal sealed class FinalSync(ReplicatedDatabase database, TimeSpan timeout, TimeSpan interval, EngineServices services)
{
    /// <returns>True when everything that was committed is on every replica.</returns>
    internal async Task<bool> RunAsync(CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(timeout, services.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        var copied = false;
        // A timeout of zero is one try, not none.
        var token = timeout > TimeSpan.Zero ? both.Token : cancellationToken;
        var waiting = database.Replicas.ToList();
        while (true)
        {
            try
            {
                if (!copied)
                    await database.SyncAsync(token).ConfigureAwait(false);
                copied = true;
                foreach (var replica in waiting.ToArray())
                    if (await replica.UploadAsync(token).ConfigureAwait(false))
                        waiting.Remove(replica);
                if (waiting.Count == 0)
                    return true;
            }
            catch (LitestreamException)
            {
                // In the status and the log already; tried again below.
            }
            catch (OperationCanceledException)
            {
                return false;
            }
            if (both.IsCancellationRequested)
                return false;
            try
            {
                await Task.Delay(interval, services.Time, both.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return false;
            }
        }
    }
}
