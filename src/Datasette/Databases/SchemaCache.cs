using Microsoft.Data.Sqlite;

namespace Datasette.Databases;

/// <summary>The schema of one database, read again when it may have changed.</summary>
/// <remarks>Safe on any thread; one reads, the others wait for it.</remarks>
/// <param name="name">Of the database.</param>
/// <param name="options">Its options.</param>
/// <param name="readers">Where it is read.</param>
/// <param name="isReplaced">Looks whether there is another file under the old name; throws when there is none.</param>
internal sealed class SchemaCache(string name, DatabaseOptions options, ReadPool readers, Func<bool> isReplaced)
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(1);

    private readonly SemaphoreSlim _gate = new(1, 1);
    private volatile DatabaseSchema? _last;
    private long _lookedAt;
    private long _brokenUntil;

    /// <summary>What was read last; null before the first time.</summary>
    public DatabaseSchema? Last => _last;

    /// <summary>True while the last attempt to read it has failed, so that nobody waits for the same lock again.</summary>
    public bool IsUnreadable => options.Time.GetTimestamp() < Volatile.Read(ref _brokenUntil);

    /// <summary>It was changed here: the next one who asks reads it.</summary>
    public void Doubt() => Volatile.Write(ref _lookedAt, 0);

    /// <summary>What is in the database, at most one second old as for other processes' changes, at once for our own.</summary>
    public async Task<DatabaseSchema> GetAsync(CancellationToken ct)
    {
        if (Fresh() is { } fresh)
        {
            return fresh;
        }

        await _gate.WaitAsync(ct);
        try
        {
            if (Fresh() is { } other)
            {
                return other;
            }

            var lookedAt = options.Time.GetTimestamp();
            if (isReplaced())
            {
                _last = null;
            }

            var schema = await readers.RunAsync(r => Read(r.Connection), "", SchemaReader.TimeLimit, ct);
            _last = schema;
            Volatile.Write(ref _lookedAt, lookedAt);
            return schema;
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>As <see cref="GetAsync"/>; but where the file cannot be read now, what was known last, or nothing.</summary>
    /// <remarks>For what concerns all databases at once: one that is locked, damaged or gone must not close the others.</remarks>
    public async Task<DatabaseSchema> GetKnownAsync(CancellationToken ct)
    {
        if (IsUnreadable)
        {
            return _last ?? DatabaseSchema.Empty;
        }

        var start = options.Time.GetTimestamp();
        try
        {
            var schema = await GetAsync(ct);
            Volatile.Write(ref _brokenUntil, 0);
            return schema;
        }
        catch (Exception e) when (e is SqliteException or QueryInterruptedException)
        {
            // A lock is waited for; the longer it took, the rarer all others wait with it.
            var pause = Math.Max(Look.TotalSeconds, 10 * options.Time.GetElapsedTime(start).TotalSeconds);
            Volatile.Write(ref _brokenUntil, options.Time.GetTimestamp() + (long)(pause * options.Time.TimestampFrequency));
            return _last ?? DatabaseSchema.Empty;
        }
    }

    private DatabaseSchema? Fresh()
    {
        var lookedAt = Volatile.Read(ref _lookedAt);
        return _last is { } schema && lookedAt != 0 && options.Time.GetElapsedTime(lookedAt) < Look ? schema : null;
    }

    private DatabaseSchema Read(SqliteConnection connection)
    {
        var known = _last;
        var version = (long)SqlStatement.Scalar(connection, "PRAGMA schema_version")!;
        return known?.Version == version
            ? known
            : SchemaReader.Read(connection, version, table => options.IsConfiguredHidden?.Invoke(name, table) ?? false);
    }
}
