using System.Text.RegularExpressions;

namespace Testing.Structure;

/// <summary>Finds code that opens, copies or maps files by itself. Rule 1: nobody opens a live database but SQLite.</summary>
public static partial class FileOpenings
{
    /// <summary>Every place outside the files on the list, as <c>path:line: code</c>; and the files on the list that open nothing any more.</summary>
    /// <param name="files">The sources of a project.</param>
    /// <param name="allowed">File, and which files it opens and why that is never a live database.</param>
    public static IReadOnlyList<string> Unlisted(IReadOnlyList<SourceFile> files, IReadOnlyDictionary<string, string> allowed)
    {
        var found = new List<string>();
        var used = new HashSet<string>(StringComparer.Ordinal);
        foreach (var file in files)
        {
            foreach (Match match in Opening.Matches(file.Code))
            {
                used.Add(file.Path);
                if (!allowed.ContainsKey(file.Path))
                    found.Add($"{file}:{file.Code.AsSpan(0, match.Index).Count('\n') + 1}: {match.Value}");
            }
        }

        found.AddRange(
            allowed.Keys.Where(path => !used.Contains(path)).Select(path => $"{path} opens nothing any more: take it off the list")
        );
        return found;
    }

    [GeneratedRegex(
        @"(?<![\w.])(System\.IO\.)?File\.(Open\w*|Create\w*|Read\w*|Write\w*|Append\w*|Copy|Replace)\b"
            + @"|\bnew\s+(FileStream|SafeFileHandle|PhysicalFileProvider)\s*\("
            + @"|\bnew\s+FileInfo\s*\([^)]*\)\s*\.\s*(Open\w*|Create\w*|CopyTo|Replace)\b"
            + @"|\bnew\s+(StreamReader|StreamWriter)\s*\(\s*\w*[pP]ath\b"
            + @"|\bMemoryMappedFile\b|\bRandomAccess\.(Read|Write)\b|\bSendFileAsync\b"
    )]
    private static partial Regex Opening { get; }
}
