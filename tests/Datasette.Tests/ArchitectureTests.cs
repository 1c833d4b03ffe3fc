using Testing.Structure;
using Xunit;

namespace Datasette.Tests;

/// <summary>The floor plan of the host, held as a table. ARCHITECTURE.md draws the same; the checkers themselves are tried in Litestream.Tests.</summary>
public sealed class ArchitectureTests
{
    private const string Ground = "DatasetteException";
    private const string App = "DatasetteApp";

    private static readonly string[] s_ground = ["Text", Ground];
    private static readonly string[] s_data = ["Permissions", "Databases", .. s_ground];
    private static readonly string[] s_pure = ["Tables", "Configuration", .. s_data];
    private static readonly string[] s_plugins = ["Plugins", .. s_pure];

    // Circles that are right, and why.
    private static readonly Dictionary<string, string> s_circles = new()
    {
        ["Plugins/DatasettePlugin.cs Plugins/HookTypes.cs Plugins/IDatasette.cs"] =
            "one contract in three files: hooks are handed the instance, and the instance tells its plugins",
        ["Tables/TableQuery.cs Tables/TableQueryParser.cs"] = "TableQuery.Parse is the door to its parser, as int.Parse is",
    };

    // Files that open files, and why none of them is ever a live database.
    private static readonly Dictionary<string, string> s_openings = new()
    {
        ["Cli/InspectCommand.cs"] = "writes the inspect file",
        ["Configuration/ConfigFile.cs"] = "configuration and metadata",
        ["Configuration/SecretReferences.cs"] = "files with secrets that the configuration names",
        ["Databases/FileIdentity.cs"] = "hashes an immutable database, on which no connection takes a lock",
        ["Hosting/InspectFile.cs"] = "the inspect file",
        ["Plugins/PluginFile.cs"] = "assemblies of --plugins-dir",
        ["Responses/FileResponse.cs"] = "the download of an immutable database",
        ["Templates/TemplateFolder.cs"] = "templates of the user",
        ["Responses/StaticFiles.cs"] = "static files of the host, of plugins and of --static",
    };

    // Words that mean a request, a plugin or the running instance: hooks reach the rooms below as delegates.
    private static readonly string[] s_webWords =
    [
        "HttpContext",
        "HttpRequest",
        "HttpResponse",
        "DatasettePlugin",
        "IDatasette",
        "DatasetteApp",
        "IResult",
    ];

    private static readonly string[] s_sqlWords = ["SqliteConnection", "SqliteCommand", "SqliteDataReader", "QueryResults", "Database"];

    private static RoomRules HostRules() =>
        new RoomRules("Datasette")
            .RootFiles(Ground, "DatasetteException", "StartupException")
            .RootFiles(App, "DatasetteApp")
            .Room(SourceFile.Root, ["Cli", "Hosting", "Responses", "Defaults", App, .. s_plugins])
            .Room("Cli", ["Hosting", "Defaults", "Responses", App, .. s_plugins])
            .Room("Hosting", ["Views", "Templates", "Defaults", "Responses", "Pages", App, .. s_plugins])
            .Room("Views", ["Defaults", "Responses", "Pages", App, .. s_plugins])
            .Room("Templates", ["Responses", "Pages", "Liquid", .. s_plugins])
            .Room("Liquid")
            .Room("Defaults", ["Responses", "Pages", .. s_plugins])
            .Room("Responses", ["Pages", .. s_plugins])
            .Room("Pages", s_plugins)
            .Room(App, ["Responses", "Pages", .. s_plugins])
            .Room("Plugins", s_pure)
            .Room("Tables", s_data)
            .Room("Configuration", s_data)
            .Room("Permissions", s_ground)
            .Room("Databases", s_ground)
            .Room("Text", Ground)
            .Room(Ground)
            .Except("Plugins/IDatasette.cs", "Pages/LayoutModel.cs", "a plugin draws its page in the host's layout");

    [Fact]
    public void Host_KnowsOnlyRoomsBelow() => Findings.None(HostRules().Violations(SourceFile.ReadProject("src", "Datasette")));

    [Fact]
    public void Rooms_HaveNoCircleOfFiles() => Findings.None(FileCircles.Unlisted(SourceFile.ReadProject("src", "Datasette"), s_circles));

    [Fact]
    public void GroundRooms_KnowNoRequestPluginOrInstance() =>
        Findings.None(Mentions(["Text", "Databases", "Permissions", "Configuration", "Tables"], s_webWords));

    [Fact]
    public void Pages_KnowNoSql() => Findings.None(Mentions(["Pages"], s_sqlWords));

    [Fact]
    public void Project_KnowsNothingOfLitestream()
    {
        Assert.Empty(ProjectFile.ProjectReferences("src/Datasette/Datasette.csproj"));
        Assert.Equal(["Datasette", "Datasette.Litestream"], ProjectFile.ProjectReferences("tools/datasette/Datasette.Door.csproj"));
        Assert.Equal(["Datasette"], ProjectFile.ProjectReferences("samples/HelloPlugin/HelloPlugin.csproj"));
        Assert.Single(File.ReadAllLines(Testing.Repository.PathOf("samples", "OwnDoor", "Program.cs")));
        Assert.DoesNotContain(
            SourceFile.ReadProject("src", "Datasette"),
            f => f.Usings.Any(u => u.StartsWith("Litestream", StringComparison.Ordinal))
        );
    }

    [Fact]
    public void Files_AreOpenedInNamedPlacesOnly() =>
        Findings.None(FileOpenings.Unlisted(SourceFile.ReadProject("src", "Datasette"), s_openings));

    private static IEnumerable<string> Mentions(string[] rooms, string[] words) =>
        SourceFile
            .ReadProject("src", "Datasette")
            .Where(f => rooms.Contains(f.Room))
            .SelectMany(f => f.Mentioned.Intersect(words).Select(word => $"{f} mentions {word}"));
}
