using System.Collections.Concurrent;
using System.Text;
using Datasette.Liquid;

namespace Datasette.Templates;

/// <summary>One template as it was read.</summary>
/// <param name="Name">Its file, as seen from the folder of templates.</param>
/// <param name="Template">What it says.</param>
internal sealed record TemplateFile(string Name, LiquidTemplate Template);

/// <param name="path">The folder.</param>
/// <param name="language">What templates are written in.</param>
/// <param name="mayBeLive">Tells of a file whether it may be a live database, which must not be opened.</param>
/// <summary>
/// The user's folder of templates. A file is read and parsed when it is first asked for, and again when its time or size is another: no restart
/// is needed. Safe on any thread.
/// </summary>
internal sealed class TemplateFolder(string path, LiquidLanguage language, Func<string, bool> mayBeLive)
{
    private const int MostFiles = 5000;
    private const int ShownProblems = 10;
    private const int MostBytes = 2 << 20;
    private readonly ConcurrentDictionary<string, Entry> read = new(StringComparer.Ordinal);

    private sealed record Entry(DateTime Time, long Length, TemplateFile? File, TemplateException? Problem);

    /// <summary>Where it is.</summary>
    public string Path { get; } = System.IO.Path.GetFullPath(path);

    /// <summary>The first of some names that exists; null when none does.</summary>
    /// <exception cref="TemplateException">It exists, but cannot be read.</exception>
    public TemplateFile? First(IReadOnlyList<string> names)
    {
        foreach (var name in names)
        {
            if (Find(name) is { } file)
            {
                return file;
            }
        }
        return null;
    }

    /// <summary>The template of a name; null when there is none. A name that leads out of the folder is that of no template.</summary>
    /// <exception cref="TemplateException">It exists, but cannot be read.</exception>
    public TemplateFile? Find(string name)
    {
        if (name.Length == 0 || name.Contains('\0', StringComparison.Ordinal))
        {
            return null;
        }
        var full = System.IO.Path.GetFullPath(System.IO.Path.Join(Path, name));
        if (!full.StartsWith(Path + System.IO.Path.DirectorySeparatorChar, StringComparison.Ordinal))
        {
            return null;
        }
        var info = new FileInfo(full);
        if (!info.Exists)
        {
            read.TryRemove(full, out _);
            return null;
        }
        if (!read.TryGetValue(full, out var entry) || entry.Time != info.LastWriteTimeUtc || entry.Length != info.Length)
        {
            read[full] = entry = Read(info, System.IO.Path.GetRelativePath(Path, full));
        }
        return entry.Problem is null ? entry.File : throw entry.Problem;
    }

    /// <summary>Reads all templates at the start, so that none fails only when somebody visits its page.</summary>
    /// <exception cref="StartupException">Names each file and line that is Jinja or cannot be read, and what to write.</exception>
    public void EnsureReadable()
    {
        var jinja = new List<string>();
        var broken = new List<string>();
        var options = new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 20 };
        foreach (var full in Directory.EnumerateFiles(Path, "*.html", options).Order(StringComparer.Ordinal).Take(MostFiles))
        {
            var name = System.IO.Path.GetRelativePath(Path, full);
            try
            {
                var found = JinjaCheck.Find(Text(new FileInfo(full), name)).ToList();
                jinja.AddRange(found.Select(finding => $"{name}:{finding.Line}: {finding.Tag} - {finding.Advice}"));
                if (found.Count == 0)
                {
                    Find(name);
                }
            }
            catch (TemplateException e)
            {
                broken.Add(e.Message);
            }
        }
        if (jinja.Count > 0)
        {
            throw new StartupException(
                $"The templates in {Path} are written for Jinja. This program reads Liquid, which is close to it; "
                    + $"docs/guides/templates.md shows both side by side. To convert them:\n  {List(jinja)}"
            );
        }
        if (broken.Count > 0)
        {
            throw new StartupException($"Templates in {Path} cannot be read:\n  {List(broken)}");
        }
    }

    private static string List(List<string> lines) =>
        string.Join("\n  ", lines.Take(ShownProblems)) + (lines.Count > ShownProblems ? $"\n  and {lines.Count - ShownProblems} more" : "");

    private Entry Read(FileInfo info, string name)
    {
        try
        {
            return new(info.LastWriteTimeUtc, info.Length, new(name, Parse(Text(info, name), name)), null);
        }
        catch (TemplateException e)
        {
            return new(info.LastWriteTimeUtc, info.Length, null, e);
        }
    }

    private string Text(FileInfo info, string name)
    {
        // An include may name any file of the folder, and the folder may be the one that holds the databases.
        if (mayBeLive(info.FullName))
        {
            throw new TemplateException(name, 0, "it is a database, or lies beside the files of one: no template is read from there");
        }
        if (info.Length > MostBytes)
        {
            throw new TemplateException(name, 0, $"it is larger than {MostBytes >> 20} MB. Put large texts into a folder of --static");
        }
        try
        {
            return File.ReadAllText(info.FullName, Encoding.UTF8);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TemplateException(name, 0, $"it cannot be opened: {e.Message}", e);
        }
    }

    private LiquidTemplate Parse(string source, string name)
    {
        if (JinjaCheck.Find(source).FirstOrDefault() is { } jinja)
        {
            throw new TemplateException(name, jinja.Line, $"{jinja.Tag} is Jinja, this program reads Liquid: {jinja.Advice}");
        }
        try
        {
            return LiquidTemplate.Parse(source, language);
        }
        catch (LiquidException e)
        {
            throw new TemplateException(name, e.Line, e.Message, e);
        }
    }
}
