using Datasette.Litestream.Status;

namespace Datasette.Litestream.Tests.Status;

public sealed class MetricTablesTests
{
    private static readonly KeyValuePair<string, string>[] s_names =
    [
        new("/data/earthquakes.db", "earthquakes"),
        new("/data/elements.db", "elements"),
    ];

    [Fact]
    public void P044_Samples_AreSortedIntoTheTablesOfTheOriginal()
    {
        var tables = MetricTables.From(Samples.Metrics, s_names);

        Assert.Equal(new OperationRow("PUT", "s3", 18402117), Assert.Single(tables.OperationBytes));
        Assert.Equal(new OperationRow("PUT", "s3", 1764), Assert.Single(tables.OperationCounts));
        Assert.Equal(["earthquakes", "elements"], tables.Databases.Select(database => database.Name));
        Assert.Equal(
            ["litestream_db_size", "litestream_sync_seconds", "litestream_checkpoint_count{mode=\"TRUNCATE\"}"],
            tables.Databases[0].Rows.Select(row => row.Key)
        );
    }

    [Fact]
    [Trait("Rule", "P063")]
    [Trait("Rule", "P088")]
    public void P045_SampleOfAnUnknownDatabase_IsLeftOut() =>
        Assert.DoesNotContain(
            MetricTables.From(Samples.Metrics, s_names).Databases.SelectMany(database => database.Rows),
            row => row.Value == 1
        );
}
