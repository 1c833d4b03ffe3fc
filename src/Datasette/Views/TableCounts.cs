using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Datasette.Databases;
using Datasette.Text;

namespace Datasette.Views;

/// <summary>How many rows a table has: from the inspect file or once for ever if the database is immutable, else counted up to a limit.</summary>
internal static class TableCounts
{
    private static readonly System.Runtime.CompilerServices.ConditionalWeakTable<Database, ConcurrentDictionary<string, long>> Known = [];
    private static readonly TimeSpan FullCountLimit = TimeSpan.FromMinutes(10);

    /// <summary>The count, at most <paramref name="limit"/> for a mutable database; null when the time ran out or the table cannot be read.</summary>
    public static async Task<long?> OfAsync(
        DatasetteApp app,
        Database database,
        string table,
        long limit,
        TimeSpan timeLimit,
        CancellationToken ct
    )
    {
        try
        {
            return await FindAsync(app, database, table, limit, timeLimit, ct);
        }
        catch (Microsoft.Data.Sqlite.SqliteException)
        {
            // A table without its module, or damaged: what else is on the page is still true.
            return null;
        }
    }

    private static async Task<long?> FindAsync(
        DatasetteApp app,
        Database database,
        string table,
        long limit,
        TimeSpan timeLimit,
        CancellationToken ct
    )
    {
        var from = "from " + SqlText.Quote(table);
        if (database.IsMutable)
        {
            return await database.CountAsync(from, null, limit, timeLimit, ct);
        }
        if (
            app.Options.InspectData?[database.Name]?["tables"]?[table]?["count"] is JsonValue count
            && count.TryGetValue<long>(out var inspected)
        )
        {
            return inspected;
        }
        var known = Known.GetOrCreateValue(database);
        if (known.TryGetValue(table, out var exact))
        {
            return exact;
        }
        var counted = await database.CountAsync(from, null, null, FullCountLimit, ct);
        if (counted is { } number)
        {
            known[table] = number;
        }
        return counted;
    }

    /// <summary>Counts every table of the immutable databases, so that no visitor waits for it.</summary>
    public static async Task WarmAsync(DatasetteApp app, CancellationToken ct)
    {
        foreach (var database in app.Databases.Where(database => !database.IsMutable))
        {
            foreach (var table in (await database.KnownSchemaAsync(ct)).Tables)
            {
                await OfAsync(app, database, table.Name, 0, FullCountLimit, ct);
            }
        }
    }
}
