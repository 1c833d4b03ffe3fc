using System.Globalization;
using System.Text;
using Litestream.Sqlite;
using Litestream.Tests.Sqlite;
using SQLitePCL;

namespace Litestream.Tests.Simulation;

/// <summary>
/// An application on real SQLite whose every act follows from the seed: two connections that write, readers that stay, checkpoints of every
/// kind, writers that die. It never waits for a lock: a simulation has one thread, so a lock that is held now stays held.
/// </summary>
internal sealed class SimulatedApp : IDisposable
{
    private static readonly int[] PageSizes = [512, 512, 1024, 1024, 4096, 8192];
    private static readonly string[] CheckpointModes = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"];
    private readonly Random _random;
    private readonly string _path;
    private readonly Trace _trace;
    private readonly int _pageSize;
    private readonly sqlite3[] _writers = new sqlite3[2];
    private sqlite3 _look = null!;
    private sqlite3? _longReader;
    private sqlite3? _open;
    private int _tables;
    private bool _phantom;

    internal SimulatedApp(string path, Random random, Trace trace)
    {
        Batteries_V2.Init();
        (_path, _random, _trace) = (path, random, trace);
        _pageSize = PageSizes[random.Next(PageSizes.Length)];
        Connect($"PRAGMA page_size={_pageSize}; PRAGMA auto_vacuum={random.Next(3)}; PRAGMA journal_mode=wal");
        Run(_writers[0], "CREATE TABLE t(id INTEGER PRIMARY KEY, v, w); CREATE INDEX i ON t(w); CREATE TABLE lost(n)");
        Note();
    }

    /// <summary>The content after each act, in order; the last is the present one.</summary>
    internal List<byte[]> States { get; } = [];

    internal int Now => States.Count - 1;

    /// <summary>True while the engine is at work: only then may it hold the writer lock, and only for the moment of a checkpoint.</summary>
    internal bool EngineRuns { get; set; }

    /// <summary>One act: a transaction, a checkpoint, a VACUUM, a reader that stays, a new connection, a death.</summary>
    internal void Act()
    {
        if (_open is not null && _random.Next(3) == 0)
            EndOpenTransaction();
        else
            Act(_writers[_random.Next(4) == 0 ? 1 : 0]);
        Note();
    }

    private void Act(sqlite3 writer)
    {
        switch (_random.Next(28))
        {
            case 0:
                Run(writer, "VACUUM");
                break;
            case 1:
                Run(writer, $"PRAGMA incremental_vacuum({_random.Next(1, 20)})");
                break;
            case 2 or 3:
                Run(writer, $"PRAGMA wal_checkpoint({CheckpointModes[_random.Next(CheckpointModes.Length)]})");
                break;
            case 4:
                Reopen();
                break;
            case 5:
                Run(writer, $"BEGIN IMMEDIATE; DELETE FROM t; INSERT INTO t(v) VALUES({Blob(_pageSize * 6)}); ROLLBACK");
                break;
            case 6:
                ToggleLongReader();
                break;
            case 7 when _open is null:
                BeginOpenTransaction(writer);
                break;
            case 8 when _open is null:
                DieBeforePublishing();
                break;
            default:
                Transaction(writer);
                break;
        }
    }

    /// <summary>Notes the present content. SQLite may find a dead writer's frames when it opens a WAL anew; then they are commits.</summary>
    internal void Note()
    {
        if (States.Count > 0 && _trace.IsOn)
            _trace.Say($"app: state {States.Count}");
        States.Add(DatabaseBytes.Of(_look, States.LastOrDefault()));
    }

    /// <summary>Looks whether a recovery has brought a dead writer's frames back.</summary>
    internal void NoteRecovery()
    {
        if (!_phantom)
            return;
        var now = DatabaseBytes.Of(_look);
        if (!now.AsSpan().SequenceEqual(States[^1]))
            States.Add(now);
    }

    /// <summary>Ends what would keep checkpoints waiting for ever: the engine says so, and is right.</summary>
    internal void LetGo()
    {
        if (_longReader is not null)
            ToggleLongReader();
        if (_open is not null)
            EndOpenTransaction();
        Note();
    }

    /// <summary>Closes everything, so that SQLite may checkpoint and remove the WAL, and opens it again.</summary>
    internal void Reopen()
    {
        Close();
        Connect("");
        _trace.Say("app: reopened");
    }

    /// <summary>Puts an earlier state in the database's place, as a restore from a backup does.</summary>
    /// <param name="inPlace">True: into the same file (nobody else may have it open); false: another file gets its name.</param>
    internal void Replace(bool inPlace)
    {
        Close();
        var at = _random.Next(States.Count);
        var other = inPlace ? _path : _path + ".other";
        File.Delete(_path + "-wal");
        File.Delete(_path + "-shm");
        File.WriteAllBytes(other, States[at]);
        if (!inPlace)
            File.Move(other, _path, overwrite: true);
        _phantom = false;
        Connect("PRAGMA journal_mode=wal");
        _trace.Say($"app: replaced by state {at}, in place {inPlace}");
        Note();
    }

    private void Transaction(sqlite3 writer)
    {
        var sql = new StringBuilder("BEGIN IMMEDIATE");
        for (var n = _random.Next(1, 5); n > 0; n--)
            sql.Append("; ").Append(Statement());
        var rc = Run(writer, sql.Append("; COMMIT").ToString());
        // INV8: only another writer, or the engine in the few milliseconds of its barrier, may be in the way.
        if ((rc & 0xff) == raw.SQLITE_BUSY && !EngineRuns && _open is null)
            throw new InvalidOperationException("the application cannot write, and nobody but the engine can be in its way");
    }

