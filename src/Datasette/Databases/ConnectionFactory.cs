using System.Globalization;
using Datasette.Text;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Datasette.Databases;

/// <summary>Where the rows of a database are.</summary>
internal enum DatabaseKind
{
    /// <summary>A file.</summary>
    File,

    /// <summary>Memory of one connection: every connection sees its own empty database.</summary>
    PrivateMemory,

    /// <summary>Memory that all connections of this process share.</summary>
    SharedMemory,
}

/// <summary>Opens connections of one database, each with the same duties: no surprises from the schema, stock SQLite's dialect.</summary>
internal sealed class ConnectionFactory(string name, DatabaseKind kind, string location, DatabaseOptions options)
{
    private const int DbConfigForeignKeys = 1002;
    private const int DbConfigDefensive = 1010;
    private const int DbConfigDqsDml = 1013;
    private const int DbConfigDqsDdl = 1014;
    private const int DbConfigTrustedSchema = 1017;

    static ConnectionFactory()
    {
        NativeSqlite.BindNow();
        Batteries_V2.Init();
        ReaderLimits.LimitHeap();
    }

    /// <summary>Statements that run on every new reader, such as ATTACH. Set before the first one opens.</summary>
    public IReadOnlyList<string> ReaderSetup { get; set; } = [];

    /// <summary>Opens a connection that can not write.</summary>
    public SqliteConnection OpenReader() => Open(SqliteOpenMode.ReadOnly);

    /// <summary>Opens a connection that writes.</summary>
    /// <param name="create">Makes the file if it is missing.</param>
    public SqliteConnection OpenWriter(bool create) => Open(create ? SqliteOpenMode.ReadWriteCreate : SqliteOpenMode.ReadWrite);

    private SqliteConnection Open(SqliteOpenMode mode)
    {
        var connection = new SqliteConnection(ConnectionString(mode));
        try
        {
            connection.Open();
            Configure(connection, mode == SqliteOpenMode.ReadOnly);
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private string ConnectionString(SqliteOpenMode mode)
    {
        var source = kind switch
        {
            // As a URI, so that ATTACH understands URIs too.
            DatabaseKind.PrivateMemory => "file::memory:",
            DatabaseKind.SharedMemory => "file:/" + TildeEncoding.Encode(location) + "?vfs=memdb",
            _ when !options.IsMutable => FileUri(location, "immutable=1"),
            _ when mode == SqliteOpenMode.ReadOnly && options.NoLock => FileUri(location, "nolock=1"),
            _ => location,
        };
        return new SqliteConnectionStringBuilder
        {
            DataSource = source,
            // Memory has no read-only mode; query_only guards it.
            Mode = kind == DatabaseKind.File ? mode : SqliteOpenMode.ReadWriteCreate,
            Pooling = false,
            ForeignKeys = false,
            DefaultTimeout = (int)Math.Ceiling(options.BusyTimeout.TotalSeconds),
        }.ToString();
    }

    /// <summary>A file as SQLite's URI for reading, for ATTACH.</summary>
    public static string ReadOnlyUri(string path, bool isMutable) => FileUri(path, isMutable ? "mode=ro" : "immutable=1");

    private static string FileUri(string path, string query)
    {
        return "file://" + string.Join('/', path.Split(Path.DirectorySeparatorChar).Select(Uri.EscapeDataString)) + "?" + query;
    }

    private void Configure(SqliteConnection connection, bool isReader)
    {
        var db = connection.Handle!;
        _ = raw.sqlite3_extended_result_codes(db, 1);
        _ = raw.sqlite3_busy_timeout(db, (int)options.BusyTimeout.TotalMilliseconds);
        _ = raw.sqlite3_db_config(db, DbConfigForeignKeys, 0, out _);
        _ = raw.sqlite3_db_config(db, DbConfigDqsDml, 1, out _);
        _ = raw.sqlite3_db_config(db, DbConfigDqsDdl, 1, out _);
        _ = raw.sqlite3_db_config(db, DbConfigDefensive, 1, out _);
        connection.CreateFunction("escape_fts", (string? text) => text is null ? null : SqlText.EscapeFts(text), isDeterministic: true);
        BoundedFunctions.Register(db);
        LoadExtensions(connection);
        options.PrepareConnection?.Invoke(connection, name);
        if (options.CacheSizeKb > 0)
        {
            SqlStatement.Execute(connection, "PRAGMA cache_size=-" + options.CacheSizeKb.ToString(CultureInfo.InvariantCulture));
        }

        if (!isReader)
        {
            return;
        }

        foreach (var statement in ReaderSetup)
        {
            SqlStatement.Execute(connection, statement);
        }

        ReaderLimits.Apply(db, options.MaxResultBytes, ReaderSetup.Count > 0);
        // After the hooks: what a hook sets up may need to write to a memory database, what a visitor runs may not.
        // Who loads an extension wants its functions in views, too.
        _ = raw.sqlite3_db_config(db, DbConfigTrustedSchema, options.Extensions.Count > 0 ? 1 : 0, out _);
        SqlStatement.Execute(connection, "PRAGMA query_only=1");
    }

    private void LoadExtensions(SqliteConnection connection)
    {
        if (options.Extensions.Count == 0)
        {
            return;
        }

        connection.EnableExtensions(true);
        foreach (var (path, entryPoint) in options.Extensions)
        {
            connection.LoadExtension(path, entryPoint);
        }

        connection.EnableExtensions(false);
    }
}
