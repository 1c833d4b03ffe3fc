using System.Text;
using Litestream.Ltx;
using Xunit;

namespace Litestream.Tests.Ltx;

public class XxHash32Tests
{
    [Theory]
    [InlineData("", 0x02CC5D05)]
    [InlineData("a", 0x550D7456)]
    [InlineData("abc", 0x32D153FF)]
    [InlineData("Nobody inspects the spammish repetition", 0xE2293B2F)]
    public void Hash_KnownText_GivesThePublishedNumber(string text, uint expected) =>
        Assert.Equal(expected, XxHash32.Hash(Encoding.ASCII.GetBytes(text)));

    [Fact]
    public void Hash_LegacyPage_GivesTheNumberOfTheWorkedExample() => Assert.Equal(0x94176a30u, XxHash32.Hash(LtxSamples.SnapshotPage(1)));
}
