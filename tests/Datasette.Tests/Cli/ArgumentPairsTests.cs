using System.CommandLine;
using Datasette.Cli;
using Xunit;

namespace Datasette.Tests.Cli;

/// <summary>Arguments before the parser sees them.</summary>
public sealed class ArgumentPairsTests
{
    private static readonly RootCommand Root = [new Command("serve"), new Command("create-token"), new Command("plugins")];

    [Fact]
    public void Prepare_NoCommand_MeansServe() =>
        Assert.Equal(["serve", "a.db", "-p", "0"], ArgumentPairs.Prepare(Root, ["a.db", "-p", "0"]));

    [Fact]
    public void Prepare_NoArguments_MeansServe() => Assert.Equal(["serve"], ArgumentPairs.Prepare(Root, []));

    [Fact]
    public void Prepare_Setting_TakesTwoValuesAndNoMore()
    {
        var tokens = ArgumentPairs.Prepare(Root, ["-s", "default_page_size", "5", "a.db", "--setting=sql_time_limit_ms", "50"]);
        Assert.Equal(["serve", "-s", "default_page_size\u00005", "a.db", "--setting", "sql_time_limit_ms\u000050"], tokens);
        Assert.Equal(["default_page_size", "5"], ArgumentPairs.Split(tokens[2]));
    }

    [Fact]
    public void Prepare_SettingWithoutValue_IsWrongUsage()
    {
        var refused = Assert.Throws<StartupException>(() => ArgumentPairs.Prepare(Root, ["a.db", "-s", "default_page_size"]));
        Assert.Equal(2, refused.ExitCode);
    }

    [Fact]
    public void Prepare_CreateToken_JoinsPairsAndTriples() =>
        Assert.Equal(
            ["create-token", "root", "-d", "docs\u0000view-database", "-r", "docs\u0000t\u0000insert-row"],
            ArgumentPairs.Prepare(Root, ["create-token", "root", "-d", "docs", "view-database", "-r", "docs", "t", "insert-row"])
        );

    [Theory]
    [InlineData(2, "--nonsense")]
    [InlineData(2, "-p", "99999")]
    [InlineData(2, "-i", "missing.db")]
    [InlineData(2, "-c", "missing.yaml")]
    [InlineData(1, "missing.db")]
    [InlineData(1, "--memory", "--headers")]
    [InlineData(1, "--memory", "--get", "no-slash")]
    [InlineData(2, "--memory", "-s", "allow_facet", "maybe", "--get", "/")]
    [InlineData(2, "create-token", "root")]
    [InlineData(2, "install")]
    [InlineData(1, "publish")]
    [InlineData(1, "uninstall", "x")]
    public async Task Run_WrongUsage_EndsWithItsCode(int code, params string[] args) =>
        Assert.Equal(code, await DatasetteCommand.RunAsync(args, []));
}
