using System.Collections;
using System.Globalization;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Datasette.Databases;

/// <summary>All attached databases by name, in the order they were attached.</summary>
/// <remarks>Reading is safe on any thread and sees one moment; changes are serialized. Owns its databases.</remarks>
public sealed class DatabaseCollection : IReadOnlyCollection<Database>, IAsyncDisposable
{
    private readonly Lock _gate = new();
    private volatile Database[] _databases = [];

    /// <summary>Raised after a database was added, on the thread that added it.</summary>
    public event Action<Database>? DatabaseAdded;

    /// <summary>Raised after a database was taken out and before it is closed, on the thread that removed it.</summary>
    public event Action<Database>? DatabaseRemoved;

    /// <inheritdoc/>
    public int Count => _databases.Length;

    /// <summary>The database of this name (exact case); null when there is none.</summary>
    public Database? this[string name] => Array.Find(_databases, d => d.Name == name);

    /// <summary>Whether an existing file is, or may be, a live database, so that nobody but SQLite may open it: closing it would drop SQLite's locks.</summary>
    /// <param name="path">Its path, under whatever name; it is not opened.</param>
    public bool MayBeLive(string path) => LiveFiles.MayBe(path, _databases.Select(d => d.Path).OfType<string>());

    /// <summary>Attaches a file under its stem, or the stem with <c>_2</c>, <c>_3</c> and so on when that name is taken.</summary>
    /// <param name="path">Path as given.</param>
    /// <param name="options">How to open it.</param>
    /// <param name="create">Makes a valid empty database when the file is missing.</param>
    /// <exception cref="StartupException">Missing, a directory, given twice, or no database.</exception>
    public Database AddFile(string path, DatabaseOptions options, bool create = false)
    {
        var full = Path.GetFullPath(path);
        CheckPath(path, full, create);
        // By device and inode: a hard link has another name, and an immutable database is opened to be hashed, which would drop the locks of its twin.
        var twin = _databases.FirstOrDefault(d => d.Path is not null && FileIdentity.IsSame(d.Path, full));
        if (twin is not null)
        {
            throw new StartupException($"Duplicate database file: '{path}' and '{twin.GivenPath}' both refer to {RealPath(full)}");
        }

        var isMissing = !System.IO.File.Exists(full);
        return Add(
            Path.GetFileNameWithoutExtension(full),
            name =>
            {
                var database = Database.File(name, path, options);
                if (isMissing)
                {
                    CreateFile(database, path);
                }

                return database;
            }
        );
    }

    /// <summary>Attaches a memory database whose connections see nothing of one another.</summary>
    /// <param name="options">How to open it.</param>
    /// <param name="name">Wished name, default <c>_memory</c>.</param>
    public Database AddMemory(DatabaseOptions options, string name = "_memory") => Add(name, free => Database.PrivateMemory(free, options));

    /// <summary>Attaches a database that <paramref name="make"/> makes for a free name.</summary>
    /// <param name="wishedName">The name if it is free.</param>
    /// <param name="make">Makes the database under the name given to it.</param>
    public Database Add(string wishedName, Func<string, Database> make)
    {
        Database database;
        lock (_gate)
        {
            database = make(FreeName(wishedName));
            _databases = [.. _databases, database];
        }

        DatabaseAdded?.Invoke(database);
        return database;
    }

    /// <summary>The name itself, or with <c>_2</c>, <c>_3</c> and so on behind it when that is taken.</summary>
    internal string FreeName(string wishedName)
    {
        var name = wishedName;
        for (var i = 2; this[name] is not null; i++)
        {
            name = wishedName + "_" + i.ToString(CultureInfo.InvariantCulture);
        }

        return name;
    }

    /// <summary>Takes a database out and closes it.</summary>
    /// <returns>False when there is none of this name.</returns>
    public async Task<bool> RemoveAsync(string name)
    {
        Database? database;
        lock (_gate)
        {
            database = this[name];
            if (database is null)
            {
                return false;
            }

            _databases = [.. _databases.Where(d => d != database)];
        }

        DatabaseRemoved?.Invoke(database);
        await database.DisposeAsync();
        return true;
    }

