using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Datasette.Databases;

/// <summary>
/// Carries out writes on the one writing connection: several in one transaction, each behind a savepoint and with its own answer, which is
/// given only after the COMMIT.
/// </summary>
/// <remarks>Belongs to the queue's thread. No member throws for a failing write: the write's answer tells.</remarks>
internal sealed class Writer(Func<SqliteConnection> open, Action<bool> committed, DatabaseOptions options) : IDisposable
{
    /// <summary>Once a group has worked this long it commits; the rest is the next group.</summary>
    private static readonly TimeSpan GroupTime = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LockPause = TimeSpan.FromMilliseconds(5);

    private WriterConnection? _connection;

    /// <summary>Carries out what has queued up, in order.</summary>
    public void Run(IReadOnlyList<WriteWork> works)
    {
        for (var i = 0; i < works.Count; )
        {
            if (works[i] is WriterOrder order)
            {
                order.Give(this);
                i++;
            }
            else if (EndOfGroup(works, i) is var end && end > i + 1)
            {
                i = RunGroup(works, i, end);
            }
            else if (!works[i++].IsGivenUp())
            {
                RunAlone(works[i - 1]);
            }
        }
    }

    /// <summary>Applies a setting, if a connection is open; one that opens later takes it by itself.</summary>
    public void Configure(Action<SqliteConnection> apply)
    {
        if (_connection is { } connection)
        {
            apply(connection.Sqlite);
        }
    }

    /// <summary>Lets go of the file; the next write opens a fresh connection.</summary>
    /// <param name="withoutCheckpoint">The file's name belongs to another file now: a close that checkpoints would delete that one's -wal.</param>
    public void Close(bool withoutCheckpoint)
    {
        if (withoutCheckpoint)
        {
            _connection?.ForgetWal();
        }

        _connection?.Dispose();
        _connection = null;
    }

    public void Dispose() => Close(withoutCheckpoint: false);

    private static int EndOfGroup(IReadOnlyList<WriteWork> works, int from)
    {
        var end = from;
        while (end < works.Count && works[end].Turn == WriteTurn.Grouped)
        {
            end++;
        }

        return end;
    }

    /// <returns>Index of the first work that has not run.</returns>
    private int RunGroup(IReadOnlyList<WriteWork> works, int from, int end)
    {
        if (Begin() is { } problem)
        {
            // What keeps one from beginning keeps all: nobody waits for the same lock again.
            for (var i = from; i < end; i++)
            {
                if (!works[i].IsGivenUp())
                {
                    Fail(works[i], problem);
                }
            }

            return end;
        }

        var began = options.Time.GetTimestamp();
        var ran = new List<WriteWork>(end - from);
        var next = from;
        while (next < end && (next == from || options.Time.GetElapsedTime(began) < GroupTime))
        {
            var work = works[next++];
            if (work.IsGivenUp())
            {
                continue;
            }

            var fate = RunInSavepoint(work);
            if (fate == TransactionFate.Open)
            {
                ran.Add(work);
                continue;
            }

            Ended(ran, work, fate);
            return next;
        }

        Commit(ran);
        return next;
    }

    private TransactionFate RunInSavepoint(WriteWork work)
    {
        var connection = _connection!;
        try
        {
            connection.Execute("SAVEPOINT datasette_write");
            RunNow(connection, work);
            if (connection.IsOpenTransaction)
            {
                if (work.Failure is not null)
                {
                    connection.Execute("ROLLBACK TO datasette_write");
                }

                connection.Execute("RELEASE datasette_write");
                return TransactionFate.Open;
            }
        }
        catch (SqliteException e)
        {
            // Not the work: the savepoint itself.
            work.Failure = WriteFailure.Told(e);
        }

        var fate = connection.Fate;
        if (connection.IsOpenTransaction)
        {
            RollBack();
            fate = TransactionFate.RolledBack;
        }

        return fate;
    }

    /// <summary>A work has ended the transaction of all: by ON CONFLICT ROLLBACK or RAISE(ROLLBACK), a full disk, an interrupt, or its own SQL.</summary>
    private void Ended(List<WriteWork> ran, WriteWork culprit, TransactionFate fate)
    {
        if (fate == TransactionFate.RolledBack)
        {
            culprit.Failure ??= new InvalidOperationException("The write's transaction was rolled back while it ran.");
        }

        if (fate == TransactionFate.Committed)
        {
            Notify(true);
        }

        culprit.Answer();
        foreach (var work in ran)
        {
            switch (fate)
            {
                case TransactionFate.RolledBack:
                    // None of it was told to anybody yet; alone, so that the next culprit cannot undo it again.
                    RunAlone(work);
                    break;
                case TransactionFate.Committed:
                    work.Answer();
                    break;
                default:
                    Fail(
                        work,
                        new DatasetteException(500, "Whether the write was stored is not known: another one has ended its transaction.")
                    );
                    break;
            }
        }
    }

