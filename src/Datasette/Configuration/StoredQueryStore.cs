using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Datasette.Databases;
using Microsoft.Data.Sqlite;

namespace Datasette.Configuration;

/// <summary>All stored queries: rows of the internal database, kept at hand in memory. One per host; safe on any thread.</summary>
internal sealed class StoredQueryStore(InternalDatabase catalog)
{
    private const string Columns =
        "database_name, name, sql, title, description, description_html, options, parameters, is_write, is_private, is_trusted, source, owner_id";

    private readonly ConcurrentDictionary<(string Database, string Name), StoredQuery> known = new();

    public bool IsEmpty => known.IsEmpty;

    public StoredQuery? Find(string database, string name) => known.GetValueOrDefault((database, name));

    /// <summary>The queries of the configuration replace those of the last start, and plugins give theirs again; the ones of users stay.</summary>
    public async Task LoadAsync(IReadOnlyList<StoredQuery> configured, CancellationToken ct)
    {
        var rows = await catalog.Database.WriteAsync(
            connection =>
            {
                SqlStatement.Execute(connection, "delete from queries where source in ('config', 'plugin')");
                foreach (var query in configured)
                {
                    Write(connection, query);
                }
                return SqlStatement.Query(connection, $"select {Columns} from queries");
            },
            ct
        );
        known.Clear();
        foreach (var row in rows)
        {
            var query = OfRow(row);
            known[(query.Database, query.Name)] = query;
        }
    }

    /// <summary>Adds a query or replaces the one of this name.</summary>
    public async Task SaveAsync(StoredQuery query, CancellationToken ct)
    {
        await catalog.Database.WriteAsync(connection => Write(connection, query), ct);
        known[(query.Database, query.Name)] = query;
    }

    public async Task DeleteAsync(StoredQuery query, CancellationToken ct)
    {
        await catalog.Database.WriteAsync(
            connection =>
                SqlStatement.Execute(
                    connection,
                    "delete from queries where database_name = :database and name = :name",
                    new Dictionary<string, object?> { ["database"] = query.Database, ["name"] = query.Name }
                ),
            ct
        );
        known.TryRemove((query.Database, query.Name), out _);
    }

    private static int Write(SqliteConnection connection, StoredQuery query)
    {
        var values = new Dictionary<string, object?>
        {
            ["database_name"] = query.Database,
            ["name"] = query.Name,
            ["sql"] = query.Sql,
            ["title"] = query.Title,
            ["description"] = query.Description,
            ["description_html"] = query.DescriptionHtml,
            ["options"] = query.Options.ToJsonString(),
            ["parameters"] = new JsonArray(query.Parameters.Select(name => (JsonNode)name).ToArray()).ToJsonString(),
            ["is_write"] = query.IsWrite,
            ["is_private"] = query.IsPrivate,
            ["is_trusted"] = query.IsTrusted,
            ["source"] = query.Source,
            ["owner_id"] = query.OwnerId,
        };
        var marks = ":" + Columns.Replace(", ", ", :", StringComparison.Ordinal);
        return SqlStatement.Execute(connection, $"insert or replace into queries ({Columns}) values ({marks})", values);
    }

    private static StoredQuery OfRow(object?[] row) =>
        new()
        {
            Database = (string)row[0]!,
            Name = (string)row[1]!,
            Sql = (string)row[2]!,
            Title = row[3] as string,
            Description = row[4] as string,
            DescriptionHtml = row[5] as string,
            Options = JsonNode.Parse((string)row[6]!) as JsonObject ?? [],
            Parameters = (JsonNode.Parse((string)row[7]!) as JsonArray)?.Select(node => node?.ToString() ?? "").ToList() ?? [],
            IsWrite = row[8] is 1L,
            IsPrivate = row[9] is 1L,
            IsTrusted = row[10] is 1L,
            Source = (string)row[11]!,
            OwnerId = row[12] as string,
        };
}
