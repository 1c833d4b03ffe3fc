using System.Buffers;
using Litestream.IO;
using Litestream.Ltx;
using Litestream.Sqlite;
using Microsoft.Extensions.Logging;

namespace Litestream.Replication;

/// <summary>
/// One opening of a source database: its connections, how far was copied, and whether our reader has stood since. Ends when the database is
/// closed, replaced or lost; a new session then begins from the local files.
/// </summary>
/// <remarks>Used under the database's gate only.</remarks>
internal sealed class SourceSession : IDisposable
{
    private const int SealTries = 1000;
    private readonly DatabaseOptions _options;
    private readonly EngineServices _services;
    private readonly LocalFiles _files;
    private readonly WalSync _sync;
    private readonly Action<SyncResult> _copied;
    private readonly CleanStop _cleanStop;
    private bool _held;
    private bool _tailIsOurs;

    private SourceSession(DatabaseOptions options, EngineServices services, LocalFiles files, Action<SyncResult> copied)
    {
        (_options, _services, _files, _copied) = (options, services, files, copied);
        _cleanStop = new CleanStop(services.Files, options);
        _sync = new WalSync(files.Directory, services.Files, options, services.Time);
        Source = services.Sources.Open(options.Path, options.BusyTimeout);
    }

    internal SourceConnection Source { get; }

    /// <summary>How far was copied; null before the first file.</summary>
    internal SyncPosition? Position { get; private set; }

    /// <summary>Replicas hold transactions up to here; ours go on behind it.</summary>
    internal Txid Floor { get; set; }

    /// <summary>Set to make the next sync copy everything.</summary>
    internal FullReason? ForceFull { get; set; }

    /// <summary>Called before a file with the whole database; may refuse by an exception.</summary>
    internal Action<FullReason>? BeforeFull { get; set; }

    /// <summary>Compares a sample of the copied pages with the database file. Only after a complete checkpoint, while our reader stands behind it.</summary>
    internal IReadOnlyList<uint> CompareMovedPages() =>
        _sync.Proof.Compare((number, page) => Source.File.ReadPages(number, page, Source.PageSize), Source.PageSize, Position?.Commit ?? 0);

    /// <summary>True when everything that SQLite calls committed at <paramref name="end"/> was copied.</summary>
    internal bool IsCopied(WalIndexHeader end) =>
        Forced() is null && _held && _services.Sources.Plan(Position, end, held: true, static () => true) is SyncPlan.Nothing;

    /// <summary>Bytes of the WAL that are not copied at <paramref name="end"/>.</summary>
    internal long UncopiedBytes(WalIndexHeader end) =>
        end.EndOffset - (Position?.Salt == end.Salt ? Math.Min(Position.EndOffset, end.EndOffset) : WalHeader.Size);

