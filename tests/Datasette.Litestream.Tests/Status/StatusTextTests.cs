using Datasette.Litestream.Status;

namespace Datasette.Litestream.Tests.Status;

public sealed class StatusTextTests
{
    [Theory]
    [InlineData(0, "0 bytes")]
    [InlineData(1, "1 byte")]
    [InlineData(1023, "1023 bytes")]
    [InlineData(131072, "128 kB")]
    [InlineData(214958080, "205.0 MB")]
    [InlineData(1024 * 1024 - 1, "1.0 MB")]
    [InlineData(1L << 40, "1.0 TB")]
    public void Bytes_AreInWords(long bytes, string expected) => Assert.Equal(expected, StatusText.Bytes(bytes));

    [Theory]
    [InlineData(-5, "0 s")]
    [InlineData(59.9, "59 s")]
    [InlineData(60, "1 min")]
    [InlineData(1736, "28 min 56 s")]
    [InlineData(11460, "3 h 11 min")]
    [InlineData(93600 * 2, "2 d 4 h")]
    public void Spans_AreInWords(double seconds, string expected) => Assert.Equal(expected, StatusText.Span(TimeSpan.FromSeconds(seconds)));

    [Fact]
    public void Time_OfAnotherDay_HasItsDate()
    {
        Assert.Equal("14:03:11", StatusText.Clock(Samples.Now.AddSeconds(-1738), Samples.Now));
        Assert.Equal("4 Oct 14:32:09", StatusText.Clock(Samples.Now.AddDays(-1), Samples.Now));
        Assert.Equal(
            "<time datetime=\"2026-10-05T14:32:09Z\">14:32:09 UTC</time>",
            StatusText.Time(Samples.Now, Samples.Now, " UTC").Value
        );
    }

    [Fact]
    public void Numbers_HaveThousands()
    {
        Assert.Equal("18,402,117", StatusText.Count(18402117));
        Assert.Equal("41.903", StatusText.Count(41.903));
        Assert.Equal("1 try", StatusText.Count(1, "try"));
    }
}
