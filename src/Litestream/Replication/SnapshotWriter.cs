using System.Buffers;
using System.IO.Pipelines;
using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Sqlite;

namespace Litestream.Replication;

/// <summary>Streams the whole database at a position to a replica as a level-9 file; needs no local space.</summary>
internal static class SnapshotWriter
{
    /// <summary>Writes <c>9/1-TXID</c>.</summary>
    /// <param name="client">Where to.</param>
    /// <param name="snapshot">The database at exactly that position.</param>
    /// <param name="position">The position.</param>
    /// <param name="legacyPageFrames">See <see cref="DatabaseOptions.LegacyPageFrames"/>.</param>
    /// <param name="cancellationToken">Ends it; nothing appears in the replica.</param>
    internal static async Task<LtxFileInfo> WriteAsync(
        ReplicaClient client,
        SourceSnapshot snapshot,
        SyncPosition position,
        bool legacyPageFrames,
        CancellationToken cancellationToken
    )
    {
        var header = new LtxHeader
        {
            PageSize = position.PageSize,
            Commit = snapshot.Commit,
            MinTxid = Txid.First,
            MaxTxid = position.Txid,
            Timestamp = position.Timestamp,
            NoChecksum = true,
        };
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 1 << 20, resumeWriterThreshold: 1 << 19));
        using var failed = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var encode = EncodeAsync(pipe.Writer, header, snapshot, legacyPageFrames, failed.Token);
        try
        {
            var content = pipe.Reader.AsStream();
            await using var _ = content.ConfigureAwait(false);
            return await client
                .WriteAsync(LtxFileInfo.SnapshotLevel, header.MinTxid, header.MaxTxid, content, cancellationToken)
                .ConfigureAwait(false);
        }
        finally
        {
            // An upload that failed must not leave the encoder waiting for a reader that has gone.
            await failed.CancelAsync().ConfigureAwait(false);
            await encode.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Hands every page of the database to an encoder, in order, without the lock page.</summary>
    internal static async Task WritePagesAsync(
        SourceSnapshot snapshot,
        LtxEncoder encoder,
        Memory<byte> page,
        CancellationToken cancellationToken
    )
    {
        var lockPage = LtxChecksum.LockPage(page.Length);
        for (uint number = 1; number <= snapshot.Commit; number++)
        {
            if (number == lockPage)
                continue;
            snapshot.ReadPage(number, page.Span);
            await encoder.WritePageAsync(number, page, cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task EncodeAsync(
        PipeWriter writer,
        LtxHeader header,
        SourceSnapshot snapshot,
        bool legacy,
        CancellationToken cancellationToken
    )
    {
        var page = ArrayPool<byte>.Shared.Rent(header.PageSize);
        Exception? failure = null;
        try
        {
            snapshot.Prepare(cancellationToken);
            var encoder = new LtxEncoder(writer.AsStream(leaveOpen: true), header, legacy);
            await using var _ = encoder.ConfigureAwait(false);
            await WritePagesAsync(snapshot, encoder, page.AsMemory(0, header.PageSize), cancellationToken).ConfigureAwait(false);
            await encoder.FinishAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            failure = e; // the upload reads it from the pipe and fails with it
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(page);
            await writer.CompleteAsync(failure).ConfigureAwait(false);
        }
    }
}
