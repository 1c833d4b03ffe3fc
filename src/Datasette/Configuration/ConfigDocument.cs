using System.Text.Json.Nodes;

namespace Datasette.Configuration;

/// <summary>Where something stands in a file.</summary>
/// <param name="File">Path as it was given; or what stands for it, such as <c>-s NAME</c>.</param>
/// <param name="Line">1-based line; 0 when the source has no lines.</param>
/// <param name="Column">1-based column; 0 when the source has no lines.</param>
public sealed record SourcePosition(string File, int Line, int Column)
{
    /// <summary>As people and editors read it: <c>file:line:column</c>.</summary>
    public override string ToString() => Line == 0 ? File : $"{File}:{Line}:{Column}";
}

/// <summary>A tree with the position of every key and list item. Filled once by a reader or by merging, then only read.</summary>
internal sealed class ConfigDocument
{
    private const char Separator = '\u0001';

    private readonly Dictionary<string, SourcePosition> _positions = new(StringComparer.Ordinal);

    /// <summary>The tree.</summary>
    public JsonObject Root { get; set; } = [];

    /// <summary>A number that can be read as any numeric type that holds it, unlike one made from a number of a fixed type.</summary>
    /// <param name="text">A JSON number.</param>
    public static JsonNode Number(string text) => JsonNode.Parse(text)!;

    /// <summary>Remembers where a key stands. Of a key that stands twice the last one counts, as for its value.</summary>
    public void Mark(string path, SourcePosition position) => _positions[path] = position;

    /// <summary>The position of a key; null when it is not known.</summary>
    public SourcePosition? Locate(string path) => _positions.GetValueOrDefault(path);

    /// <summary>The path of a key below another one; the path of the root is empty.</summary>
    public static string Path(string parent, string key) => parent.Length == 0 ? key : parent + Separator + key;

    /// <summary>The path of a key by all keys above it.</summary>
    public static string Path(IEnumerable<string> keys) => string.Join(Separator, keys);

    /// <summary>Takes over the positions at and below a path from another document.</summary>
    public void CopyPositions(ConfigDocument source, string path)
    {
        foreach (var (key, position) in source._positions)
        {
            if (key == path || key.StartsWith(path + Separator, StringComparison.Ordinal))
            {
                _positions[key] = position;
            }
        }
    }
}