    private void Commit(List<WriteWork> ran)
    {
        if (ran.TrueForAll(work => work.Failure is not null))
        {
            RollBack();
            ran.ForEach(work => work.Answer());
            return;
        }

        if (End() is { } problem)
        {
            if (problem is SqliteException { SqliteErrorCode: raw.SQLITE_CONSTRAINT })
            {
                // A deferred constraint is one work's fault: alone, each answers for itself.
                ran.ForEach(RunAlone);
            }
            else
            {
                ran.ForEach(work => Fail(work, work.Failure ?? problem));
            }

            return;
        }

        ran.ForEach(work => work.Answer());
    }

    private void RunAlone(WriteWork work)
    {
        work.Failure = null;
        var isBare = work.Turn == WriteTurn.Bare;
        if ((isBare ? Open() : Begin()) is { } problem)
        {
            Fail(work, problem);
            return;
        }

        var connection = _connection!;
        RunNow(connection, work);
        var hasEnded = !isBare && !connection.IsOpenTransaction;
        if (hasEnded && work.Failure is null && connection.Fate == TransactionFate.RolledBack)
        {
            work.Failure = new InvalidOperationException("The write's transaction was rolled back while it ran.");
        }

        if (work.Failure is not null)
        {
            RollBack();
        }
        else if (End() is { } atCommit)
        {
            work.Failure = atCommit;
        }

        if (isBare)
        {
            connection.Watch();
        }

        work.Answer();
    }

    private void RunNow(WriterConnection connection, WriteWork work)
    {
        try
        {
            connection.Limit(work.TimeLimit);
            work.Run(connection.Sqlite);
        }
        catch (SqliteException e) when (e.SqliteErrorCode == raw.SQLITE_INTERRUPT && connection.IsPastLimit)
        {
            var limit = work.TimeLimit!.Value.TotalMilliseconds;
            work.Failure = new DatasetteException(400, $"The write took longer than {limit:0} ms; nothing of it was stored.", e);
        }
        catch (Exception e)
        {
            work.Failure = WriteFailure.Told(e);
        }
        finally
        {
            connection.Limit(null);
        }
    }

    /// <returns>What went wrong; null when all is well.</returns>
    private Exception? Open()
    {
        try
        {
            _connection ??= new WriterConnection(open(), options.Time);
            _connection.Remember();
            return null;
        }
        catch (Exception e)
        {
            return WriteFailure.Told(e);
        }
    }

    private Exception? Begin()
    {
        try
        {
            _connection ??= new WriterConnection(open(), options.Time);
            Patiently("BEGIN IMMEDIATE");
            _connection.Remember();
            return null;
        }
        catch (Exception e)
        {
            RollBack();
            return WriteFailure.Told(e);
        }
    }

    private Exception? End()
    {
        var connection = _connection!;
        try
        {
            var news = connection.News();
            if (connection.IsOpenTransaction)
            {
                Patiently("COMMIT");
            }

            if (news is not WriterNews.None)
            {
                Notify(news == WriterNews.Schema);
            }

            return null;
        }
        catch (SqliteException e)
        {
            RollBack();
            return WriteFailure.Told(e);
        }
    }

    private void Notify(bool isSchema)
    {
        try
        {
            committed(isSchema);
        }
        catch (Exception)
        {
            // It is stored; a listener that fails must not make it look otherwise.
        }
    }

    private void Patiently(string sql)
    {
        var began = options.Time.GetTimestamp();
        while (true)
        {
            try
            {
                _connection!.Execute(sql);
                return;
            }
            catch (SqliteException e)
                when (e.SqliteErrorCode is raw.SQLITE_BUSY or raw.SQLITE_LOCKED
                    && options.Time.GetElapsedTime(began) < options.WriteLockTimeout
                )
            {
                // SQLite's own waiting comes first; where it sees that waiting is of no use it answers at once.
                _connection!.Wait(LockPause);
            }
        }
    }

    private void RollBack()
    {
        try
        {
            if (_connection is { IsOpenTransaction: true } connection)
            {
                connection.Execute("ROLLBACK");
            }
        }
        catch (SqliteException)
        {
            // The connection cannot be trusted any more; the next write opens a fresh one. The caller gets the first failure.
            _connection?.Dispose();
            _connection = null;
        }
    }

    private static void Fail(WriteWork work, Exception failure)
    {
        // Each gets a failure of its own: one object thrown in many places grows with each.
        work.Failure = failure switch
        {
            SqliteException e => new SqliteException(SqlErrors.Message(e), e.SqliteErrorCode, e.SqliteExtendedErrorCode),
            DatasetteException e => new DatasetteException(e.Status, e.Errors) { RetryAfter = e.RetryAfter },
            _ => failure,
        };
        work.Answer();
    }
}

/// <summary>Something that the writer is told in turn.</summary>
internal sealed class WriterOrder(Action<Writer> give) : WriteWork(new WriteOptions(WriteTurn.Control), CancellationToken.None)
{
    public void Give(Writer writer) => give(writer);

    public override void Run(SqliteConnection connection) => throw new NotSupportedException();

    public override void Answer() { }

    protected override void Cancel(CancellationToken ct) { }
}
