using System.Buffers;
using Litestream.IO;
using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Sqlite;

namespace Litestream.Replication;

/// <summary>Turns frames of the WAL into the next level-0 file of the local directory. Does; decides nothing.</summary>
internal sealed class WalSync(LtxDirectory directory, DurableFiles files, DatabaseOptions options, TimeProvider time)
{
    /// <summary>What a few of the copied pages looked like.</summary>
    internal CheckpointProof Proof { get; } = new();

    /// <summary>Copies committed frames behind <paramref name="afterFrame"/>, at most about <see cref="DatabaseOptions.MaxSyncWalBytes"/>.</summary>
    /// <returns>The new position and file.</returns>
    internal async Task<SyncResult> IncrementalAsync(
        SourceConnection source,
        SyncPosition position,
        WalIndexHeader end,
        long afterFrame,
        CancellationToken cancellationToken
    )
    {
        var seed = afterFrame > 0 && position.Salt == end.Salt && position.EndFrame == afterFrame ? position.Running : null;
        PageMap map;
        using (var reader = new WalReader(source.Wal, end, afterFrame, seed))
            map = PageMap.Read(reader, end.PageSize, options.MaxSyncWalBytes, cancellationToken);
        if (map.Commit == 0)
            throw new LitestreamException(
                LitestreamError.Corrupt,
                $"{source.Wal.Path}: no commit in frames {afterFrame + 1} to {end.LastFrame}"
            )
            {
                Path = source.Wal.Path,
            };
        var txid = position.Txid.Next();
        var startOffset = WalFrameHeader.EndOf(afterFrame, end.PageSize);
        var endOffset = WalFrameHeader.EndOf(map.LastFrame, end.PageSize);
        var header = NewHeader(txid, end, map.Commit, startOffset, endOffset - startOffset, position.Timestamp);
        var pages = WithGrowth(map.SortedPages(), position.Commit, map.Commit, LtxChecksum.LockPage(end.PageSize));
        var file = await WriteAsync(
                source.Path,
                header,
                async (encoder, page, ct) =>
                {
                    foreach (var number in pages)
                    {
                        if (map.TryGetFrame(number, out var frame))
                            ReadFrame(source.Wal, frame, number, end, page.Span);
                        else
                            source.File.ReadPages(number, page.Span, end.PageSize); // grown, but never written to the WAL: a free page
                        Proof.Observe(number, page.Span);
                        await encoder.WritePageAsync(number, page, ct).ConfigureAwait(false);
                    }
                    // Without a hold since the last sync a writer may have restarted the WAL under the copy: then nothing of it is believed.
                    if (source.Look().Salt != end.Salt)
                        throw new LitestreamException(LitestreamError.Corrupt, $"{source.Wal.Path} was restarted while it was copied")
                        {
                            Path = source.Wal.Path,
                        };
                },
                cancellationToken
            )
            .ConfigureAwait(false);
        var next = SyncPosition.From(header) with { Running = map.LastChecksum };
        return new SyncResult(next, file, endOffset - startOffset, null);
    }

    /// <summary>
    /// Begins a new run of transactions where continuity with the last one is not proved. The file holds two pages as they are, page 1 and that of
    /// the WAL's last frame: it changes nothing, and proves after a start that the WAL still is the one of this position (V7).
    /// </summary>
    /// <remarks>
    /// The database itself is not copied here: no local file leads to this one, so every replica first gets a snapshot, streamed from the database.
    /// It needs no room on the disk, and no level of a replica ever begins with a whole copy.
    /// </remarks>
    internal async Task<SyncResult> AnchorAsync(
        SourceConnection source,
        Txid txid,
        DateTimeOffset after,
        FullReason reason,
        CancellationToken cancellationToken
    )
    {
        Proof.Clear();
        using var snapshot = source.OpenSnapshot();
        snapshot.Prepare(cancellationToken);
        var end = snapshot.At;
        var header = NewHeader(txid, end, snapshot.Commit, WalHeader.Size, end.EndOffset - WalHeader.Size, after);
        var file = await WriteAsync(
                source.Path,
                header,
                async (encoder, page, ct) =>
                {
                    // Where everything was moved already a writer may begin the WAL anew under this copy: then that frame is another life's.
                    var last = end.LastFrame > 0 ? source.Wal.ReadFrame(end.LastFrame, end.PageSize, page.Span) : null;
                    var tail = last?.Salt == end.Salt && last?.PageNumber <= snapshot.Commit ? last?.PageNumber : null;
                    snapshot.ReadPages(1, page.Span);
                    await encoder.WritePageAsync(1, page, ct).ConfigureAwait(false);
                    if (tail is not > 1)
                        return;
                    snapshot.ReadPages(tail.Value, page.Span);
                    await encoder.WritePageAsync(tail.Value, page, ct).ConfigureAwait(false);
                },
                cancellationToken
            )
            .ConfigureAwait(false);
        WalChecksum? running = end.LastFrame > 0 ? end.LastChecksum : null;
        return new SyncResult(SyncPosition.From(header) with { Running = running }, file, end.EndOffset - WalHeader.Size, reason);
    }