    private void BeginOpenTransaction(sqlite3 writer)
    {
        Run(writer, $"PRAGMA cache_size=5; BEGIN IMMEDIATE; UPDATE t SET w = w || 'open'; INSERT INTO t(v) VALUES({Blob(_pageSize * 12)})");
        if (raw.sqlite3_get_autocommit(writer) == 0)
            _open = writer;
    }

    private void EndOpenTransaction()
    {
        var writer = _open!;
        _open = null;
        Run(writer, _random.Next(2) == 0 ? "COMMIT" : "ROLLBACK");
    }

    /// <summary>
    /// What a writer with synchronous=FULL leaves that is killed after its frames were written and before they were published: a commit in the
    /// WAL file that SQLite has never seen.
    /// </summary>
    private void DieBeforePublishing()
    {
        WalIndexHeader end;
        using (var engine = EngineConnection.Open(_path, TimeSpan.Zero))
            end = engine.Look(_pageSize);
        if (end.Salt.IsNone || !File.Exists(_path + "-wal"))
            return;
        var before = DatabaseBytes.Of(_look);
        byte[] after;
        using (var dying = DatabaseBytes.Load(before))
        {
            raw.sqlite3_exec(dying, $"INSERT INTO lost VALUES({_random.Next()}); UPDATE t SET v = {Blob(50)} WHERE id < 3");
            after = DatabaseBytes.Of(dying);
        }
        after.AsSpan(18, 2).Fill(2);
        var frames = WalBuilder.Behind(end);
        var changed = Enumerable.Range(0, after.Length / _pageSize).Where(p => !Page(before, p).SequenceEqual(Page(after, p))).ToList();
        foreach (var page in changed)
            frames.Frame((uint)page + 1, page == changed[^1] ? (uint)(after.Length / _pageSize) : 0, Page(after, page).ToArray());
        using var wal = new FileStream(_path + "-wal", FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        wal.Position = end.EndOffset;
        wal.Write(frames.ToArray());
        _phantom = true;
        _trace.Say($"app: a writer dies with {changed.Count} frames behind frame {end.LastFrame}");
    }

    private ReadOnlySpan<byte> Page(byte[] content, int page) =>
        (page + 1) * _pageSize <= content.Length ? content.AsSpan(page * _pageSize, _pageSize) : default;

    private string Statement()
    {
        var at = _random.Next(1, 60);
        return _random.Next(8) switch
        {
            0 => $"DELETE FROM t WHERE id % {_random.Next(2, 9)} = 0",
            1 or 2 => $"UPDATE t SET v = {Blob(_random.Next(_pageSize))}, w = {at} WHERE id BETWEEN {at} AND {at + 3}",
            3 => $"CREATE TABLE x{++_tables}(a); INSERT INTO x{_tables} VALUES(zeroblob({_random.Next(3 * _pageSize)}))",
            4 => $"DROP TABLE IF EXISTS x{_random.Next(1, _tables + 2)}",
            5 => $"INSERT INTO t(v, w) VALUES({Blob(_random.Next(4 * _pageSize))}, 'overflow')",
            _ => $"INSERT INTO t(v, w) VALUES({Blob(_random.Next(200))}, {_random.Next()})",
        };
    }

    /// <summary>A text rather than <c>randomblob</c>, which would differ when the seed is run again.</summary>
    private string Blob(int length)
    {
        var bytes = new byte[length];
        _random.NextBytes(bytes.AsSpan(0, length / 2));
        return $"x'{Convert.ToHexString(bytes)}'";
    }

    private void ToggleLongReader()
    {
        if (_longReader is null)
        {
            _longReader = Connect();
            raw.sqlite3_exec(_longReader, "BEGIN; SELECT count(*) FROM t");
            _trace.Say("app: a reader that stays");
            return;
        }
        _longReader.Dispose();
        _longReader = null;
        _trace.Say("app: the reader has gone");
    }

    private void Connect(string settings)
    {
        int[] thresholds = [0, 10, 1000];
        for (var i = 0; i < _writers.Length; i++)
        {
            _writers[i] = Connect();
            var threshold = thresholds[_random.Next(thresholds.Length)];
            var cache = _random.Next(2) == 0 ? 5 : 200;
            Run(
                _writers[i],
                $"{(i == 0 ? settings : "")}; PRAGMA synchronous=off; PRAGMA cache_size={cache}; PRAGMA wal_autocheckpoint={threshold}"
            );
        }
        _look = Connect();
    }

    private sqlite3 Connect()
    {
        var rc = raw.sqlite3_open(_path, out var db);
        return rc == raw.SQLITE_OK ? db : throw new InvalidOperationException($"the application cannot open its database: {rc}");
    }

    private int Run(sqlite3 db, string sql)
    {
        var rc = raw.sqlite3_exec(db, sql);
        if (rc is not (raw.SQLITE_OK or raw.SQLITE_BUSY or raw.SQLITE_LOCKED or raw.SQLITE_ERROR))
            throw new InvalidOperationException($"the application got {rc} ({raw.sqlite3_errmsg(db).utf8_to_string()}) from {sql}");
        if (rc != raw.SQLITE_OK && raw.sqlite3_get_autocommit(db) == 0)
        {
            raw.sqlite3_exec(db, "ROLLBACK");
            if (_open == db)
                _open = null;
        }
        if (_trace.IsOn)
            _trace.Say($"app: {(sql.Length > 60 ? sql[..60] + sql.Length.ToString(CultureInfo.InvariantCulture) : sql)} -> {rc}");
        return rc;
    }

    private void Close()
    {
        _longReader?.Dispose();
        (_longReader, _open) = (null, null);
        _look.Dispose();
        foreach (var writer in _writers)
            writer.Dispose();
    }

    public void Dispose() => Close();
}
