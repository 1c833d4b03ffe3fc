using Litestream.Ltx;
using Litestream.Sqlite;

namespace Litestream.Restore;

/// <summary>Brings proved files into a followed database, all of them in one change that readers see whole or not at all.</summary>
/// <remarks>
/// Each change is announced in the sidecar before it is made, so that after a crash it is known exactly which transaction the database holds: files fit
/// only the state they follow. One caller at a time.
/// </remarks>
internal sealed class FollowApplier(FollowedDatabase database, TxidSidecar sidecar, FollowOptions options, TimeProvider time)
{
    private static readonly TimeSpan s_lockPause = TimeSpan.FromMilliseconds(10);

    private uint? _counter;

    /// <summary>Puts the header right where the file came from a program that leaves it in WAL mode.</summary>
    public async Task PrepareAsync(CancellationToken cancellationToken)
    {
        if (database.SizeBytes > 0 && !database.IsInRollbackMode)
            await ChangeAsync(database.PageSize, PagesNow(database.PageSize), [], new PageSet(), null, cancellationToken)
                .ConfigureAwait(false);
        _counter = database.ChangeCounter;
    }

    /// <summary>Applies files of one page size, in their order.</summary>
    /// <exception cref="LitestreamException">
    /// <see cref="LitestreamError.Busy"/>: readers did not let it. <see cref="LitestreamError.Conflict"/>: somebody else wrote to the file.
    /// <see cref="LitestreamError.Corrupt"/>: pages are missing. The database is unchanged then.
    /// </exception>
    public async Task ApplyAsync(IReadOnlyList<StagedFile> batch, CancellationToken cancellationToken)
    {
        var last = batch[^1].Header;
        RequireGrowth(batch);
        var pages = new PageSet();
        foreach (var file in batch)
            pages.Add(file.Pages);
        await ChangeAsync(last.PageSize, last.Commit, batch, pages, last.MaxTxid, cancellationToken).ConfigureAwait(false);
    }

    private uint PagesNow(int pageSize) => pageSize == 0 ? 0 : (uint)(database.SizeBytes / pageSize);

    /// <summary>A database may grow only by pages that are in the file that makes it grow.</summary>
    private void RequireGrowth(IReadOnlyList<StagedFile> batch)
    {
        var header = batch[0].Header;
        var size = database.PageSize == header.PageSize ? PagesNow(header.PageSize) : 0;
        foreach (var file in batch)
        {
            var commit = file.Header.Commit;
            if (commit > size && file.Pages.FirstMissing(size + 1, commit, header.LockPage) is { } missing)
                throw new LitestreamException(
                    LitestreamError.Corrupt,
                    $"level {file.Info.Level} file {file.Info.FileName}: the database grows to {commit} pages, but page {missing} is not in it"
                )
                {
                    Level = file.Info.Level,
                    MinTxid = file.Info.MinTxid,
                    MaxTxid = file.Info.MaxTxid,
                };
            size = commit;
        }
    }

    private async Task ChangeAsync(
        int pageSize,
        uint commit,
        IReadOnlyList<StagedFile> batch,
        PageSet pages,
        Txid? reached,
        CancellationToken cancellationToken
    )
    {
        if (!database.TryBegin())
            throw Held("another program is writing to it");
        try
        {
            if (_counter is { } known && database.SizeBytes > 0 && database.ChangeCounter != known)
                throw Foreign();
            if (batch is [{ IsLarge: true } large] && database.PageSize == pageSize)
                pages = await DifferentAsync(large, pageSize, cancellationToken).ConfigureAwait(false);
            var counter = Math.Max(database.ChangeCounter, _counter ?? 0) + 1;
            await KeepAsync(pageSize, commit, pages, cancellationToken).ConfigureAwait(false);
            // An empty database has no counter.
            if (reached is { } txid)
                await sidecar.AnnounceAsync(txid, commit == 0 ? 0 : counter, cancellationToken).ConfigureAwait(false);
            await ExcludeReadersAsync(cancellationToken).ConfigureAwait(false);
            await WriteAsync(pageSize, commit, batch, pages, counter, cancellationToken).ConfigureAwait(false);
            database.Commit((long)commit * pageSize);
            _counter = counter;
        }
        catch
        {
            database.Abandon();
            throw;
        }
    }

    /// <summary>The pages of a whole copy that are not what the database has: usually few.</summary>
    private async Task<PageSet> DifferentAsync(StagedFile file, int pageSize, CancellationToken cancellationToken)
    {
        var different = new PageSet();
        var present = new byte[pageSize];
        await file.ReadPagesAsync(
                (number, content) =>
                {
                    database.Read(number, present, pageSize);
                    if (!content.Span.SequenceEqual(present))
                        different.Add(number);
                },
                cancellationToken
            )
            .ConfigureAwait(false);
        return different;
    }

    /// <summary>Keeps every page that is about to be written over or cut off, as it is.</summary>
    private Task KeepAsync(int pageSize, uint commit, PageSet pages, CancellationToken cancellationToken)
    {
        var oldSize = database.PageSize;
        if (database.SizeBytes == 0 || oldSize == 0)
            return database.JournalAsync(pageSize, 0, [], cancellationToken);
        var old = PagesNow(oldSize);
        var lockPage = LtxChecksum.LockPage(oldSize);
        // With another page size nothing stays where it is.
        var kept = oldSize != pageSize ? Range(1, old) : Changing(pages, Math.Min(old, commit)).Concat(Range(commit + 1, old));
        return database.JournalAsync(oldSize, old, kept.Where(p => p != lockPage), cancellationToken);
    }

    // The first page always: its header changes with everything.
    private static IEnumerable<uint> Changing(PageSet pages, uint last) =>
        last == 0 ? [] : pages.Ascending().TakeWhile(p => p <= last).Where(p => p != 1).Prepend(1u);

    private static IEnumerable<uint> Range(uint first, uint last)
    {
        for (ulong page = first; page <= last; page++)
            yield return (uint)page;
    }

    private async Task ExcludeReadersAsync(CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        while (!database.TryExclude())
        {
            if (time.GetElapsedTime(started) >= options.BusyTimeout)
                throw Held($"a reader holds it for more than {options.BusyTimeout.TotalSeconds:0.#} s");
            await Task.Delay(s_lockPause, time, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task WriteAsync(
        int pageSize,
        uint commit,
        IReadOnlyList<StagedFile> batch,
        PageSet pages,
        uint counter,
        CancellationToken cancellationToken
    )
    {
        var first = new byte[pageSize];
        database.Read(1, first, pageSize);
        foreach (var file in batch)
        {
            await file.ReadPagesAsync(
                    (number, content) =>
                    {
                        if (number == 1)
                            content.CopyTo(first);
                        else if (number <= commit && pages.Contains(number))
                            database.Write((long)(number - 1) * pageSize, content.Span);
                    },
                    cancellationToken
                )
                .ConfigureAwait(false);
        }
        if (commit == 0)
            return;
        DatabaseHeader.Stamp(first, counter, commit);
        database.Write(0, first);
    }

    private LitestreamException Held(string by) =>
        new(LitestreamError.Busy, $"{database.Path} cannot be changed now: {by}") { IsTransient = true, Path = database.Path };

    private LitestreamException Foreign() =>
        new(LitestreamError.Conflict, $"{database.Path} was changed by another program: it no longer is the replica's state")
        {
            Path = database.Path,
            Hint = "only read from a followed database; remove it with its -txid file and restore it anew",
        };
}
