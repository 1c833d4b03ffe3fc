using Litestream.Ltx;
using Litestream.Replicas;

namespace Litestream.Replication;

/// <summary>Tells by their headers whether a file on a replica is one that this engine wrote.</summary>
internal static class StoredFile
{
    /// <summary>The header of a local file.</summary>
    public static async Task<LtxHeader> ReadOwnAsync(LtxDirectory directory, LtxFileInfo file, CancellationToken cancellationToken)
    {
        var ours = directory.OpenRead(file);
        await using var closing = ours.ConfigureAwait(false);
        return await ReadHeaderAsync(ours, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>True when the file on the replica has our header. Merged files and snapshots begin elsewhere: of them the time must be ours.</summary>
    public static async Task<bool> IsSameAsync(ReplicaClient client, LtxFileInfo remote, LtxHeader own, CancellationToken cancellationToken)
    {
        var theirs = await client.OpenAsync(remote, 0, LtxHeader.Size, cancellationToken).ConfigureAwait(false);
        await using var closing = theirs.ConfigureAwait(false);
        var header = await ReadHeaderAsync(theirs, cancellationToken).ConfigureAwait(false);
        return remote.Level == LtxFileInfo.MinLevel ? header == own : header.Timestamp == own.Timestamp;
    }

    /// <summary>The header at the start of a file; the stream stands behind it then.</summary>
    public static async Task<LtxHeader> ReadHeaderAsync(Stream stream, CancellationToken cancellationToken)
    {
        var bytes = new byte[LtxHeader.Size];
        await stream.ReadExactlyAsync(bytes, cancellationToken).ConfigureAwait(false);
        return LtxHeader.Read(bytes);
    }
}
