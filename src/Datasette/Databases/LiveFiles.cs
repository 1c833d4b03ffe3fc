namespace Datasette.Databases;

/// <summary>
/// Files that nobody but SQLite may open: closing any descriptor of a live database, or of its <c>-shm</c>, drops SQLite's locks on it, and commits of
/// other programs are lost without a word.
/// </summary>
internal static class LiveFiles
{
    /// <summary>Whether a file is, or may be, a database somebody has open. Found out without opening it; links are followed.</summary>
    /// <param name="path">An existing file.</param>
    /// <param name="databases">Paths of the databases that this process has open.</param>
    public static bool MayBe(string path, IEnumerable<string> databases)
    {
        var file = File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
        return file.EndsWith("-shm", StringComparison.Ordinal)
            || File.Exists(file + "-wal")
            || File.Exists(file + "-shm")
            || File.Exists(file + "-journal")
            // By device and inode: a hard link has another name, and it is the file that is locked.
            || databases.Any(database => FileIdentity.IsSame(file, database) || FileIdentity.IsSame(file, database + "-shm"));
    }
}
