using Datasette.Text;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Datasette.Databases;

/// <summary>Holds a visitor's statement on the writing connection to what was analysed and allowed; the writer itself holds it to its time.</summary>
/// <remarks>
/// Between the analysis and the statement's turn the schema may have changed: a table may have become a view, or got a trigger. What the
/// statement wants then is asked again, by SQLite itself, and refused where it is more than before. Used once, on the writer's thread.
/// </remarks>
/// <param name="analysis">What the statement was found to do, all of it allowed.</param>
/// <param name="readable">Names of what the visitor may view, in any case; null when the statement makes no view.</param>
internal sealed class WriteGuard(SqlAnalysis analysis, IReadOnlySet<string>? readable)
{
    // What virtual tables ask of their own database while they run.
    private static readonly string[] s_questions = ["data_version", "page_size"];

    private readonly HashSet<string> _touched = analysis.All.Select(a => a.Table ?? "").ToHashSet(StringComparer.OrdinalIgnoreCase);
    private readonly bool _changesSchema = analysis.All.Any(a => a.Operation is "create" or "drop" or "alter");
    private HashSet<string> _shadows = [];

    /// <summary>Runs work under guard.</summary>
    /// <param name="connection">The writing connection, inside a transaction.</param>
    /// <param name="work">Runs the statement that was analysed.</param>
    /// <exception cref="DatasetteException">403 for a view of what the visitor may not view.</exception>
    public T Run<T>(SqliteConnection connection, Func<T> work)
    {
        var db = connection.Handle!;
        _shadows = SqlStatement
            .Query(connection, "select name from pragma_table_list where schema = 'main' and type = 'shadow'")
            .Select(row => (string)row[0]!)
            .ToHashSet(StringComparer.OrdinalIgnoreCase);
        strdelegate_authorizer authorize = Decide;
        var length = ReaderLimits.SetLength(db, ReaderLimits.VisitorValueBytes);
        _ = raw.sqlite3_set_authorizer(db, authorize, null);
        try
        {
            var result = work();
            _ = raw.sqlite3_set_authorizer(db, (strdelegate_authorizer?)null, null);
            EnsureViews(connection);
            return result;
        }
        finally
        {
            _ = raw.sqlite3_set_authorizer(db, (strdelegate_authorizer?)null, null);
            _ = ReaderLimits.SetLength(db, length);
            GC.KeepAlive(authorize);
        }
    }

    private int Decide(object? state, int action, string? first, string? second, string? database, string? source)
    {
        if (action == raw.SQLITE_FUNCTION)
        {
            return ReadAuthorizer.IsDangerous(second) ? raw.SQLITE_DENY : raw.SQLITE_OK;
        }

        if (action == raw.SQLITE_PRAGMA)
        {
            return second is null && s_questions.Contains(first) || _touched.Contains("pragma_" + first) ? raw.SQLITE_OK : raw.SQLITE_DENY;
        }

        return SqlAnalyzer.AccessOf(action, first, second, database ?? "main", source) is not { } access || IsExpected(access)
            ? raw.SQLITE_OK
            : raw.SQLITE_DENY;
    }

    private bool IsExpected(SqlAccess access) =>
        analysis.All.Contains(access)
        // A virtual table keeps its rows in tables of its own; whose they are was asked for the virtual table.
        || _shadows.Contains(access.Table ?? "")
        || access.IsRead && _touched.Contains(access.Table ?? "")
        || (_changesSchema && access.Table is "sqlite_master" or "sqlite_sequence" or "sqlite_stat1" or "sqlite_stat4");

    // SQLite looks into a view when it is used, not when it is made: so this looks.
    private void EnsureViews(SqliteConnection connection)
    {
        foreach (var view in analysis.Accesses.Where(a => a is { Operation: "create", Kind: "view" }))
        {
            var found = SqlAnalyzer.Analyze(connection, $"select * from {SqlText.Quote(view.Table!)}");
            var known = SqlStatement.Query(connection, "select name from sqlite_master where type in ('table', 'view')");
            var names = known.Select(row => (string)row[0]!).ToHashSet(StringComparer.OrdinalIgnoreCase);
            var hidden = found
                .All.Select(a => a.Table ?? "")
                .Where(table => !table.Equals(view.Table, StringComparison.OrdinalIgnoreCase))
                // What is no table of the database is a function that gives rows, such as json_each.
                .FirstOrDefault(table => (names.Contains(table) || SqlAnalyzer.IsAboutAll(table)) && readable?.Contains(table) != true);
            if (hidden is not null)
            {
                throw new DatasetteException(403, $"Permission denied: need view-table on {hidden}");
            }

            if (found.Functions.FirstOrDefault(ReadAuthorizer.IsDangerous) is { } function)
            {
                throw new DatasetteException(403, $"Unsupported SQL function: {function}");
            }
        }
    }
}
