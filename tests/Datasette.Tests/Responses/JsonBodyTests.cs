using System.Text;
using Datasette.Responses;
using Xunit;

namespace Datasette.Tests.Responses;

/// <summary>What JSON promises: exact integers, reals that stay reals, bytes in their envelope.</summary>
public sealed class JsonBodyTests
{
    [Theory]
    [InlineData(1.0, "1.0")]
    [InlineData(-0.5, "-0.5")]
    [InlineData(1e20, "1E+20")]
    [InlineData(100000.0, "100000.0")]
    [InlineData(double.PositiveInfinity, "null")]
    public void Write_Real_IsShortestWithAPoint(double value, string json) => Assert.Equal(json, Text(value));

    [Fact]
    public void Write_LargestInteger_IsExact() => Assert.Equal("9223372036854775807", Text(long.MaxValue));

    [Fact]
    public void Write_Bytes_AreAnEnvelope() => Assert.Equal("{\"$base64\":true,\"encoded\":\"AAH/\"}", Text(new byte[] { 0, 1, 255 }));

    [Fact]
    public void Write_ColumnTwice_LastValueAtFirstPlace() =>
        Assert.Equal(
            "[{\"a\":3,\"b\":2}]",
            Text(
                new JsonRows(
                    ["a", "b", "a"],
                    [
                        [1L, 2L, 3L],
                    ]
                )
            )
        );

    [Fact]
    public void Write_InfinityAskedFor_IsTheBareWord() =>
        Assert.Equal("-Infinity", Encoding.UTF8.GetString(JsonBody.ToBytes(double.NegativeInfinity, true).Span));

    private static string Text(object? value) => Encoding.UTF8.GetString(JsonBody.ToBytes(value).Span);
}
