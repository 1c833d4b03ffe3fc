using System.Text.Json.Nodes;

namespace Datasette.Configuration;

/// <summary>Reads a metadata or configuration file: JSON or YAML, told apart by content.</summary>
internal static class ConfigFile
{
    /// <summary>Reads a file.</summary>
    /// <param name="path">Path as given.</param>
    /// <param name="option">The option that named it, for the message when it is missing.</param>
    /// <exception cref="StartupException">Missing (exit code 2), unreadable, or neither JSON nor YAML with a mapping at the top.</exception>
    public static ConfigDocument Read(string path, string option)
    {
        string text;
        try
        {
            text = File.ReadAllText(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new StartupException($"Invalid value for {option}: '{path}': No such file or directory", 2, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StartupException($"Cannot read {path} (given by {option}): {e.Message}", 1, e);
        }

        return Parse(text, path);
    }

    /// <summary>Parses the text of a file.</summary>
    public static ConfigDocument Parse(string text, string path)
    {
        var document = new ConfigDocument();
        var root = ParseValue(text, path, document);
        document.Root = root switch
        {
            null => [],
            JsonObject map => map,
            _ => throw new StartupException($"{path}:1:1: the file must hold a mapping of keys to values, not a {Kind(root)}."),
        };
        return document;
    }

    private static JsonNode? ParseValue(string text, string path, ConfigDocument document)
    {
        ConfigSyntaxException json;
        try
        {
            return JsonConfigReader.Read(text, path, document);
        }
        catch (ConfigSyntaxException e)
        {
            json = e;
        }

        try
        {
            return YamlConfigReader.Read(text, path, document);
        }
        catch (ConfigSyntaxException yaml)
        {
            // Who begins with a brace meant JSON and is helped by its complaint.
            var isJson = text.AsSpan().TrimStart("\uFEFF \t\r\n") is ['{' or '[', ..];
            var told = isJson ? json : yaml;
            var language = isJson ? "JSON" : "JSON or YAML";
            throw new StartupException($"{path}:{told.Line}:{told.Column}: not valid {language}: {told.Message}", 1, yaml);
        }
    }

    private static string Kind(JsonNode node) => node is JsonArray ? "list" : "single value";
}
