using System.IO.Pipelines;
using Litestream.Ltx;

namespace Litestream.Replicas;

/// <summary>Writes an LTX file to a replica while it is made: no local space, bounded memory, and both sides end when one fails.</summary>
internal static class StreamedUpload
{
    /// <summary>Uploads what <paramref name="write"/> writes. Nothing appears in the replica when it fails.</summary>
    /// <param name="client">Where to.</param>
    /// <param name="level">0 to 9.</param>
    /// <param name="min">First transaction.</param>
    /// <param name="max">Last transaction.</param>
    /// <param name="write">Writes the whole file to the stream; runs beside the upload.</param>
    /// <param name="cancellationToken">Ends both.</param>
    internal static async Task<LtxFileInfo> WriteAsync(
        ReplicaClient client,
        int level,
        Txid min,
        Txid max,
        Func<Stream, CancellationToken, Task> write,
        CancellationToken cancellationToken
    )
    {
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 4 << 20, resumeWriterThreshold: 2 << 20, minimumSegmentSize: 64 << 10));
        using var failed = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var writing = FillAsync(pipe.Writer, write, failed.Token);
        try
        {
            var content = pipe.Reader.AsStream();
            await using var _ = content.ConfigureAwait(false);
            return await client.WriteAsync(level, min, max, content, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            // An upload that failed must not leave the writer waiting for a reader that has gone.
            await failed.CancelAsync().ConfigureAwait(false);
            await writing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task FillAsync(PipeWriter writer, Func<Stream, CancellationToken, Task> write, CancellationToken cancellationToken)
    {
        Exception? failure = null;
        try
        {
            await write(writer.AsStream(leaveOpen: true), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            failure = e; // the upload reads it from the pipe and fails with it
        }
        await writer.CompleteAsync(failure).ConfigureAwait(false);
    }
}
