using System.Globalization;
using Litestream.IO;
using Litestream.Ltx;

namespace Litestream.Replicas;

/// <summary>The LTX files that the engine keeps locally: <c>META/ltx/LEVEL/MIN-MAX.ltx</c>, as Litestream keeps them.</summary>
/// <remarks>Holds no state: every call looks at the disk. Safe from any thread. Failures are those of <see cref="DurableFiles"/>.</remarks>
public sealed class LtxDirectory
{
    private const string FolderName = "ltx";
    private readonly DurableFiles _files;

    /// <summary>The LTX files below a metadata folder, which need not exist yet.</summary>
    /// <param name="files">The disk.</param>
    /// <param name="metaPath">The metadata folder of one database.</param>
    public LtxDirectory(DurableFiles files, string metaPath)
    {
        ArgumentNullException.ThrowIfNull(files);
        ArgumentException.ThrowIfNullOrEmpty(metaPath);
        _files = files;
        Root = Path.Combine(metaPath, FolderName);
    }

    /// <summary>The folder that holds the levels.</summary>
    public string Root { get; }

    /// <summary>The folder of a level.</summary>
    public string LevelPath(int level) => Path.Combine(Root, level.ToString(CultureInfo.InvariantCulture));

    /// <summary>The path of a file.</summary>
    public string PathOf(int level, Txid min, Txid max) => Path.Combine(LevelPath(level), LtxFileInfo.FormatFileName(min, max));

    /// <summary>The path of a file.</summary>
    public string PathOf(LtxFileInfo file)
    {
        ArgumentNullException.ThrowIfNull(file);
        return PathOf(file.Level, file.MinTxid, file.MaxTxid);
    }

    /// <summary>Makes the folder of a level, durably.</summary>
    public void CreateLevel(int level) => _files.CreateDirectory(LevelPath(level));

    /// <summary>The files of a level, ascending by first, then last transaction; a missing folder is empty, other names are left out.</summary>
    public IReadOnlyList<LtxFileInfo> List(int level)
    {
        var files = new List<LtxFileInfo>();
        foreach (var entry in _files.List(LevelPath(level)))
        {
            if (!entry.IsDirectory && LtxFileInfo.TryParseFileName(entry.Name, out var min, out var max))
                files.Add(new LtxFileInfo(level, min, max, entry.SizeBytes, entry.LastWriteTime));
        }
        files.Sort(
            (a, b) =>
            {
                var byMin = a.MinTxid.CompareTo(b.MinTxid);
                return byMin != 0 ? byMin : a.MaxTxid.CompareTo(b.MaxTxid);
            }
        );
        return files;
    }

    /// <summary>Opens a file; the stream can seek.</summary>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.NotFound"/>: it is gone.</exception>
    public Stream OpenRead(LtxFileInfo file) => _files.OpenRead(PathOf(file));

    /// <summary>Deletes a file; a missing one is fine.</summary>
    public void Delete(LtxFileInfo file) => _files.Delete(PathOf(file));

    /// <summary>Removes what writers left behind that did not end (<c>*.tmp</c>), on every level. Only while nobody writes.</summary>
    public void RemoveTemporaryFiles()
    {
        foreach (var level in _files.List(Root))
        {
            if (!level.IsDirectory)
            {
                RemoveIfTemporary(Root, level.Name);
                continue;
            }
            var folder = Path.Combine(Root, level.Name);
            foreach (var entry in _files.List(folder))
            {
                if (!entry.IsDirectory)
                    RemoveIfTemporary(folder, entry.Name);
            }
        }
    }

    private void RemoveIfTemporary(string folder, string name)
    {
        if (name.EndsWith(AtomicFile.TemporarySuffix, StringComparison.Ordinal))
            _files.Delete(Path.Combine(folder, name));
    }
}
