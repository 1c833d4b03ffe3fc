namespace Testing;

/// <summary>A new, empty folder that is removed with everything in it.</summary>
public sealed class TempFolder : IDisposable
{
    /// <summary>Makes the folder.</summary>
    public TempFolder() => Path = Directory.CreateTempSubdirectory("litestream-test-").FullName;

    /// <summary>Its absolute path.</summary>
    public string Path { get; }

    /// <summary>A path inside; nothing is made.</summary>
    public string Combine(params string[] parts) => System.IO.Path.Combine([Path, .. parts]);

    /// <summary>Makes a folder inside and gives its path.</summary>
    public string CreateFolder(params string[] parts) => Directory.CreateDirectory(Combine(parts)).FullName;

    /// <summary>Everything inside, relative with slashes, sorted; folders end at a slash.</summary>
    public IReadOnlyList<string> Contents()
    {
        var folder = new DirectoryInfo(Path);
        return
        [
            .. folder
                .EnumerateFileSystemInfos("*", SearchOption.AllDirectories)
                .Select(e => System.IO.Path.GetRelativePath(Path, e.FullName).Replace('\\', '/') + (e is DirectoryInfo ? "/" : ""))
                .Order(StringComparer.Ordinal),
        ];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // A server that was just stopped may still put its last file down.
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                Directory.Delete(Path, recursive: true);
                return;
            }
            catch (DirectoryNotFoundException)
            {
                return;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException && attempt < 20)
            {
                Thread.Sleep(25);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Console.Error.WriteLine($"could not remove {Path}: {e.Message}");
                return;
            }
        }
    }
}
