using Microsoft.Data.Sqlite;

namespace Datasette.Databases;

/// <summary>Prepared statements of one connection: those used last are kept, since the same questions come again and again.</summary>
/// <remarks>Belongs to the thread that uses the connection. SQLite prepares a kept statement anew by itself when the schema changes.</remarks>
internal sealed class StatementCache(SqliteConnection connection) : IDisposable
{
    private const int Most = 48;
    private const int LongestSql = 16 * 1024;
    private readonly Dictionary<string, LinkedListNode<SqlStatement>> _idle = new(StringComparer.Ordinal);
    private readonly LinkedList<SqlStatement> _order = new();

    /// <summary>A statement ready to be bound and run, for this user alone until it is given back or disposed.</summary>
    public SqlStatement Take(string sql)
    {
        if (_idle.Remove(sql, out var node))
        {
            _order.Remove(node);
            return node.Value;
        }

        return SqlStatement.Prepare(connection, sql);
    }

    /// <summary>Takes a statement back that ran without an error.</summary>
    public void Return(SqlStatement statement)
    {
        if (statement.Sql.Length > LongestSql || _idle.ContainsKey(statement.Sql))
        {
            statement.Dispose();
            return;
        }

        // A statement that is not reset would keep its read transaction, and so the WAL, for ever.
        statement.Reset();
        _idle[statement.Sql] = _order.AddFirst(statement);
        if (_order.Count > Most)
        {
            var oldest = _order.Last!.Value;
            _order.RemoveLast();
            _idle.Remove(oldest.Sql);
            oldest.Dispose();
        }
    }

    public void Dispose()
    {
        foreach (var statement in _order)
        {
            statement.Dispose();
        }

        _order.Clear();
        _idle.Clear();
    }
}
