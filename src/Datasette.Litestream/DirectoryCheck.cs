namespace Datasette.Litestream;

/// <summary>Finds out, before SQLite does in its own words, whether a database can be replicated where it lies.</summary>
internal static class DirectoryCheck
{
    /// <summary>Why the folder of a database cannot be written to; null when it can. Leaves nothing behind.</summary>
    public static string? WhyNotWritable(string databasePath)
    {
        var folder = Path.GetDirectoryName(databasePath) ?? "/";
        var probe = Path.Combine(folder, $".datasette-litestream-{Guid.NewGuid():n}.tmp");
        try
        {
            // A folder, not a file: nothing here ever opens a file beside a live database.
            Directory.CreateDirectory(probe);
            Directory.Delete(probe);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"the folder {folder} cannot be written to, but replication needs SQLite's WAL files and its own files there ({e.Message})";
        }
    }
}
