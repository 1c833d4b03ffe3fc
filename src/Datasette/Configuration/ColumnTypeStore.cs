using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Datasette.Databases;

namespace Datasette.Configuration;

/// <summary>A type that somebody gave to a column, beyond what SQLite knows.</summary>
/// <param name="Type">Its name, such as <c>url</c>.</param>
/// <param name="Config">What it was told in addition; null when nothing.</param>
internal sealed record ColumnType(string Type, JsonNode? Config);

/// <summary>The types of columns: those of the configuration and those set while running. In the internal database; safe on any thread.</summary>
internal sealed class ColumnTypeStore(InternalDatabase catalog)
{
    private readonly ConcurrentDictionary<(string Database, string Table, string Column), ColumnType> known = new();

    /// <summary>Whether there is none at all.</summary>
    public bool IsEmpty => known.IsEmpty;

    /// <summary>The type of a column; null for most.</summary>
    public ColumnType? Find(string database, string table, string column) => known.GetValueOrDefault((database, table, column));

    /// <summary>Reads what the internal database has kept and writes over it what the configuration says.</summary>
    public async Task LoadAsync(
        IEnumerable<(string Database, string Table, string Column, ColumnType Type)> configured,
        CancellationToken ct
    )
    {
        var rows = (await catalog.Database.ExecuteAsync("select * from column_types", ct: ct)).Rows;
        foreach (var row in rows)
        {
            var config = row[4] is string json ? JsonNode.Parse(json) : null;
            known[((string)row[0]!, (string)row[1]!, (string)row[2]!)] = new((string)row[3]!, config);
        }
        foreach (var (database, table, column, type) in configured)
        {
            await SetAsync(database, table, column, type, ct);
        }
    }

    /// <summary>Gives a column a type, or takes it away.</summary>
    public async Task SetAsync(string database, string table, string column, ColumnType? type, CancellationToken ct)
    {
        var values = new Dictionary<string, object?>
        {
            ["database"] = database,
            ["table"] = table,
            ["column"] = column,
            ["type"] = type?.Type,
            ["config"] = type?.Config?.ToJsonString(),
        };
        await catalog.Database.WriteAsync(
            connection =>
                type is null
                    ? SqlStatement.Execute(
                        connection,
                        "delete from column_types where database_name = :database and resource_name = :table and column_name = :column",
                        values
                    )
                    : SqlStatement.Execute(
                        connection,
                        "insert or replace into column_types values (:database, :table, :column, :type, :config)",
                        values
                    ),
            ct
        );
        if (type is null)
        {
            known.TryRemove((database, table, column), out _);
        }
        else
        {
            known[(database, table, column)] = type;
        }
    }
}
