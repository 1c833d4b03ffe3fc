using Datasette.Litestream.Status;

namespace Datasette.Litestream.Tests.Status;

public sealed class MetricTablesTests
{
    private static readonly KeyValuePair<string, string>[] s_names = [new("/data/earthquakes.db", "earthquakes"), new("/data/elements.db", "elements")];

    [Fact]
    public void P044_Samples_AreSortedIntoTheTablesOfTheOriginal()
    {
        var tables = MetricTables.From(MetricTables.Parse(Samples.Metrics), s_names);

        Assert.Equal(new OperationRow("PUT", "s3", 18402117), Assert.Single(tables.OperationBytes));
        Assert.Equal(new OperationRow("PUT", "s3", 1764), Assert.Single(tables.OperationCounts));
        Assert.Equal(["earthquakes", "elements"], tables.Databases.Select(database => database.Name));
        Assert.Equal(
            ["litestream_db_size", "litestream_sync_seconds", "litestream_checkpoint_count{mode=\"TRUNCATE\"}"],
            tables.Databases[0].Rows.Select(row => row.Key)
        );
    }

    [Fact]
    public void P045_SampleOfAnUnknownDatabase_IsLeftOut() =>
        Assert.DoesNotContain(MetricTables.From(MetricTables.Parse(Samples.Metrics), s_names).Databases.SelectMany(database => database.Rows), row => row.Value == 1);

    [Fact]
    public void Parse_UnderstandsEscapesAndSkipsNonsense()
    {
        var samples = MetricTables.Parse("a{db=\"x\\\"y\\\\z\\n\",b=\"}\"} 1.5e3 1700000000\nnonsense\nc{d=\"e} 1\nf +Inf\n# g 1\n\nh 2");

        Assert.Equal(["a", "h"], samples.Where(sample => double.IsFinite(sample.Value)).Select(sample => sample.Name));
        Assert.Equal("x\"y\\z\n", samples[0].Labels["db"]);
        Assert.Equal("}", samples[0].Labels["b"]);
        Assert.Equal(1500, samples[0].Value);
    }
}
