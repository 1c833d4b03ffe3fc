using Datasette.Responses;
using Xunit;

namespace Datasette.Tests.Responses;

/// <summary>Query strings.</summary>
public sealed class QueryArgsTests
{
    [Fact]
    public void Parse_BlankAndRepeated_AreKept()
    {
        var args = QueryArgs.Parse("a=1&b=&a=2&c&d=x+y%2Fz");
        Assert.Equal("1", args["a"]);
        Assert.Equal(["1", "2"], args.All("a"));
        Assert.True(args.Has("b"));
        Assert.False(args.Flag("b"));
        Assert.Equal("x y/z", args["d"]);
    }

    [Fact]
    public void Replace_Key_DropsTheOldOnes() =>
        Assert.Equal("b=2&_next=a%2Cb", QueryArgs.Parse("_next=x&b=2&_next=y").Replace("_next", "a,b").Raw);

    [Fact]
    public void Parse_InvalidPercent_StaysAsItIs() => Assert.Equal("100%", QueryArgs.Parse("q=100%")["q"]);

    [Theory]
    [InlineData("//evil.example", "/evil.example")]
    [InlineData("/\\evil.example", "/evil.example")]
    [InlineData("/a//b", "/a//b")]
    public void SafeLocation_LeadingSlashes_BecomeOne(string given, string safe) => Assert.Equal(safe, Respond.SafeLocation(given));
}
