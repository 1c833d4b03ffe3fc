using Testing;
using Testing.Structure;
using Xunit;

namespace Litestream.Tests;

/// <summary>The floor plan of the engine, held as a table. ARCHITECTURE.md draws the same.</summary>
public sealed class ArchitectureTests
{
    private const string Ground = "LitestreamException";

    private static RoomRules EngineRules() =>
        new RoomRules("Litestream")
            .RootFiles(Ground, "LitestreamException")
            .Room(SourceFile.Root, "Restore", "Compaction", "Replication", "Replicas", "Ltx", "Sqlite", "IO", "Diagnostics", Ground)
            .Room("Restore", "Replicas", "Ltx", "Sqlite", "IO", "Diagnostics", Ground)
            .Room("Compaction", "Replicas", "Ltx", "Sqlite", "IO", "Diagnostics", Ground)
            .Room("Replication", "Replicas", "Ltx", "Sqlite", "IO", "Diagnostics", Ground)
            .Room("Replicas", "Ltx", "IO", "Diagnostics", Ground)
            .Room("Ltx", "Diagnostics", Ground)
            .Room("Sqlite", "IO", "Diagnostics", Ground)
            .Room("IO", "Diagnostics", Ground)
            .Room("Diagnostics", Ground)
            .Room(Ground)
            .Except("LitestreamException.cs", "Ltx/Txid.cs", "a failure names the transactions it concerns, and ids have types (rule 5)");

    // Words that would mean a file path, SQLite or a network where none may be known.
    private static readonly string[] s_outsideWords =
    [
        "File",
        "FileStream",
        "FileInfo",
        "Directory",
        "DirectoryInfo",
        "HttpClient",
        "Socket",
        "SqliteConnection",
        "SQLitePCL",
        "DurableFiles",
    ];

    // Circles that are right, and why.
    private static readonly Dictionary<string, string> s_circles = new()
    {
        ["IO/DurableFiles.cs IO/SystemDurableFiles.cs"] = "the seam names its one real implementation, as TimeProvider.System does",
    };

    [Fact]
    public void Engine_KnowsOnlyRoomsBelow() => Findings.None(EngineRules().Violations(SourceFile.ReadProject("src", "Litestream")));

    [Theory]
    [InlineData("Litestream")]
    [InlineData("Litestream.S3")]
    [InlineData("Litestream.Cli")]
    public void Rooms_HaveNoCircleOfFiles(string project) =>
        Findings.None(FileCircles.Unlisted(SourceFile.ReadProject("src", project), s_circles));

    [Fact]
    public void Ltx_KnowsNoFilePathSqliteOrNetwork() =>
        Findings.None(
            SourceFile
                .ReadProject("src", "Litestream")
                .Where(f => f.Room == "Ltx")
                .SelectMany(f => f.Mentioned.Intersect(s_outsideWords).Select(word => $"{f} mentions {word}"))
        );

    [Fact]
    public void Projects_ReferToWhatThePlanSays()
    {
        Assert.Empty(ProjectFile.ProjectReferences("src/Litestream/Litestream.csproj"));
        Assert.Equal(["Litestream"], ProjectFile.ProjectReferences("src/Litestream.S3/Litestream.S3.csproj"));
        Assert.Equal(["Litestream", "Litestream.S3"], ProjectFile.ProjectReferences("src/Litestream.Cli/Litestream.Cli.csproj"));
        Assert.Equal(["Litestream.Cli"], ProjectFile.ProjectReferences("tools/litestream/Litestream.Door.csproj"));
    }

    [Fact]
    public void Engine_KnowsNoCloudCommandLineOrWebServer() =>
        Assert.DoesNotContain(
            ProjectFile.Packages("src/Litestream/Litestream.csproj"),
            p =>
                p.StartsWith("AWSSDK", StringComparison.Ordinal)
                || p.StartsWith("Microsoft.AspNetCore", StringComparison.Ordinal)
                || p is "System.CommandLine" or "YamlDotNet"
        );

    [Fact]
    public void Files_AreOpenedInNamedPlacesOnly()
    {
        var engine = new Dictionary<string, string>
        {
            ["IO/SystemDurableFiles.cs"] = "the engine's own files: LTX files, restored databases before they get their name, locks",
            ["Sqlite/WalFile.cs"] = "the -wal file: SQLite takes no lock on it, so it may be opened and closed freely",
            ["IO/ProcFiles.cs"] = "what Linux tells under /proc: no file on any disk",
            ["IO/Posix.cs"] = "the same files, for SystemDurableFiles, without the framework's own locks",
        };
        Findings.None(FileOpenings.Unlisted(SourceFile.ReadProject("src", "Litestream"), engine));
        var s3 = new Dictionary<string, string> { ["S3Options.cs"] = "files with secrets that settings name" };
        Findings.None(FileOpenings.Unlisted(SourceFile.ReadProject("src", "Litestream.S3"), s3));
        var cli = new Dictionary<string, string> { ["LitestreamConfig.cs"] = "the configuration file" };
        Findings.None(FileOpenings.Unlisted(SourceFile.ReadProject("src", "Litestream.Cli"), cli));
    }

