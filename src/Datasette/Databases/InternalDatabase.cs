using Microsoft.Data.Sqlite;

namespace Datasette.Databases;

/// <summary>The host's own database: a catalogue of what is attached, metadata, stored queries. Permission SQL runs here.</summary>
/// <remarks>
/// In shared memory unless a file was given. The catalogue is rebuilt where a schema changed; the other tables stay, so that they survive
/// a restart in a file. Safe on any thread.
/// </remarks>
public sealed class InternalDatabase : IAsyncDisposable
{
    private const string Tables = """
        CREATE TABLE IF NOT EXISTS catalog_databases (database_name TEXT PRIMARY KEY, path TEXT, is_memory INTEGER, schema_version INTEGER);
        CREATE TABLE IF NOT EXISTS catalog_tables (database_name TEXT, table_name TEXT, rootpage INTEGER, sql TEXT, PRIMARY KEY (database_name, table_name));
        CREATE TABLE IF NOT EXISTS catalog_views (database_name TEXT, view_name TEXT, rootpage INTEGER, sql TEXT, PRIMARY KEY (database_name, view_name));
        CREATE TABLE IF NOT EXISTS queries (
          database_name TEXT NOT NULL, name TEXT NOT NULL, sql TEXT NOT NULL, title TEXT, description TEXT, description_html TEXT,
          options TEXT NOT NULL DEFAULT '{}', parameters TEXT NOT NULL DEFAULT '[]', is_write INTEGER NOT NULL DEFAULT 0,
          is_private INTEGER NOT NULL DEFAULT 0, is_trusted INTEGER NOT NULL DEFAULT 0, source TEXT NOT NULL DEFAULT 'user', owner_id TEXT,
          PRIMARY KEY (database_name, name));
        CREATE TABLE IF NOT EXISTS metadata_instance (key TEXT PRIMARY KEY, value TEXT);
        CREATE TABLE IF NOT EXISTS metadata_databases (database_name TEXT, key TEXT, value TEXT, PRIMARY KEY (database_name, key));
        CREATE TABLE IF NOT EXISTS metadata_resources (
          database_name TEXT, resource_name TEXT, key TEXT, value TEXT, PRIMARY KEY (database_name, resource_name, key));
        CREATE TABLE IF NOT EXISTS metadata_columns (
          database_name TEXT, resource_name TEXT, column_name TEXT, key TEXT, value TEXT,
          PRIMARY KEY (database_name, resource_name, column_name, key));
        CREATE TABLE IF NOT EXISTS column_types (
          database_name TEXT, resource_name TEXT, column_name TEXT, column_type TEXT, config TEXT,
          PRIMARY KEY (database_name, resource_name, column_name));
        """;

    private readonly Dictionary<string, DatabaseSchema> _known = new(StringComparer.Ordinal);
    private static readonly TimeSpan s_refreshEvery = TimeSpan.FromSeconds(1);
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _refreshGate = new(1, 1);

    private long _refreshedAt;

    private InternalDatabase(Database database, TimeProvider time)
    {
        Database = database;
        _time = time;
    }

    /// <summary>The database itself; it is not one of the attached ones.</summary>
    public Database Database { get; }

    /// <summary>Opens it and makes its tables.</summary>
    /// <param name="path">File of <c>--internal</c>, made when missing; null = memory.</param>
    /// <param name="options">Extensions and hooks are left out: they concern attached databases only.</param>
    /// <param name="ct">Stops it.</param>
    /// <exception cref="StartupException">The file cannot be used.</exception>
    public static async Task<InternalDatabase> OpenAsync(string? path, DatabaseOptions? options = null, CancellationToken ct = default)
    {
        options = (options ?? new DatabaseOptions()) with
        {
            IsMutable = true,
            NoLock = false,
            Extensions = [],
            PrepareConnection = null,
            TimeLimit = TimeSpan.FromSeconds(30),
        };
        var database = path is null
            ? Database.SharedMemory(Database.InternalName, options)
            : Database.File(Database.InternalName, path, options);
        try
        {
            if (path is not null && !File.Exists(path))
            {
                database.Create();
            }

            await database.WriteAsync(c => ExecuteAll(c, Tables), ct);
            await database.WriteAsync(c => SqlStatement.Execute(c, "delete from catalog_databases") + ClearTables(c), ct);
            return new InternalDatabase(database, options.Time);
        }
        catch (Exception e) when (e is SqliteException or DatasetteException)
        {
            await database.DisposeAsync();
            var why = e is SqliteException sql ? SqlErrors.Message(sql) : e.Message.TrimEnd('.');
            throw new StartupException($"Cannot use {path} as internal database: {why}.", innerException: e);
        }
    }

