using System.Text.Json.Nodes;
using Datasette.Text;
using Xunit;

namespace Datasette.Tests.Text;

public class TextTests
{
    [Theory]
    [InlineData("plain_Name-1", "plain_Name-1")]
    [InlineData("table/with/slashes.csv", "table~2Fwith~2Fslashes~2Ecsv")]
    [InlineData("Table With Space", "Table+With+Space")]
    [InlineData("~%,", "~7E~25~2C")]
    [InlineData("𝐜", "~F0~9D~90~9C")]
    [InlineData("", "")]
    public void Encode_AnyName_IsReversible(string name, string encoded)
    {
        Assert.Equal(encoded, TildeEncoding.Encode(name));
        Assert.Equal(name, TildeEncoding.Decode(encoded));
    }

    [Theory]
    [InlineData("a~20b", "a b")]
    [InlineData("a~2fb", "a/b")]
    [InlineData("a%2Fb", "a%2Fb")]
    [InlineData("a~zz", "a~zz")]
    [InlineData("a~2", "a~2")]
    [InlineData("~FF", "\uFFFD")]
    public void Decode_OddText_NeverFails(string encoded, string name) => Assert.Equal(name, TildeEncoding.Decode(encoded));

    [Theory]
    [InlineData("simple", "simple")]
    [InlineData("_neighborhood", "neighborhood-b352a7")]
    [InlineData("-no-leading-hyphens", "no-leading-hyphens-65bea6")]
    [InlineData("no $ characters", "no--characters-59e024")]
    public void CssClass_FollowsTheRule(string name, string expected) => Assert.Equal(expected, TildeEncoding.CssClass(name));

    [Fact]
    public void CssClass_OfNothingUsable_IsTheSuffixAlone() => Assert.Equal(6, TildeEncoding.CssClass("☃").Length);

    [Theory]
    [InlineData(0, "A")]
    [InlineData(25, "Z")]
    [InlineData(26, "0")]
    [InlineData(36, "a")]
    [InlineData(61, "z")]
    [InlineData(62, "BA")]
    [InlineData(-62, "-BA")]
    [InlineData(long.MaxValue, null)]
    [InlineData(long.MinValue, null)]
    public void Base62_UsesLettersThenDigits(long value, string? text)
    {
        var encoded = Base62.Encode(value);
        if (text is not null)
        {
            Assert.Equal(text, encoded);
        }

        Assert.True(Base62.TryDecode(encoded, out var back));
        Assert.Equal(value, back);
    }

    [Theory]
    [InlineData("")]
    [InlineData("-")]
    [InlineData("a b")]
    [InlineData("zzzzzzzzzzzz")]
    public void Base62_NoNumber_IsRefused(string text) => Assert.False(Base62.TryDecode(text, out _));

    [Theory]
    [InlineData("id", "id")]
    [InlineData("_city_id", "_city_id")]
    [InlineData("group", "\"group\"")]
    [InlineData("Returning", "\"Returning\"")]
    [InlineData("nothing", "\"nothing\"")]
    [InlineData("123_starts_with_digits", "\"123_starts_with_digits\"")]
    [InlineData("a\"b", "\"a\"\"b\"")]
    [InlineData("a]b", "\"a]b\"")]
    [InlineData("", "\"\"")]
    [InlineData("é", "\"é\"")]
    public void Quote_OnlyWhereNeeded(string name, string expected) => Assert.Equal(expected, SqlText.Quote(name));

    [Theory]
    [InlineData("dog", "\"dog\"")]
    [InlineData("te* AND do*", "\"te*\" \"AND\" \"do*\"")]
    [InlineData("\"terry", "\"terry\"")]
    [InlineData("cat \"big dog\" x", "\"cat\" \"big dog\" \"x\"")]
    [InlineData("a\"b\"c", "\"a\" \"b\" \"c\"")]
    [InlineData("\"\"", "")]
    [InlineData("  ", "")]
    public void EscapeFts_MakesEveryWordPlain(string query, string expected) => Assert.Equal(expected, SqlText.EscapeFts(query));

    [Theory]
    [InlineData(1.0, "1.0")]
    [InlineData(-0.0, "-0.0")]
    [InlineData(0.1, "0.1")]
    [InlineData(1e16, "1e+16")]
    [InlineData(1e21, "1e+21")]
    [InlineData(1.5e-7, "1.5e-07")]
    [InlineData(0.0001, "0.0001")]
    [InlineData(0.00001, "1e-05")]
    [InlineData(123456789012345680.0, "1.2345678901234568e+17")]
    [InlineData(9007199254740993.0, "9007199254740992.0")]
    [InlineData(1e23, "1e+23")]
    [InlineData(5e-324, "5e-324")]
    [InlineData(0.5740642196263323, "0.5740642196263323")]
    [InlineData(1200.0, "1200.0")]
    [InlineData(double.PositiveInfinity, "inf")]
    public void Real_IsWrittenAsPythonDoes(double value, string expected) => Assert.Equal(expected, SqlText.Real(value));

    [Fact]
    public void Names_FindsParametersOutsideTextsAndComments()
    {
        const string Sql = "select :a, ':b', \":c\", [:d], `:e` -- :f\n, :g /* :h */, x::int, :a, :_i where '''' = ':j' and :k";
        Assert.Equal(["a", "g", "_i", "k"], SqlParameters.Names(Sql));
    }

    [Fact]
    public void Names_OfTextThatNeverCloses_AreThoseBefore() => Assert.Equal(["a"], SqlParameters.Names("select :a, ':b"));

    [Fact]
    public void Rename_LeavesTheRestAlone()
    {
        Assert.Equal("select :x_a, ':a', :x_b", SqlParameters.Rename("select :a, ':a', :b", n => "x_" + n));
    }

    [Fact]
    public void PythonJson_IsSpacedAndAscii()
    {
        Assert.Equal(
            "[1, \"\\u00e9\\n\", {\"a\": null, \"b\": 1.5}]",
            PythonJson.Write(JsonNode.Parse("[1,\"é\\n\",{\"a\":null,\"b\":1.5}]"))
        );
    }
}