    // The judges are judged: each finds what is planted, and leaves alone what is right.

    [Theory]
    [InlineData("Ltx/A.cs", "using Litestream.Sqlite;\nnamespace Litestream.Ltx;\nclass A { WalReader r; }", "Sqlite/WalReader.cs")]
    [InlineData("Ltx/A.cs", "namespace Litestream.Ltx; class A { object o = new Sqlite.WalReader(); }", "Sqlite/WalReader.cs")]
    [InlineData("Restore/A.cs", "namespace Litestream.Restore; class A { LitestreamStore s; }", "LitestreamStore.cs")]
    [InlineData(
        "Replicas/A.cs",
        "namespace Litestream.Replicas; class A { string s = $\"{Litestream.Sqlite.WalReader.Name}\"; }",
        "Sqlite/WalReader.cs"
    )]
    public void Rules_FindAPlantedArrow(string path, string text, string target)
    {
        var violation = Assert.Single(PlantedRules().Violations([.. PlantedFiles(), SourceFile.Parse(path, text)]));
        Assert.StartsWith(path, violation, StringComparison.Ordinal);
        Assert.Contains(target, violation, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(
        "Ltx/A.cs",
        "namespace Litestream.Ltx; /* WalReader */ class A { string s = \"Sqlite.WalReader\"; /// <see cref=\"LitestreamStore\"/>\n }"
    )]
    [InlineData("Restore/A.cs", "using Litestream.Sqlite; namespace Litestream.Restore; class A { WalReader r; int LitestreamStore; }")]
    [InlineData("Ltx/A.cs", "namespace Litestream.Ltx; class WalReader; class B { WalReader r; }")]
    public void Rules_LeaveRightArrowsAlone(string path, string text) =>
        Assert.Empty(PlantedRules().Violations([.. PlantedFiles(), SourceFile.Parse(path, text)]));

    [Fact]
    public void Rules_FindARoomThatIsNotOnThePlanAndAnExceptionThatNobodyNeeds()
    {
        var violations = PlantedRules()
            .Except("Ltx/Gone.cs", "Sqlite/WalReader.cs", "an example")
            .Violations([SourceFile.Parse("Attic/A.cs", "class A;")]);
        Assert.Equal(2, violations.Count);
    }

    [Fact]
    public void Circles_FindsThreeFilesInARingAndNothingElse()
    {
        var files = new[]
        {
            SourceFile.Parse("Ltx/A.cs", "namespace L; class A { B b; Shared Shared { get; } }"),
            SourceFile.Parse("Ltx/B.cs", "namespace L; class B { void F(C c) { } }"),
            SourceFile.Parse("Ltx/C.cs", "namespace L; record C(object X) { bool Is => X is A; }"),
            SourceFile.Parse("Ltx/Shared.cs", "namespace L; class Shared { int A; string B = \"B\"; /* C */ }"),
            SourceFile.Parse("Ltx/Half.One.cs", "namespace L; partial class Half { Shared s; }"),
            SourceFile.Parse("Ltx/Half.Two.cs", "namespace L; partial class Half { Half h; }"),
        };
        Assert.Equal(["Ltx/A.cs", "Ltx/B.cs", "Ltx/C.cs"], Assert.Single(FileCircles.Find(files)));
    }

    [Theory]
    [InlineData("var bytes = File.ReadAllBytes(path);")]
    [InlineData("using var s = new FileStream(path, FileMode.Open);")]
    [InlineData("System.IO.File.Copy(a, b);")]
    [InlineData("new FileInfo(path).CopyTo(other);")]
    [InlineData("RandomAccess.Read(handle, span, 0);")]
    public void Openings_FindsAPlantedOne(string line) =>
        Assert.Single(
            FileOpenings.Unlisted(
                [SourceFile.Parse("Sqlite/A.cs", $"class A\n{{ void F() {{ {line} }} }}")],
                new Dictionary<string, string>()
            )
        );

    [Theory]
    [InlineData("if (File.Exists(path)) File.Delete(path); // File.Copy")]
    [InlineData("log.Add(\"File.Copy\"); store.File.Copy(a);")]
    public void Openings_LeavesOthersAlone(string line) =>
        Assert.Empty(
            FileOpenings.Unlisted(
                [SourceFile.Parse("Sqlite/A.cs", $"class A {{ void F() {{ {line}\n }} }}")],
                new Dictionary<string, string>()
            )
        );

    private static RoomRules PlantedRules() =>
        new RoomRules("Litestream")
            .Room(SourceFile.Root, "Ltx", "Sqlite")
            .Room("Ltx")
            .Room("Sqlite")
            .Room("Replicas", "Ltx")
            .Room("Restore", "Sqlite");

    private static SourceFile[] PlantedFiles() =>
        [
            SourceFile.Parse("LitestreamStore.cs", "using Litestream.Sqlite; namespace Litestream; class LitestreamStore { WalReader r; }"),
            SourceFile.Parse("Sqlite/WalReader.cs", "namespace Litestream.Sqlite; class WalReader { public static string Name; }"),
        ];
}
