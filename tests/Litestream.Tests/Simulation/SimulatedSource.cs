using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Litestream.Replication;
using Litestream.Sqlite;

namespace Litestream.Tests.Simulation;

/// <summary>Stands between a session and its source: lets time pass where the engine waits for a lock, and does one thing wrong when told.</summary>
/// <param name="bug">What it does wrong.</param>
/// <param name="busy">The writer lock is not free now.</param>
/// <param name="meanwhile">What others do at a moment at which the bug leaves them the room.</param>
internal sealed class SimulatedSource(PlantedBug bug, Action busy, Action meanwhile) : SourceAccess
{
    /// <summary>A bug may lead the engine into a circle; that is no way of finding it.</summary>
    internal const string Endless = "the engine looks and looks";

    private string _wal = "";
    private Connection? _connection;

    internal override SourceConnection Open(string path, TimeSpan busyTimeout)
    {
        _wal = path + "-wal";
        return _connection = new Connection(path, busyTimeout, bug, busy, meanwhile);
    }

    internal override SyncPlan Plan(SyncPosition? position, WalIndexHeader end, bool held, Func<bool> tailIsOurs)
    {
        if (bug == PlantedBug.NoSyncUnderTheBarrier && _connection is { HasBarrier: true })
            return new SyncPlan.Nothing();
        var trusts =
            bug == PlantedBug.TailTrustedWithoutTheLock && !held && position is not null && position.Salt != end.Salt && tailIsOurs();
        return base.Plan(position, end, held || (trusts && OnlyTwoSalts(position!, end)), tailIsOurs);
    }

    /// <summary>V9 of the specification: from the start of the WAL only the new salt, then the old one.</summary>
    private bool OnlyTwoSalts(SyncPosition position, WalIndexHeader end)
    {
        using var wal = new WalFile(_wal);
        var page = new byte[end.PageSize];
        for (long frame = 1; wal.ReadFrame(frame, end.PageSize, page) is { } header; frame++)
        {
            if (header.Salt == position.Salt)
                return true;
            if (header.Salt != end.Salt)
                return false;
        }
        return false;
    }

    private sealed class Connection : SourceConnection
    {
        private readonly PlantedBug _bug;
        private readonly Action _busy;
        private readonly Action _meanwhile;
        private readonly PatchedWal? _patched;
        private int _looks;

        internal Connection(string path, TimeSpan busyTimeout, PlantedBug bug, Action busy, Action meanwhile)
            : base(path, busyTimeout)
        {
            (_bug, _busy, _meanwhile) = (bug, busy, meanwhile);
            if (bug != PlantedBug.TailShippedBeforeCommit)
                return;
            Wal.Dispose();
            Wal = _patched = new PatchedWal(path + "-wal");
        }

        internal override WalIndexHeader Look()
        {
            if (++_looks > 10_000)
                throw new InvalidOperationException(Endless);
            return _bug switch
            {
                PlantedBug.FramesPastTheEnd => LastOfTheFile(base.Look(), commitsOnly: true),
                PlantedBug.TailShippedBeforeCommit => LastOfTheFile(base.Look(), commitsOnly: false),
                _ => base.Look(),
            };
        }

        internal override bool TryBarrier()
        {
            if (base.TryBarrier())
                return true;
            _busy();
            return false;
        }

        internal override CheckpointResult CheckpointBehindShutDoor(bool letWritersIn)
        {
            var result = base.CheckpointBehindShutDoor(letWritersIn);
            if (result.IsBusy)
                _busy();
            else if (_bug == PlantedBug.ReaderDroppedForTheCheckpoint && letWritersIn)
                DropTheReader();
            return result;
        }

        private void DropTheReader()
        {
            var reader = Readers(this)[Standing(this)];
            reader.End();
            for (var i = 0; i < 3; i++)
                _meanwhile();
            reader.BeginRead();
        }

        /// <summary>Goes on behind SQLite's own end as long as the frames in the file look valid.</summary>
        private WalIndexHeader LastOfTheFile(WalIndexHeader end, bool commitsOnly)
        {
            _patched?.Forget();
            if (end.Salt.IsNone)
                return end;
            var bytes = new byte[WalFrameHeader.Size + end.PageSize];
            var (running, last, pages) = (end.LastChecksum, end, end.Pages);
            for (var frame = end.LastFrame + 1; Wal.Read(WalFrameHeader.OffsetOf(frame, end.PageSize), bytes) == bytes.Length; frame++)
            {
                var header = WalFrameHeader.Read(bytes);
                var before = running;
                running = running.Add(bytes.AsSpan(0, 8), end.BigEndianChecksums);
                running = running.Add(bytes.AsSpan(WalFrameHeader.Size), end.BigEndianChecksums);
                if (header.Salt != end.Salt || header.PageNumber == 0 || header.Checksum != running || (!commitsOnly && header.IsCommit))
                    break;
                pages = Math.Max(pages, header.PageNumber);
                if (commitsOnly && header.IsCommit)
                    last = end with { LastFrame = frame, Pages = header.CommitPages, LastChecksum = running };
                else if (!commitsOnly)
                    last = end with { LastFrame = frame, Pages = pages, LastChecksum = _patched!.Commit(frame, bytes, pages, before, end) };
            }
            return last;
        }

        [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_readers")]
        private static extern ref EngineConnection[] Readers(SourceConnection source);

        [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_standing")]
        private static extern ref int Standing(SourceConnection source);
    }

    /// <summary>Shows the last frame of an open transaction as if it ended it.</summary>
    private sealed class PatchedWal(string path) : WalFile(path)
    {
        private readonly byte[] _header = new byte[WalFrameHeader.Size];
        private long _at = -1;

        internal void Forget() => _at = -1;

        /// <returns>The running checksum behind the changed frame.</returns>
        internal WalChecksum Commit(long frame, ReadOnlySpan<byte> bytes, uint pages, WalChecksum before, WalIndexHeader end)
        {
            bytes[..WalFrameHeader.Size].CopyTo(_header);
            BinaryPrimitives.WriteUInt32BigEndian(_header.AsSpan(4), pages);
            var sum = before.Add(_header.AsSpan(0, 8), end.BigEndianChecksums).Add(bytes[WalFrameHeader.Size..], end.BigEndianChecksums);
            BinaryPrimitives.WriteUInt32BigEndian(_header.AsSpan(16), sum.Sum1);
            BinaryPrimitives.WriteUInt32BigEndian(_header.AsSpan(20), sum.Sum2);
            _at = WalFrameHeader.OffsetOf(frame, end.PageSize);
            return sum;
        }

        internal override int Read(long offset, Span<byte> buffer)
        {
            var read = base.Read(offset, buffer);
            for (var i = 0; _at >= 0 && i < _header.Length; i++)
                if (_at + i - offset is >= 0 and var at && at < read)
                    buffer[(int)at] = _header[i];
            return read;
        }
    }
}
