using Litestream.Ltx;
using Litestream.Replicas;

namespace Litestream.Compaction;

/// <summary>Merges files of one level into one file of the next, through the replica alone; nothing is stored locally.</summary>
/// <param name="client">The replica.</param>
/// <param name="openLocal">A file of level 0 that is still at hand, or null: then it need not be fetched.</param>
/// <param name="time">For the pauses of downloads that break.</param>
/// <param name="legacyPageFrames">Write what Litestream before 0.5.16 can read.</param>
internal sealed class Compactor(ReplicaClient client, Func<LtxFileInfo, Stream?> openLocal, TimeProvider time, bool legacyPageFrames)
{
    /// <summary>Files up to this size are fetched whole, so that no connection idles while others are merged.</summary>
    private const int AheadSize = 1 << 20;

    /// <summary>Bytes fetched whole for one merge.</summary>
    private const long AheadBudget = 32L << 20;

    private const int Parallelism = 8;

    /// <summary>Merges.</summary>
    /// <param name="level">The level to write to.</param>
    /// <param name="files">An unbroken run of the level below.</param>
    /// <param name="cancellationToken">Ends it; nothing appears in the replica.</param>
    /// <returns>The file written.</returns>
    internal async Task<LtxFileInfo> MergeAsync(int level, IReadOnlyList<LtxFileInfo> files, CancellationToken cancellationToken)
    {
        var streams = new List<Stream>();
        var inputs = new List<LtxDecoder>();
        try
        {
            await OpenAsync(files, streams, cancellationToken).ConfigureAwait(false);
            for (var i = 0; i < files.Count; i++)
                inputs.Add(await DecodeAsync(files[i], streams[i], cancellationToken).ConfigureAwait(false));
            return await StreamedUpload
                .WriteAsync(
                    client,
                    level,
                    files[0].MinTxid,
                    files[^1].MaxTxid,
                    (output, ct) => LtxMerger.MergeAsync(inputs, output, legacyPageFrames, ct),
                    cancellationToken
                )
                .ConfigureAwait(false);
        }
        finally
        {
            foreach (var input in inputs)
                await input.DisposeAsync().ConfigureAwait(false);
            foreach (var stream in streams)
                await stream.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>The first file of a run that cannot be read to its end; null when all can.</summary>
    internal async Task<LtxFileInfo?> FindDamagedAsync(IReadOnlyList<LtxFileInfo> files, CancellationToken cancellationToken)
    {
        foreach (var file in files)
        {
            try
            {
                var stream = Resumable(file);
                await using var closing = stream.ConfigureAwait(false);
                var decoder = await DecodeAsync(file, stream, cancellationToken).ConfigureAwait(false);
                await using var _ = decoder.ConfigureAwait(false);
                var page = new byte[decoder.Header.PageSize];
                while (await decoder.ReadPageAsync(page, cancellationToken).ConfigureAwait(false) != 0) { }
                await decoder.FinishAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (LitestreamException e) when (e.Error is LitestreamError.Corrupt or LitestreamError.NotFound)
            {
                return file;
            }
        }
        return null;
    }

    private static async Task<LtxDecoder> DecodeAsync(LtxFileInfo file, Stream stream, CancellationToken cancellationToken)
    {
        var decoder = await LtxDecoder.OpenAsync(stream, file.SizeBytes, cancellationToken).ConfigureAwait(false);
        if (decoder.Header.MinTxid == file.MinTxid && decoder.Header.MaxTxid == file.MaxTxid)
            return decoder;
        await decoder.DisposeAsync().ConfigureAwait(false);
        throw new LitestreamException(
            LitestreamError.Corrupt,
            $"level {file.Level} file {file.FileName}: its header says transactions {decoder.Header.MinTxid}-{decoder.Header.MaxTxid}"
        );
    }

    private async Task OpenAsync(IReadOnlyList<LtxFileInfo> files, List<Stream> streams, CancellationToken cancellationToken)
    {
        var fetching = new List<(int Index, Task<Stream> Content)>();
        using var slots = new SemaphoreSlim(Parallelism);
        var budget = AheadBudget;
        foreach (var file in files)
        {
            var ahead = file.SizeBytes <= AheadSize && file.SizeBytes <= budget;
            if (openLocal(file) is { } local)
                streams.Add(local);
            else if (!ahead)
                streams.Add(Resumable(file));
            else
            {
                budget -= file.SizeBytes;
                streams.Add(Stream.Null);
                fetching.Add((streams.Count - 1, FetchAsync(file, slots, cancellationToken)));
            }
        }
        try
        {
            await Task.WhenAll(fetching.Select(f => f.Content)).ConfigureAwait(false);
        }
        finally
        {
            foreach (var (index, content) in fetching)
                if (content.IsCompletedSuccessfully)
                    streams[index] = await content.ConfigureAwait(false);
        }
    }

    private async Task<Stream> FetchAsync(LtxFileInfo file, SemaphoreSlim slots, CancellationToken cancellationToken)
    {
        await slots.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var stream = Resumable(file);
            await using var _ = stream.ConfigureAwait(false);
            // One byte more, to notice a file that is longer than its listing says.
            var bytes = new byte[file.SizeBytes + 1];
            var count = await stream
                .ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken)
                .ConfigureAwait(false);
            return new MemoryStream(bytes, 0, count, writable: false);
        }
        finally
        {
            slots.Release();
        }
    }

    private ResumableStream Resumable(LtxFileInfo file) =>
        new(
            (offset, cancel) => client.OpenAsync(file, offset, null, cancel),
            file.SizeBytes,
            time,
            client.Layout.Key(file.Level, file.MinTxid, file.MaxTxid)
        );
}
