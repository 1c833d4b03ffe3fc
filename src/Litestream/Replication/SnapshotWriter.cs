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
        return await StreamedUpload
            .WriteAsync(
                client,
                LtxFileInfo.SnapshotLevel,
                header.MinTxid,
                header.MaxTxid,
                (stream, ct) => EncodeAsync(stream, header, snapshot, legacyPageFrames, ct),
                cancellationToken
            )
            .ConfigureAwait(false);
    }

    private static async Task EncodeAsync(
        Stream output,
        LtxHeader header,
        SourceSnapshot snapshot,
        bool legacy,
        CancellationToken cancellationToken
    )
    {
        snapshot.Prepare(cancellationToken);
        var encoder = new LtxEncoder(output, header, legacy);
        await using var _ = encoder.ConfigureAwait(false);
        await DatabasePages.CopyAsync(snapshot, encoder, cancellationToken).ConfigureAwait(false);
        await encoder.FinishAsync(cancellationToken).ConfigureAwait(false);
    }
}
