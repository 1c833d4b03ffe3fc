using Datasette.Litestream.Configuration;

namespace Datasette.Litestream.Tests.Configuration;

public sealed class VariableTextTests
{
    private static readonly KeyValuePair<string, string>[] s_known = [new("DB_NAME", "my db"), new("DB_DIRECTORY", "/d"), new("PWD", "/w")];

    private static string Expand(string text, params string[] unset)
    {
        var seen = new List<string>();
        var result = new VariableText(
            s_known,
            name =>
                name switch
                {
                    "A" => "aa",
                    "EMPTY" => "",
                    "LOOP" => "$A",
                    _ => null,
                }
        ).Expand(text, seen.Add);
        Assert.Equal(unset, seen);
        return result;
    }

    [Theory]
    [InlineData("$DB_NAME", "my db")]
    [InlineData("${DB_NAME}", "my db")]
    [InlineData("$DB_NAMEx/$DB_DIRECTORY/$PWD", "my dbx//d//w")]
    [InlineData("$A$A", "aaaa")]
    [InlineData("${A}b", "aab")]
    [InlineData("$LOOP", "$A")]
    [InlineData("${EMPTY:-x}${A:-y}", "xaa")]
    [InlineData("a$$b", "a$b")]
    [InlineData("100$ $1 $", "100$ $1 $")]
    [InlineData("no dollar", "no dollar")]
    public void P022_Variables_AreReplacedInOnePass(string text, string expected) => Assert.Equal(expected, Expand(text));

    [Fact]
    public void P012_UnsetVariable_IsEmptyAndReported() => Assert.Equal("/x", Expand("$NOPE/x", "NOPE"));
}
