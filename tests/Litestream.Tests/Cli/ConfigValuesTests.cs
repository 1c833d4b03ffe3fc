using Litestream.Cli.Commands;
using Litestream.Cli.Configuration;
using Xunit;

namespace Litestream.Tests.Cli;

public sealed class ConfigValuesTests
{
    [Theory]
    [InlineData("5242880", 5_242_880)]
    [InlineData("5MB", 5_000_000)]
    [InlineData("5 MiB", 5_242_880)]
    [InlineData("5M", 5_000_000)]
    [InlineData("1gib", 1L << 30)]
    [InlineData("1.5KB", 1500)]
    [InlineData("7b", 7)]
    public void Bytes_NumberWithUnit_IsCounted(string text, long bytes) => Assert.Equal(bytes, ConfigValues.Bytes("part-size", text));

    [Theory]
    [InlineData("")]
    [InlineData("five")]
    [InlineData("5 XB")]
    [InlineData("-5MB")]
    [InlineData("99999999999GiB")]
    public void Bytes_AnythingElse_NamesFieldAndValue(string text)
    {
        var e = Assert.Throws<LitestreamException>(() => ConfigValues.Bytes("part-size", text));
        Assert.StartsWith("part-size: ", e.Message, StringComparison.Ordinal);
        Assert.EndsWith($"(got {text})", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0600", 384)]
    [InlineData("600", 384)]
    [InlineData("0o755", 493)]
    public void Octal_Digits_ArePermissions(string text, int mode) => Assert.Equal(mode, ConfigValues.Octal("socket.permissions", text));

    [Theory]
    [InlineData("rw")]
    [InlineData("0680")]
    [InlineData("")]
    [InlineData("7777777777777777777777")]
    public void Octal_AnythingElse_IsRefused(string text) =>
        Assert.Throws<LitestreamException>(() => ConfigValues.Octal("socket.permissions", text));

    [Fact]
    public void Duration_BareNumber_AsksForTheUnit()
    {
        var e = Assert.Throws<LitestreamException>(() => ConfigValues.Duration("sync-interval", "10"));
        Assert.Equal("sync-interval: a duration needs a unit (got 10)", e.Message);
        Assert.StartsWith("10s", e.Hint, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a$X b", "a1 b")]
    [InlineData("${X}y", "1y")]
    [InlineData("$UNSET|${UNSET}|", "||")]
    [InlineData("${UNSET:-other}${X:-other}", "other1")]
    [InlineData("$$X", "$X")]
    [InlineData("100$ and $1 and ${", "100$ and $1 and ${")]
    [InlineData("${X Y}", "${X Y}")]
    [InlineData("$X_", "")]
    [InlineData("$", "$")]
    public void Expand_NamesAreReplaced_OtherDollarsStay(string text, string expected) =>
        Assert.Equal(expected, EnvironmentText.Expand(text, name => name == "X" ? "1" : null));

    [Theory]
    [InlineData("replika", "replica")]
    [InlineData("sync_interval", "sync-interval")]
    [InlineData("Path", "path")]
    [InlineData("colour", null)]
    [InlineData("x", null)]
    public void Nearest_FewEdits_IsMeant(string word, string? expected) =>
        Assert.Equal(expected, Nearest.Find(word, ["path", "replica", "replicas", "sync-interval", "dir"]));

    [Theory]
    [InlineData("app -port 8080", new[] { "app", "-port", "8080" })]
    [InlineData("  sh -c 'exit 3'  ", new[] { "sh", "-c", "exit 3" })]
    [InlineData("a \"b c\"d e\\ f ''", new[] { "a", "b cd", "e f", "" })]
    [InlineData("\"a\\\"b\\n\"", new[] { "a\"b\\n" })]
    [InlineData("'it''s'", new[] { "its" })]
    [InlineData("", new string[0])]
    public void ShellWords_QuotesAndBackslashes(string line, string[] words) => Assert.Equal(words, ShellWords.Split(line));

    [Fact]
    public void ShellWords_OpenQuote_IsAnError() => Assert.Throws<CliException>(() => ShellWords.Split("sh -c 'exit"));
}
