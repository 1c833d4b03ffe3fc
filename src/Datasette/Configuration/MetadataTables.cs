using System.Text.Json.Nodes;
using Datasette.Databases;
using Microsoft.Data.Sqlite;

namespace Datasette.Configuration;

/// <summary>Puts the metadata into the internal database, where plugins and permission SQL can ask for it (C079).</summary>
internal static class MetadataTables
{
    /// <summary>What the metadata says goes over what is there; what others wrote there stays.</summary>
    public static Task<int> FillAsync(InternalDatabase catalog, DatasetteConfig config, CancellationToken ct) =>
        catalog.Database.WriteAsync(connection => Fill(connection, config.Metadata), ct);

    private static int Fill(SqliteConnection connection, JsonObject metadata)
    {
        var count = 0;
        foreach (var (key, value) in Plain(metadata, "databases"))
        {
            count += Insert(connection, "metadata_instance", key, value);
        }

        foreach (var (database, block) in metadata["databases"] as JsonObject ?? [])
        {
            count += FillDatabase(connection, database, block as JsonObject ?? []);
        }

        return count;
    }

    private static int FillDatabase(SqliteConnection connection, string database, JsonObject block)
    {
        var count = 0;
        foreach (var (key, value) in Plain(block, "tables", "queries"))
        {
            count += Insert(connection, "metadata_databases", database, key, value);
        }

        foreach (var (table, node) in block["tables"] as JsonObject ?? [])
        {
            var described = node as JsonObject ?? [];
            foreach (var (key, value) in Plain(described, "columns"))
            {
                count += Insert(connection, "metadata_resources", database, table, key, value);
            }

            foreach (var (column, value) in Plain(described["columns"] as JsonObject ?? []))
            {
                count += Insert(connection, "metadata_columns", database, table, column, "description", value);
            }
        }

        return count;
    }

    private static IEnumerable<(string Key, string Value)> Plain(JsonObject block, params string[] nested) =>
        block.Where(pair => !nested.Contains(pair.Key) && pair.Value is not null).Select(pair => (pair.Key, Text(pair.Value!)));

    private static string Text(JsonNode value) =>
        value is JsonValue scalar && scalar.TryGetValue<string>(out var text) ? text : value.ToJsonString();

    private static int Insert(SqliteConnection connection, string table, params string[] values)
    {
        var marks = string.Join(", ", values.Select((_, i) => $":p{i}"));
        var parameters = values.Select((value, i) => KeyValuePair.Create($"p{i}", (object?)value)).ToDictionary();
        return SqlStatement.Execute(connection, $"insert or replace into {table} values ({marks})", parameters);
    }
}