    /// <summary>Opens the database and finds the position in the local files.</summary>
    internal static async Task<SourceSession> OpenAsync(
        DatabaseOptions options,
        EngineServices services,
        LocalFiles files,
        Action<SyncResult> copied,
        CancellationToken cancellationToken
    )
    {
        var session = new SourceSession(options, services, files, copied);
        try
        {
            await session.LoadPositionAsync(cancellationToken).ConfigureAwait(false);
            // Our reader stands already: from here on nothing can be moved into the database file that is not copied.
            session._held = session._cleanStop.Take(session.Source.Path, session.Position?.Txid ?? Txid.None);
            return session;
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    /// <summary>Copies everything that is committed now.</summary>
    internal async Task SyncAsync(CancellationToken cancellationToken)
    {
        var unreadable = 0;
        while (true)
        {
            var end = Source.Look();
            var plan = Forced() is { } reason ? new SyncPlan.Full(reason) : _services.Sources.Plan(Position, end, _held, () => _tailIsOurs);
            try
            {
                if (await CarryOutAsync(plan, end, cancellationToken).ConfigureAwait(false))
                    return;
            }
            catch (LitestreamException e) when (e.Error == LitestreamError.Corrupt && plan is SyncPlan.Incremental)
            {
                // Once may be a moment of change; twice is a WAL that cannot be proved: copy everything.
                if (++unreadable > 1)
                    ForceFull = FullReason.WalUnreadable;
            }
        }
    }

    private FullReason? Forced() => ForceFull ?? (Floor > (Position?.Txid ?? Txid.None) ? FullReason.ReplicaAhead : null);

    private async Task<bool> CarryOutAsync(SyncPlan plan, WalIndexHeader end, CancellationToken cancellationToken)
    {
        switch (plan)
        {
            case SyncPlan.Incremental increment:
                // In pieces to the end that was seen, not to one that a quick writer moves on for ever: checkpoints wait behind this.
                var copied = increment.AfterFrame;
                do
                {
                    Apply(await _sync.IncrementalAsync(Source, Position!, end, copied, cancellationToken).ConfigureAwait(false));
                    copied = Position!.EndFrame;
                } while (copied < end.LastFrame);
                return true;
            case SyncPlan.Full full:
                if (Source.IsEmpty)
                    return true; // a database of no pages: nothing was ever committed
                BeforeFull?.Invoke(full.Reason);
                var last = Position?.Txid ?? Txid.None;
                // One transaction is left out: nothing of what was before may ever be merged with, or continued by, what comes now.
                var txid = _files.FirstFreeAfter(Floor > last ? Floor : last).Next();
                var after = Position?.Timestamp ?? DateTimeOffset.UnixEpoch;
                Apply(await _sync.AnchorAsync(Source, txid, after, full.Reason, cancellationToken).ConfigureAwait(false));
                ForceFull = null;
                return false; // commits made meanwhile are not in it
            default:
                _held = Source.HasReader;
                return true;
        }
    }

    private void Apply(SyncResult result)
    {
        Position = result.Position;
        try
        {
            _files.Add(result.File);
        }
        catch (LitestreamException e)
        {
            // The file is there and counts; only old ones could not be deleted.
            _services.Log.LocalFileKept(_options.Path, e.Message);
        }
        // A reader that began on slot 0 before all was copied lets the WAL restart over the rest: it counts only when its mark is reached.
        var isBehindReader = Position.Salt == Source.ReaderMark.Salt && Position.EndFrame < Source.ReaderMark.LastFrame;
        _held = Source.HasReader && (_held || !isBehindReader);
        _copied(result);
    }

    /// <summary>
    /// Leaves the database so that the next start can prove that nobody wrote meanwhile: everything is moved, and nobody can commit until it is written
    /// down. Only costs a whole copy at the next start when it cannot be had.
    /// </summary>
    internal void Seal()
    {
        for (var tries = 0; !Source.TryBarrier(); tries++)
        {
            if (tries == SealTries)
                return;
            Thread.Yield();
        }
        try
        {
            if (
                Position is not { } position
                || !IsCopied(Source.Look())
                || !Source.CheckpointBehindShutDoor(letWritersIn: false).IsComplete
            )
                return;
            Source.MoveReader();
            _cleanStop.Write(Source.Path, position.Txid);
        }
        finally
        {
            Source.ReleaseBarrier();
        }
    }

    /// <summary>Leaves slot 0 when the WAL was restarted: an application over its own checkpoint threshold would else try in vain at every commit.</summary>
    internal void FollowRestart(WalIndexHeader end)
    {
        if (end.LastFrame > 0 && end.Salt != Source.ReaderMark.Salt)
            Source.MoveReader();
    }

    private async Task LoadPositionAsync(CancellationToken cancellationToken)
    {
        while (_files.Newest is { } newest)
        {
            try
            {
                await LoadAsync(newest, cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (LitestreamException e) when (e.Error is LitestreamError.Corrupt or LitestreamError.NotFound)
            {
                // Its transaction may have reached a replica: go on behind it, with everything.
                _services.Log.LocalFileDamaged(_options.Path, newest.FileName, e.Message);
                if (newest.MaxTxid > Floor)
                    Floor = newest.MaxTxid;
                _files.Remove(newest);
                ForceFull = FullReason.LocalFileDamaged;
            }
        }
    }

    /// <summary>Reads the newest local file whole, so that its checksum is proved, and compares the page at the WAL's tail with it (V7).</summary>
    private async Task LoadAsync(LtxFileInfo newest, CancellationToken cancellationToken)
    {
        var stream = _files.Directory.OpenRead(newest);
        await using var closing = stream.ConfigureAwait(false);
        var decoder = await LtxDecoder.OpenAsync(stream, newest.SizeBytes, cancellationToken).ConfigureAwait(false);
        await using var _ = decoder.ConfigureAwait(false);
        var position = SyncPosition.From(decoder.Header);
        var pageSize = decoder.Header.PageSize;
        var rented = ArrayPool<byte>.Shared.Rent(2 * pageSize);
        try
        {
            var tail = rented.AsMemory(0, pageSize);
            var page = rented.AsMemory(pageSize, pageSize);
            var frame = position.EndFrame > 0 ? Source.Wal.ReadFrame(position.EndFrame, pageSize, tail.Span) : null;
            var same = false;
            while (await decoder.ReadPageAsync(page, cancellationToken).ConfigureAwait(false) is var number and not 0)
                same |= frame?.PageNumber == number && page.Span.SequenceEqual(tail.Span);
            await decoder.FinishAsync(cancellationToken).ConfigureAwait(false);
            _tailIsOurs = same && frame?.Salt == position.Salt;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
        Position = position;
    }

    public void Dispose()
    {
        _services.Watcher.Disarm(Source.Wal.Path);
        Source.Dispose();
    }
}
