using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Litestream.Restore;

/// <summary>Asks SQLite whether a database that nobody uses is sound.</summary>
internal static class IntegrityCheck
{
    private const int MaxMessages = 5;

    /// <summary>Checks a database file. Leaves no <c>-wal</c> or <c>-shm</c> beside it, also when its header asks for WAL mode.</summary>
    /// <param name="path">A complete database file that no connection has open; an empty file is sound.</param>
    /// <param name="mode">How thoroughly; <see cref="IntegrityCheckMode.None"/> does nothing.</param>
    /// <param name="cancellationToken">Interrupts SQLite.</param>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.IntegrityCheckFailed"/>: with SQLite's first findings.</exception>
    public static async Task RunAsync(string path, IntegrityCheckMode mode, CancellationToken cancellationToken)
    {
        if (mode == IntegrityCheckMode.None)
            return;
        var findings = new List<string>();
        try
        {
            // "immutable" keeps SQLite from looking for, or making, the files of WAL mode.
            var connection = new SqliteConnection(
                new SqliteConnectionStringBuilder
                {
                    DataSource = ImmutableUri(path),
                    Mode = SqliteOpenMode.ReadOnly,
                    Pooling = false,
                }.ToString()
            );
            await using (connection.ConfigureAwait(false))
            {
                await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
                var handle = connection.Handle!;
                using var interrupt = cancellationToken.Register(() => raw.sqlite3_interrupt(handle));
                using var command = connection.CreateCommand();
                command.CommandText =
                    mode == IntegrityCheckMode.Quick ? $"PRAGMA quick_check({MaxMessages})" : $"PRAGMA integrity_check({MaxMessages})";
                command.CommandTimeout = 0;
                var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
                await using (reader.ConfigureAwait(false))
                {
                    while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                        findings.Add(reader.GetString(0));
                }
            }
        }
        catch (SqliteException exception)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw Failed(path, exception.Message, exception);
        }
        if (findings is not ["ok"])
            throw Failed(path, findings.Count == 0 ? "SQLite gave no answer" : string.Join("; ", findings), null);
    }

    // Each part escaped by itself: the framework's own file URIs leave a percent sign alone that is followed by two digits.
    private static string ImmutableUri(string path)
    {
        var parts = Path.GetFullPath(path).Replace(Path.DirectorySeparatorChar, '/').TrimStart('/').Split('/');
        return $"file:///{string.Join('/', parts.Select(Uri.EscapeDataString))}?immutable=1";
    }

    private static LitestreamException Failed(string path, string findings, Exception? cause) =>
        new(LitestreamError.IntegrityCheckFailed, $"the restored database failed SQLite's check: {findings}", cause) { Path = path };
}