    /// <summary>Opens it with default options.</summary>
    /// <param name="path">File of <c>--internal</c>, made when missing; null = memory.</param>
    /// <param name="ct">Stops it.</param>
    public static Task<InternalDatabase> OpenAsync(string? path, CancellationToken ct) => OpenAsync(path, null, ct);

    /// <summary>Answers a question about permissions or the catalogue.</summary>
    /// <param name="sql">One SELECT.</param>
    /// <param name="parameters">Values by name without colon.</param>
    /// <param name="ct">Stops it.</param>
    public async Task<IReadOnlyList<object?[]>> AskAsync(
        string sql,
        IReadOnlyDictionary<string, object?>? parameters,
        CancellationToken ct = default
    ) => (await Database.ExecuteAsync(sql, parameters, ct: ct)).Rows;

    /// <summary>Brings the catalogue up to what is attached now; cheap when nothing changed.</summary>
    /// <param name="databases">The attached databases.</param>
    /// <param name="ct">Stops it.</param>
    public async Task RefreshAsync(IReadOnlyCollection<Database> databases, CancellationToken ct = default)
    {
        if (IsRecent(databases))
        {
            return;
        }

        var lookedAt = _time.GetTimestamp();
        var current = new List<(Database Database, DatabaseSchema Schema)>();
        foreach (var database in databases)
        {
            current.Add((database, await database.KnownSchemaAsync(ct)));
        }

        if (IsCurrent(current))
        {
            Volatile.Write(ref _refreshedAt, lookedAt);
            return;
        }

        await _refreshGate.WaitAsync(ct);
        try
        {
            if (!IsCurrent(current))
            {
                await Database.WriteAsync(c => Write(c, current), ct);
                Remember(current);
                Volatile.Write(ref _refreshedAt, lookedAt);
            }
        }
        finally
        {
            _refreshGate.Release();
        }
    }

    /// <summary>A database's schema as the catalogue has it now; null when it is not in it.</summary>
    public DatabaseSchema? SchemaOf(string database)
    {
        lock (_known)
        {
            return _known.GetValueOrDefault(database);
        }
    }

    // Looked at once a second, like the files; a database that was attached or taken away is seen at once.
    private bool IsRecent(IReadOnlyCollection<Database> databases)
    {
        lock (_known)
        {
            return _refreshedAt != 0
                && _time.GetElapsedTime(_refreshedAt) < s_refreshEvery
                && _known.Count == databases.Count
                && databases.All(d => _known.ContainsKey(d.Name));
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => Database.DisposeAsync();

    private bool IsCurrent(List<(Database Database, DatabaseSchema Schema)> current)
    {
        lock (_known)
        {
            return _known.Count == current.Count && current.All(c => ReferenceEquals(_known.GetValueOrDefault(c.Database.Name), c.Schema));
        }
    }

    private void Remember(List<(Database Database, DatabaseSchema Schema)> current)
    {
        lock (_known)
        {
            _known.Clear();
            foreach (var (database, schema) in current)
            {
                _known[database.Name] = schema;
            }
        }
    }

    private int Write(SqliteConnection connection, List<(Database Database, DatabaseSchema Schema)> current)
    {
        SqlStatement.Execute(connection, "delete from catalog_databases");
        ClearTables(connection);
        foreach (var (database, schema) in current)
        {
            SqlStatement.Execute(
                connection,
                "insert into catalog_databases values (:name, :path, :memory, :version)",
                Values(("name", database.Name), ("path", database.Path), ("memory", database.IsMemory), ("version", schema.Version))
            );
            foreach (var table in schema.Tables)
            {
                Insert(connection, "catalog_tables", database.Name, table.Name, table.Sql);
            }

            foreach (var view in schema.Views)
            {
                Insert(connection, "catalog_views", database.Name, view.Name, view.Sql);
            }
        }

        return current.Count;
    }

    private static void Insert(SqliteConnection connection, string catalog, string database, string name, string sql)
    {
        SqlStatement.Execute(
            connection,
            $"insert into {catalog} values (:database, :name, null, :sql)",
            Values(("database", database), ("name", name), ("sql", sql))
        );
    }

    private static int ClearTables(SqliteConnection connection) =>
        SqlStatement.Execute(connection, "delete from catalog_tables") + SqlStatement.Execute(connection, "delete from catalog_views");

    private static Dictionary<string, object?> Values(params (string Name, object? Value)[] values) =>
        values.ToDictionary(v => v.Name, v => v.Value);

    private static int ExecuteAll(SqliteConnection connection, string sql)
    {
        var count = 0;
        foreach (var statement in sql.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            count += SqlStatement.Execute(connection, statement);
        }

        return count;
    }
}
