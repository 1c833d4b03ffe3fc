using System.Text.RegularExpressions;

namespace Testing.Structure;

/// <summary>One source file, as far as the arrows between rooms matter: where it stands, what it declares, what it mentions.</summary>
public sealed partial class SourceFile
{
    /// <summary>Room of the files that stand in no folder.</summary>
    public const string Root = "";

    private SourceFile(string path, string room, string code)
    {
        Path = path;
        Room = room;
        Code = code;
        Declared = FindDeclared(code);
        Usings = UsingDirective.Matches(code).Select(m => m.Groups["name"].Value).ToHashSet(StringComparer.Ordinal);
        Mentioned = FindMentioned(code);
    }

    /// <summary>Path below the project, with slashes.</summary>
    public string Path { get; }

    /// <summary>The folder it stands in, directly below the project.</summary>
    public string Room { get; }

    /// <summary>The code without comments and literals.</summary>
    public string Code { get; }

    /// <summary>Types that stand in a namespace, not inside others.</summary>
    public IReadOnlySet<string> Declared { get; }

    /// <summary>Namespaces and types of <c>using</c> directives.</summary>
    public IReadOnlySet<string> Usings { get; }

    /// <summary>Names that can be types: not members after a dot, not what is being named.</summary>
    public IReadOnlySet<string> Mentioned { get; }

    /// <summary>A file from its text.</summary>
    /// <param name="path">Path below the project.</param>
    /// <param name="text">C# or Razor.</param>
    public static SourceFile Parse(string path, string text)
    {
        path = path.Replace('\\', '/');
        var slash = path.IndexOf('/', StringComparison.Ordinal);
        var code = path.EndsWith(".cshtml", StringComparison.Ordinal)
            ? text.Replace("@using", "using", StringComparison.Ordinal)
            : CodeText.Of(text);
        return new SourceFile(path, slash < 0 ? Root : path[..slash], code);
    }

    /// <summary>All C# and Razor files of a project of the repository.</summary>
    public static IReadOnlyList<SourceFile> ReadProject(params string[] folder)
    {
        var root = Repository.PathOf(folder);
        return
        [
            .. Directory
                .EnumerateFiles(root, "*", SearchOption.AllDirectories)
                .Where(f => f.EndsWith(".cs", StringComparison.Ordinal) || f.EndsWith(".cshtml", StringComparison.Ordinal))
                .Select(f => (Full: f, Relative: System.IO.Path.GetRelativePath(root, f).Replace('\\', '/')))
                .Where(f =>
                    !f.Relative.StartsWith("obj/", StringComparison.Ordinal) && !f.Relative.StartsWith("bin/", StringComparison.Ordinal)
                )
                .OrderBy(f => f.Relative, StringComparer.Ordinal)
                .Select(f => Parse(f.Relative, File.ReadAllText(f.Full))),
        ];
    }

    /// <summary>The types that the code names as <c>prefix.Type</c>, alone or after the project's namespace.</summary>
    public IEnumerable<string> Qualified(string projectNamespace, string prefix) =>
        Regex
            .Matches(Code, $@"(?<![\w.])(global::)?({Regex.Escape(projectNamespace)}\.)?{Regex.Escape(prefix)}\.(?<name>[A-Z]\w*)")
            .Select(m => m.Groups["name"].Value);

    /// <inheritdoc/>
    public override string ToString() => Path;

    private static HashSet<string> FindDeclared(string code)
    {
        var declared = new HashSet<string>(StringComparer.Ordinal);
        var depths = new int[code.Length + 1];
        for (var i = 0; i < code.Length; i++)
            depths[i + 1] =
                depths[i]
                + (
                    code[i] == '{' ? 1
                    : code[i] == '}' ? -1
                    : 0
                );
        var outer = BlockNamespace.IsMatch(code) ? 1 : 0;
        foreach (Match match in Declaration.Matches(code))
        {
            if (depths[match.Index] == outer)
                declared.Add(match.Groups["name"].Value);
        }

        return declared;
    }

    private static HashSet<string> FindMentioned(string code)
    {
        var mentioned = new HashSet<string>(StringComparer.Ordinal);
        foreach (Match match in Name.Matches(UsingDirective.Replace(code, "")))
        {
            var before = match.Groups["before"].Value;
            // "Txid Txid": the second is a member's or parameter's own name.
            if (before.Length > 0 && !IsKeyword(before))
                continue;
            mentioned.Add(match.Groups["name"].Value);
        }

        return mentioned;
    }

    private static bool IsKeyword(string word) => word.Length > 1 && word.All(c => c is >= 'a' and <= 'z') && !s_typeWords.Contains(word);

    // What can stand before a member's name as its type.
    private static readonly HashSet<string> s_typeWords =
    [
        "bool",
        "byte",
        "sbyte",
        "short",
        "ushort",
        "int",
        "uint",
        "long",
        "ulong",
        "float",
        "double",
        "decimal",
        "char",
        "string",
        "object",
        "void",
        "var",
        "nint",
        "nuint",
        "dynamic",
    ];

    [GeneratedRegex(@"^\s*(global\s+)?using\s+(static\s+)?(\w+\s*=\s*)?(?<name>[\w.]+)(<[^;]*>)?[ \t]*(;|\r?$)", RegexOptions.Multiline)]
    private static partial Regex UsingDirective { get; }

    [GeneratedRegex(@"^\s*namespace\s+[\w.]+\s*\{", RegexOptions.Multiline)]
    private static partial Regex BlockNamespace { get; }

    [GeneratedRegex(
        @"\b(class|struct|interface|enum|record(\s+(class|struct))?|delegate\s+[\w<>\[\],.? ]+?)\s+(?<name>[A-Z]\w*)\s*(?=[<({:;\n]|where\b)"
    )]
    private static partial Regex Declaration { get; }

    // A name in code, with the word or the closing bracket of a type right before it. Not after a dot, except of a namespace.
    [GeneratedRegex(@"(?:(?<=(?<before>\w+|[>\]])\??[ \t]+))?(?<![\w.])(?<name>[A-Z]\w*)\b(?!\s*:(?!:))(?!\s*=(?![=>]))")]
    private static partial Regex Name { get; }
}
