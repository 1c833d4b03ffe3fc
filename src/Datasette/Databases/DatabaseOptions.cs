using Microsoft.Data.Sqlite;

namespace Datasette.Databases;

/// <summary>How a database is opened. Immutable.</summary>
public sealed record DatabaseOptions
{
    /// <summary>False: the file never changes while we serve it (<c>immutable=1</c>), is never written and takes no locks. Default true.</summary>
    public bool IsMutable { get; init; } = true;

    /// <summary>Readers in parallel per database. Default 3; 0 counts as 1.</summary>
    public int ReaderThreads { get; init; } = 3;

    /// <summary>Readers ignore file locks. Default false.</summary>
    public bool NoLock { get; init; }

    /// <summary>Page cache of each connection in KiB; 0 leaves SQLite's default. Default 0.</summary>
    public int CacheSizeKb { get; init; }

    /// <summary>Limit of a query that names none. Default 1 second.</summary>
    public TimeSpan TimeLimit { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Bytes that the texts and blobs of one answer may have in memory, and that one value may have. Default 512 MiB. Streams hold only a few
    /// rows and are not limited as a whole.
    /// </summary>
    public int MaxResultBytes { get; init; } = 512 << 20;

    /// <summary>How long SQLite waits for a lock. Default 5 seconds.</summary>
    public TimeSpan BusyTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a write waits in all for a lock that another program holds, before it is refused with 503. Default 10 seconds.</summary>
    public TimeSpan WriteLockTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Longest time that a write of a visitor may spend inside SQLite. Default 10 seconds.</summary>
    public TimeSpan WriteTimeLimit { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Writes that may wait for their turn; more are refused with 503. Default 1,000.</summary>
    public int MaxQueuedWrites { get; init; } = 1000;

    /// <summary>Called with each new connection and the database's name, before first use, on the thread that opens it. Registers functions.</summary>
    public Action<SqliteConnection, string>? PrepareConnection { get; init; }

    /// <summary>Extensions to load on each connection: path and entry point (null = SQLite's guess).</summary>
    public IReadOnlyList<(string Path, string? EntryPoint)> Extensions { get; init; } = [];

    /// <summary>Says whether configuration hides a table; arguments are database and table name. Default: never.</summary>
    public Func<string, string, bool>? IsConfiguredHidden { get; init; }

    /// <summary>Clock of time limits. Default the system's.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
