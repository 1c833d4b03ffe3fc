using Datasette.Plugins;

namespace Datasette.Hosting;

/// <summary>A folder with databases, configuration, metadata and static files, served as a whole. What the command line says wins.</summary>
internal static class ConfigDirectory
{
    private static readonly string[] Extensions = [".db", ".sqlite", ".sqlite3"];

    public static ServeOptions Expand(ServeOptions options)
    {
        var folders = options.Files.Where(Directory.Exists).ToList();
        if (folders.Count > 1)
        {
            throw new StartupException("Cannot pass multiple directories. Pass a single directory as config_dir.");
        }
        if (folders.Count == 0)
        {
            return options;
        }
        var folder = folders[0];
        var files = options.Files.Where(file => file != folder).ToList();
        var immutables = options.Immutables.ToList();
        var inspect = options.InspectFile ?? Existing(folder, "inspect-data.json");
        var named = options.Immutables.Count == 0 && inspect is not null ? InspectedFiles(inspect) : [];
        foreach (
            var file in Extensions.SelectMany(extension => Directory.EnumerateFiles(folder, "*" + extension).Order(StringComparer.Ordinal))
        )
        {
            if (!Extensions.Contains(Path.GetExtension(file)) || immutables.Any(other => Path.GetFullPath(other) == Path.GetFullPath(file)))
            {
                continue;
            }
            (named.Contains(Path.GetFileName(file)) ? immutables : files).Add(file);
        }
        var mounts = options.StaticMounts.ToList();
        if (Directory.Exists(Path.Join(folder, "static")) && mounts.All(mount => mount.Key != "static"))
        {
            mounts.Add(new("static", Path.Join(folder, "static")));
        }
        var templates = Path.Join(folder, "templates");
        return options with
        {
            TemplateFolder = options.TemplateFolder ?? (Directory.Exists(templates) ? templates : null),
            Files = files,
            Immutables = immutables,
            InspectFile = inspect,
            MetadataFile = options.MetadataFile ?? FirstOf(folder, "metadata"),
            ConfigFile = options.ConfigFile ?? FirstOf(folder, "datasette"),
            StaticMounts = mounts,
            PluginsDir = options.PluginsDir ?? (PluginFolder.HasAny(Path.Join(folder, "plugins")) ? Path.Join(folder, "plugins") : null),
        };
    }

    private static HashSet<string> InspectedFiles(string path)
    {
        var data = InspectFile.Read(path);
        return data.Select(pair => pair.Value?["file"]?.ToString()).OfType<string>().Select(file => Path.GetFileName(file)!).ToHashSet();
    }

    private static string? FirstOf(string folder, string stem) =>
        new[] { ".json", ".yaml", ".yml" }.Select(extension => Existing(folder, stem + extension)).FirstOrDefault(path => path is not null);

    private static string? Existing(string folder, string name) => Path.Join(folder, name) is var path && File.Exists(path) ? path : null;
}
