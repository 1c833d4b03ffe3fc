namespace Testing;

/// <summary>Where the sources lie that the running tests were built from.</summary>
public static class Repository
{
    private static readonly Lazy<string> s_root = new(FindRoot);

    /// <summary>The folder that holds the solution.</summary>
    public static string Root => s_root.Value;

    /// <summary>A path below <see cref="Root"/>.</summary>
    public static string PathOf(params string[] parts) => Path.Combine([Root, .. parts]);

    /// <summary>The program of another project, built in the same configuration as the tests; skips the test when it was not built.</summary>
    /// <param name="project">Name of the project, for example <c>Datasette.Door</c>.</param>
    public static string ProgramOf(string project)
    {
        var configuration = Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
        var path = PathOf("artifacts", "bin", project, configuration, project);
        Require.That(File.Exists(path), $"the program of {project} ({configuration})", "dotnet build");
        return path;
    }

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "DatasetteLitestream.slnx")))
                return folder.FullName;
        }

        throw new InvalidOperationException(
            $"no DatasetteLitestream.slnx above {AppContext.BaseDirectory}: run the tests from the repository's artifacts"
        );
    }
}
