using System.CommandLine;
using Litestream.Cli;
using Testing;
using Xunit;

namespace Litestream.Tests.Cli;

/// <summary>The tree below another program's command line, as the Datasette plugin mounts it.</summary>
public sealed class MountedCommandTests
{
    [Theory]
    [InlineData("host litestream databases -json -config $CONFIG", 0, "[]\n", "")]
    [InlineData("host litestream databases --json --config=$CONFIG", 0, "[]\n", "")]
    [InlineData("host litestream paint", 1, "", "Error: litestream paint: unknown command\n")]
    [InlineData("host litestream restore -integrity-check maybe", 1, "", "Error: invalid -integrity-check value: maybe\n")]
    public async Task Mounted_RunsAsTheProgramItself(string line, int exit, string output, string error)
    {
        using var folder = new TempFolder();
        var config = folder.Combine("c.yml");
        File.WriteAllText(config, "");
        var root = new RootCommand { new Command("host") { LitestreamCommand.Create() } };
        using var o = new StringWriter { NewLine = "\n" };
        using var e = new StringWriter { NewLine = "\n" };
        var parsed = root.Parse(line.Replace("$CONFIG", config, StringComparison.Ordinal).Split(' '));
        var result = await parsed.InvokeAsync(new InvocationConfiguration { Output = o, Error = e }, TestContext.Current.CancellationToken);
        Assert.Equal((exit, output, error), (result, o.ToString(), e.ToString()));
    }

    [Theory]
    [InlineData("litestream -h", "litestream is a tool for replicating SQLite databases.")]
    [InlineData("litestream restore --help", "The restore command makes a database file from a replica.")]
    public async Task Mounted_Help_IsOurs(string line, string first)
    {
        var root = new RootCommand { LitestreamCommand.Create() };
        using var o = new StringWriter();
        var result = await root.Parse(line.Split(' '))
            .InvokeAsync(new InvocationConfiguration { Output = o }, TestContext.Current.CancellationToken);
        Assert.Equal(0, result);
        Assert.StartsWith(first, o.ToString(), StringComparison.Ordinal);
    }
}
