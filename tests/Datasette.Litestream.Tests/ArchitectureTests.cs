using Testing.Structure;
using Xunit;

namespace Datasette.Litestream.Tests;

/// <summary>What the plugin may know. The checkers themselves are tried in Litestream.Tests.</summary>
public sealed class ArchitectureTests
{
    // Rooms of the host that stand behind IDatasette.
    private static readonly string[] s_behindTheHooks = ["Datasette.Views", "Datasette.Hosting", "Datasette.Defaults", "Datasette.Cli"];

    [Fact]
    public void Plugin_DoesNotReachPastIDatasette() =>
        Findings.None(
            SourceFile
                .ReadProject("src", "Datasette.Litestream")
                .SelectMany(f =>
                    f.Usings.Where(u => s_behindTheHooks.Any(room => u == room || u.StartsWith(room + ".", StringComparison.Ordinal)))
                        .Concat(f.Mentioned.Intersect(["DatasetteApp"]))
                        .Select(word => $"{f} knows {word}")
                )
        );

    [Fact]
    public void Project_RefersToWhatThePlanSays() =>
        Assert.Equal(
            ["Datasette", "Litestream", "Litestream.Cli", "Litestream.S3"],
            ProjectFile.ProjectReferences("src/Datasette.Litestream/Datasette.Litestream.csproj")
        );

    [Fact]
    public void Files_HaveNoCircle() =>
        Findings.None(FileCircles.Unlisted(SourceFile.ReadProject("src", "Datasette.Litestream"), new Dictionary<string, string>()));

    [Fact]
    public void Files_AreOpenedInNamedPlacesOnly() =>
        Findings.None(
            FileOpenings.Unlisted(
                SourceFile.ReadProject("src", "Datasette.Litestream"),
                new Dictionary<string, string> { ["HostDatabases.cs"] = "the text files that the configuration names by $file" }
            )
        );
}
