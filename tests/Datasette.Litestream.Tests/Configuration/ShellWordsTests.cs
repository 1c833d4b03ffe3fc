using Datasette.Litestream.Configuration;
using Testing;

namespace Datasette.Litestream.Tests.Configuration;

public sealed class ShellWordsTests
{
    public static TheoryData<string> Lines =>
        [
            "cat creds.json",
            "  cat   'my creds.json'  ",
            "a\"b c\"d 'e'f",
            "one\\ word two",
            "'it'\\''s' \"a \\\"quote\\\"\"",
            "\"\" '' x",
            "a 'b\\' \"c\\d\" e",
            "tab\tand\nline",
            "no $HOME no *.x no ~ no #x",
            "\"\\$x\" \"\\`\" \"\\\\\"",
        ];

    [Theory]
    [MemberData(nameof(Lines))]
    public async Task P083_SplitsAsAShellDoes(string line)
    {
        // The shell with everything switched off that is more than splitting; each word on a line of its own, in brackets.
        var quiet = line.Replace("$HOME", "\\$HOME").Replace("*", "\\*").Replace("~", "\\~").Replace("#", "\\#").Replace("\n", " ");
        await using var shell = await TestProcess.RunAsync(
            "/bin/sh",
            ["-c", $"printf '[%s]\\n' {quiet}"],
            cancellationToken: TestContext.Current.CancellationToken
        );

        Assert.Equal(shell.StandardOutput, string.Concat(ShellWords.Split(line)!.Select(word => $"[{word}]\n")));
    }

    [Theory]
    [InlineData("cat 'x")]
    [InlineData("cat \"x")]
    [InlineData("cat x\\")]
    public void P083_OpenEnd_IsNoCommandLine(string line) => Assert.Null(ShellWords.Split(line));

    [Fact]
    public void P083_Nothing_HasNoWords() => Assert.Empty(ShellWords.Split("  ")!);
}