    /// <summary>Opens every database and reads its tables, so that a file that is no database stops the start and not a visitor.</summary>
    /// <exception cref="StartupException">The first database that cannot be read; names the file.</exception>
    public async Task CheckAsync(CancellationToken ct = default)
    {
        foreach (var database in _databases)
        {
            try
            {
                await database.SchemaAsync(ct);
            }
            catch (SqliteException e)
            {
                throw new StartupException(StartupProblem(database, e), innerException: e);
            }
        }
    }

    /// <summary>Lets queries on one database name tables of others: attaches them, read-only, to each of its readers.</summary>
    /// <param name="host">The memory database that sees the others.</param>
    /// <returns>Names that were left out because SQLite attaches no more than ten.</returns>
    public IReadOnlyList<string> AttachAll(Database host)
    {
        const int MostAttached = 10;
        var files = _databases.Where(d => d.Path is not null).ToArray();
        host.SetReaderSetup([
            .. files
                .Take(MostAttached)
                .Select(d =>
                    "ATTACH DATABASE "
                    + Text.SqlText.Literal(ConnectionFactory.ReadOnlyUri(d.Path!, d.IsMutable))
                    + " AS "
                    + Text.SqlText.QuoteAlways(d.Name)
                ),
        ]);
        return [.. files.Skip(MostAttached).Select(d => d.Name)];
    }

    /// <inheritdoc/>
    public IEnumerator<Database> GetEnumerator() => ((IEnumerable<Database>)_databases).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var database in _databases)
        {
            await database.DisposeAsync();
        }
    }

    private static void CheckPath(string given, string full, bool create)
    {
        if (Directory.Exists(full))
        {
            throw new StartupException($"{given} is a directory, not a database file.");
        }

        if (System.IO.File.Exists(full))
        {
            return;
        }

        if (!create)
        {
            throw new StartupException(
                $"Invalid value for '[FILES]...': Path '{given}' does not exist. Use --create to make an empty database there."
            );
        }

        if (Path.GetDirectoryName(full) is { } folder && !Directory.Exists(folder))
        {
            throw new StartupException($"Cannot create {given}: the folder {folder} does not exist. Make it first.");
        }
    }

    private static void CreateFile(Database database, string given)
    {
        try
        {
            database.Create();
        }
        catch (SqliteException e)
        {
            throw new StartupException($"Cannot create {given}: {SqlErrors.Message(e)}.", innerException: e);
        }
    }

    private static string RealPath(string path)
    {
        try
        {
            return new FileInfo(path).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? Path.GetFullPath(path);
        }
        catch (IOException)
        {
            return Path.GetFullPath(path);
        }
    }

    private static string StartupProblem(Database database, SqliteException e)
    {
        var where = database.GivenPath ?? database.Name;
        var text = SqlErrors.Message(e);
        if (
            text.Contains("VirtualSpatialIndex", StringComparison.Ordinal)
            || text.Contains("spatialite", StringComparison.OrdinalIgnoreCase)
        )
        {
            return $"{where} needs the SpatiaLite extension: {text}. Try --load-extension=spatialite.";
        }

        return e.SqliteErrorCode switch
        {
            raw.SQLITE_NOTADB => $"{where} is not a database: {text}.",
            raw.SQLITE_CANTOPEN =>
                $"Cannot open {where}: {text}. A database in WAL mode needs a folder in which SQLite can make its -shm file; "
                    + "give write access, or serve the file with -i if nobody changes it.",
            raw.SQLITE_BUSY or raw.SQLITE_LOCKED => $"Cannot read {where}: {text}. Another process holds it; try again, or use --nolock.",
            _ => $"Cannot read {where}: {text}.",
        };
    }
}
