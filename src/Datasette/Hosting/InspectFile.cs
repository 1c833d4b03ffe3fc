using System.Text.Json;
using System.Text.Json.Nodes;
using Datasette.Text;

namespace Datasette.Hosting;

/// <summary>What <c>datasette inspect</c> wrote.</summary>
internal static class InspectFile
{
    /// <summary>Reads it; every database in it is a mapping, and so are its tables.</summary>
    /// <exception cref="StartupException">It cannot be read, or is something else.</exception>
    public static JsonObject Read(string path)
    {
        try
        {
            return ForeignJson.Parse(File.ReadAllText(path)) is JsonObject data && data.All(pair => IsDatabase(pair.Value))
                ? data
                : throw new StartupException(
                    $"{path} is no inspect file: it must hold a JSON object with an object for each database. "
                        + $"Make it with: datasette inspect FILES --inspect-file {path}"
                );
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new StartupException($"The inspect file {path} cannot be read: {e.Message}", innerException: e);
        }
    }

    private static bool IsDatabase(JsonNode? node) =>
        node is JsonObject database
        && (database["tables"] is null or JsonObject)
        && (database["tables"] as JsonObject ?? []).All(table => table.Value is JsonObject);
}
