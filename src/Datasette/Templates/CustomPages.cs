using System.Text.RegularExpressions;
using Datasette.Text;

namespace Datasette.Templates;

/// <summary>A page of the user's own that answers an address.</summary>
/// <param name="Template">Its file, as seen from the folder of templates.</param>
/// <param name="Parameters">What braces in the names of files and folders caught.</param>
internal sealed record CustomPageMatch(string Template, IReadOnlyDictionary<string, string> Parameters);

/// <summary>
/// From an address to a file below <c>pages/</c>: <c>/about/team</c> is <c>pages/about/team.html</c>; a name in braces stands for any text. What is
/// written out comes before what is in braces, folder by folder. Nothing is remembered: only folders on the way are listed.
/// </summary>
internal static partial class CustomPages
{
    public const string Folder = "pages";
    private const string Extension = ".html";

    /// <summary>The page for a path; null when there is none.</summary>
    /// <param name="root">The folder of templates.</param>
    /// <param name="path">The raw path, which begins with a slash.</param>
    public static CustomPageMatch? Find(string root, string path)
    {
        var segments = path[1..].Split('/').Select(TildeEncoding.Decode).ToList();
        if (segments.Count > 20 || !segments.All(IsName) || !Directory.Exists(Path.Join(root, Folder)))
        {
            return null;
        }
        return Find(root, Folder, segments, []);
    }

    private static CustomPageMatch? Find(string root, string folder, IReadOnlyList<string> rest, Dictionary<string, string> found)
    {
        var (first, isLast) = (rest[0], rest.Count == 1);
        var exact = folder + "/" + first + (isLast ? Extension : "");
        // A visitor cannot ask for the pattern itself.
        if (!first.Contains('{', StringComparison.Ordinal) && Exists(root, exact, isLast))
        {
            var match = isLast ? new CustomPageMatch(exact, found) : Find(root, exact, Rest(rest), found);
            if (match is not null)
            {
                return match;
            }
        }
        foreach (var (name, pattern) in Patterns(Path.Join(root, folder), isLast))
        {
            if (pattern.Match(first) is { Success: true } caught)
            {
                var all = new Dictionary<string, string>(found, StringComparer.Ordinal);
                foreach (var group in caught.Groups.Values.Skip(1))
                {
                    all[group.Name] = group.Value;
                }
                var next = folder + "/" + name;
                if ((isLast ? new CustomPageMatch(next, all) : Find(root, next, Rest(rest), all)) is { } match)
                {
                    return match;
                }
            }
        }
        return null;
    }

    private static List<string> Rest(IReadOnlyList<string> segments) => segments.Skip(1).ToList();

    private static bool Exists(string root, string name, bool isFile) =>
        isFile ? File.Exists(Path.Join(root, name)) : Directory.Exists(Path.Join(root, name));

    /// <summary>Names with braces in a folder, those with the longest fixed text first.</summary>
    private static IEnumerable<(string Name, Regex Pattern)> Patterns(string folder, bool files)
    {
        var entries = files ? Directory.EnumerateFiles(folder, "*{*}*" + Extension) : Directory.EnumerateDirectories(folder, "*{*}*");
        return entries
            .Select(entry => Path.GetFileName(entry))
            .OrderByDescending(name => Braces().Replace(name, "").Length)
            .ThenBy(name => name, StringComparer.Ordinal)
            .Select(name => (name, Compile(files ? name[..^Extension.Length] : name)));
    }

    private static Regex Compile(string name)
    {
        var parts = Braces().Split(name);
        // Fixed text and names take turns.
        var pattern = string.Concat(parts.Select((part, i) => i % 2 == 0 ? Regex.Escape(part) : $"(?<{part}>.+?)"));
        return new Regex($"^{pattern}$", RegexOptions.CultureInvariant | RegexOptions.Singleline, TimeSpan.FromMilliseconds(100));
    }

    private static bool IsName(string segment) =>
        segment.Length > 0 && segment is not ("." or "..") && segment.AsSpan().IndexOfAny("/\\\0") < 0;

    [GeneratedRegex(@"\{([A-Za-z_]\w*)\}")]
    private static partial Regex Braces();
}