    /// <summary>Strictly later than the last one, so that each transaction can be asked for by time even when the clock stands or jumps back.</summary>
    internal static DateTimeOffset NextTimestamp(DateTimeOffset now, DateTimeOffset last)
    {
        var milliseconds = Math.Max(now.ToUnixTimeMilliseconds(), last.ToUnixTimeMilliseconds() + 1);
        return DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);
    }

    private LtxHeader NewHeader(Txid txid, WalIndexHeader end, uint commit, long walOffset, long walSize, DateTimeOffset after) =>
        new()
        {
            PageSize = end.PageSize,
            Commit = commit,
            MinTxid = txid,
            MaxTxid = txid,
            Timestamp = NextTimestamp(time.GetUtcNow(), after),
            WalOffset = walOffset,
            WalSize = walSize,
            WalSalt1 = end.Salt.Salt1,
            WalSalt2 = end.Salt.Salt2,
            NoChecksum = true,
        };

    private async Task<LtxFileInfo> WriteAsync(
        string accessLike,
        LtxHeader header,
        Func<LtxEncoder, Memory<byte>, CancellationToken, Task> writePages,
        CancellationToken cancellationToken
    )
    {
        var page = ArrayPool<byte>.Shared.Rent(header.PageSize);
        try
        {
            var path = directory.PathOf(LtxFileInfo.MinLevel, header.MinTxid, header.MaxTxid);
            var size = await AtomicFile
                .WriteAsync(
                    files,
                    path,
                    async (stream, ct) =>
                    {
                        var encoder = new LtxEncoder(stream, header, options.LegacyPageFrames);
                        await using var _ = encoder.ConfigureAwait(false);
                        await writePages(encoder, page.AsMemory(0, header.PageSize), ct).ConfigureAwait(false);
                        await encoder.FinishAsync(ct).ConfigureAwait(false);
                        return encoder.BytesWritten;
                    },
                    cancellationToken,
                    accessLike,
                    header.Timestamp
                )
                .ConfigureAwait(false);
            return new LtxFileInfo(LtxFileInfo.MinLevel, header.MinTxid, header.MaxTxid, size, header.Timestamp);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(page);
        }
    }

    /// <summary>Adds every page between the old and the new size that no frame holds; without them a later merge has a hole.</summary>
    private static uint[] WithGrowth(uint[] pages, uint oldCommit, uint newCommit, uint lockPage)
    {
        if (newCommit <= oldCommit)
            return pages;
        if (CountAbove(pages, oldCommit) == newCommit - oldCommit)
            return pages;
        var all = new SortedSet<uint>(pages);
        for (var page = oldCommit + 1; page <= newCommit; page++)
            if (page != lockPage)
                all.Add(page);
        return [.. all];
    }

    private static uint CountAbove(uint[] sorted, uint value)
    {
        var index = Array.BinarySearch(sorted, value + 1);
        return (uint)(sorted.Length - (index < 0 ? ~index : index));
    }

    private static void ReadFrame(WalFile wal, long frame, uint number, WalIndexHeader end, Span<byte> page)
    {
        if (wal.ReadFrame(frame, end.PageSize, page) is not { } header || header.PageNumber != number || header.Salt != end.Salt)
            throw new LitestreamException(LitestreamError.Corrupt, $"{wal.Path}: frame {frame} changed while it was copied")
            {
                Path = wal.Path,
            };
    }
}

/// <summary>What a sync made.</summary>
/// <param name="Position">The new position.</param>
/// <param name="File">The new local file.</param>
/// <param name="WalBytes">Bytes of the WAL that went into it.</param>
/// <param name="Full">Why replicas need the whole database now; null for an increment.</param>
internal sealed record SyncResult(SyncPosition Position, LtxFileInfo File, long WalBytes, FullReason? Full);
