using System.Xml.Linq;

namespace Testing.Structure;

/// <summary>What a project refers to.</summary>
public static class ProjectFile
{
    /// <summary>Names of the projects it refers to, sorted.</summary>
    public static IReadOnlyList<string> ProjectReferences(string path) =>
        [
            .. Elements(path, "ProjectReference")
                .Select(p => Path.GetFileNameWithoutExtension(p.Replace('\\', '/')))
                .Order(StringComparer.Ordinal),
        ];

    /// <summary>Names of the packages and frameworks it refers to, sorted.</summary>
    public static IReadOnlyList<string> Packages(string path) =>
        [.. Elements(path, "PackageReference").Concat(Elements(path, "FrameworkReference")).Order(StringComparer.Ordinal)];

    private static IEnumerable<string> Elements(string path, string name) =>
        XDocument.Load(Repository.PathOf(path)).Descendants(name).Select(e => (string?)e.Attribute("Include")).OfType<string>();
}
