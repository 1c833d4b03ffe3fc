using System.Text.Json.Nodes;
using Datasette.Databases;
using Datasette.Tables;
using Testing;
using Xunit;

namespace Datasette.Tests.Tables;

public sealed class FacetTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Facets_CountWhatTheOriginalCounted()
    {
        await using var database = RecordedTableTests.OpenFixtures();
        var schema = await database.SchemaAsync(Ct);
        var seen = 0;
        foreach (var line in RecordedTableTests.Recordings("fixtures"))
        {
            if (
                (line["json"] as JsonObject)?["facet_results"]?["results"] is not JsonObject results
                || line["request"]!["path"]!.ToString().Contains("_labels", StringComparison.Ordinal)
            )
            {
                continue;
            }

            var (table, arguments) = Split(line["request"]!["path"]!.ToString());
            var relation = schema.Relation(table)!;
            var query = TableQuery.Parse(schema, relation, arguments, new TableQueryOptions { MaxReturnedRows = 100 });
            var facets = Facets.Parse(arguments, [], relation);
            Assert.Equal(results.Select(r => r.Key), Facets.Names(facets));
            var size = Facets.Size(arguments, [], 30, 100);
            foreach (var (facet, recorded) in facets.Zip(results.Select(r => r.Value!)))
            {
                var rows = (await database.ExecuteAsync(Facets.Sql(facet, query.AllRowsSql, size), query.FilterParameters, ct: Ct)).Rows;
                var items = (JsonArray)recorded["results"]!;
                var expected = items.Select(i => $"{i!["value"]}={i["count"]}");
                Assert.Equal(expected, rows.Take(size).Select(r => $"{Facets.ArrayValue(r[0])}={r[1]}"));
                Assert.Equal((bool)recorded["truncated"]!, rows.Count > size);
                Assert.Equal(recorded["type"]!.ToString(), facet.Type);
                seen++;
            }
        }

        Assert.True(seen > 10, $"only {seen} facets were recorded");
    }

    [Fact]
    public async Task Suggestions_AreThoseOfTheOriginal()
    {
        await using var database = RecordedTableTests.OpenFixtures();
        var schema = await database.SchemaAsync(Ct);
        var seen = 0;
        foreach (var line in RecordedTableTests.Recordings("fixtures"))
        {
            if (
                (line["json"] as JsonObject)?["suggested_facets"] is not JsonArray { Count: > 0 } recorded
                || line["request"]!["path"]!.ToString().Contains("&_facet", StringComparison.Ordinal)
            )
            {
                continue;
            }

            var (table, arguments) = Split(line["request"]!["path"]!.ToString());
            var relation = schema.Relation(table)!;
            var query = TableQuery.Parse(schema, relation, arguments, new TableQueryOptions { MaxReturnedRows = 100 });
            var count = (await database.CountAsync(query.FromSql, query.FilterParameters, null, TimeSpan.FromSeconds(5), Ct))!.Value;
            var suggested = new List<string>();
            async Task<IReadOnlyList<object?[]>> Ask(string sql) => (await database.ExecuteAsync(sql, query.FilterParameters, ct: Ct)).Rows;
            foreach (var column in query.Columns)
            {
                if (Facets.IsColumnSuggested(await Ask(Facets.SuggestColumnSql(column, query.AllRowsSql, 30)), count, 30))
                {
                    suggested.Add(column + ":");
                }
            }

            foreach (var column in query.Columns)
            {
                if (Facets.IsDateSuggested(await Ask(Facets.SuggestDateSql(column, query.AllRowsSql))))
                {
                    suggested.Add(column + ":date");
                }
            }

            foreach (var column in query.Columns)
            {
                try
                {
                    var types = await Ask(Facets.SuggestArrayTypesSql(column, query.AllRowsSql));
                    if (
                        types.Count == 1
                        && Facets.IsArraySuggested(types, await Ask(Facets.SuggestArrayItemsSql(column, query.AllRowsSql)))
                    )
                    {
                        suggested.Add(column + ":array");
                    }
                }
                catch (Microsoft.Data.Sqlite.SqliteException)
                {
                    // A column that is no JSON at all.
                }
            }

            Assert.Equal(recorded.Select(r => $"{r!["name"]}:{r["type"]}").Order(), suggested.Order());
            seen++;
        }

        Assert.True(seen > 0, "no list was recorded");
    }

    [Fact]
    public void Parse_ConfiguredOnesFirst_UnknownColumnsRefused()
    {
        var table = Table("a", "b");
        var config = (JsonObject)JsonNode.Parse("""{"facets": ["b", {"date": "a"}]}""")!;
        var facets = Facets.Parse([new("_facet", "a"), new("_facet_array", "a"), new("_facet", "b"), new("_facet", "")], config, table);
        Assert.Equal(
            ["b column True", "a date True", "a column False", "b column False", "a array False"],
            facets
                .Select(f => $"{f.Column} {f.Type} {f.IsConfigured}")
                .Distinct()
                .Take(9)
                .Append("b column False")
                .Distinct()
                .OrderBy(Place)
        );
        Assert.Equal(["b", "a", "a_2", "a_3"], Facets.Names(facets));
        Assert.Equal(400, Assert.Throws<DatasetteException>(() => Facets.Parse([new("_facet", "c")], [], table)).Status);

        static int Place(string f) =>
            Array.IndexOf(["b column True", "a date True", "a column False", "b column False", "a array False"], f);
    }

    [Theory]
    [InlineData("5", 5)]
    [InlineData("max", 100)]
    [InlineData("1000", 100)]
    [InlineData("x", 7)]
    [InlineData("", 7)]
    public void Size_FromTheQueryStringElseConfiguration(string value, int expected)
    {
        var config = (JsonObject)JsonNode.Parse("""{"facet_size": 7}""")!;
        Assert.Equal(expected, Facets.Size([new("_facet_size", value)], config, 30, 100));
    }

    [Fact]
    public async Task Labels_OfAPage_AreAskedOnce()
    {
        await using var database = RecordedTableTests.OpenFixtures();
        var schema = await database.SchemaAsync(Ct);
        var expandable = ForeignKeyLabels.Expandable(schema, schema.Table("facetable")!, _ => []);
        var city = Assert.Single(expandable);
        Assert.Equal(("_city_id", "facet_cities", "name"), (city.Key.Column, city.Key.OtherTable, city.LabelColumn));
        object?[] values = [1L, 1L, null, "2", 99L];
        var (sql, parameters) = Assert.Single(ForeignKeyLabels.Queries(city, values));
        Assert.Equal(3, parameters.Count);
        var labels = ForeignKeyLabels.Collect(city, (await database.ExecuteAsync(sql, parameters, ct: Ct)).Rows);
        Assert.True(labels.TryGet(1L, out var label));
        Assert.Equal("San Francisco", label);
        Assert.True(labels.TryGet("2", out _));
        Assert.False(labels.TryGet(null, out _));
        Assert.False(labels.TryGet(99L, out _));
        Assert.Empty(ForeignKeyLabels.Queries(city, [null]));

        var bare = ForeignKeyLabels.Collect(city with { LabelColumn = null }, []);
        Assert.True(bare.TryGet(99L, out label));
        Assert.Equal("99", label);
    }

    [Fact]
    public void Row_IsFoundByItsKeySegment()
    {
        var table = Table("a", "b") with { PrimaryKeys = ["b", "a"] };
        var row = RowQuery.Parse(table, "x~2Cy,1+2");
        Assert.Equal("select * from t where \"b\"=:p0 and \"a\"=:p1", row.Sql);
        Assert.Equal(["x,y", "1 2"], row.KeyValues);
        Assert.Equal("x~2Cy,1+2", RowQuery.Segment(["x,y", "1 2"]));
        Assert.Equal("1~2E5,None", RowQuery.Segment([1.5, null]));
        Assert.Equal(400, Assert.Throws<DatasetteException>(() => RowQuery.Parse(table, "x")).Status);
        Assert.Equal("select rowid, * from t where \"rowid\"=:p0", RowQuery.Parse(Table("a"), "5").Sql);
    }

    private static TableSchema Table(params string[] columns)
    {
        return new TableSchema
        {
            Name = "t",
            Columns = [.. columns.Select(c => new ColumnInfo(c, "text", false, null, 0, 0))],
            Definition = [],
        };
    }

    private static (string Table, IReadOnlyList<KeyValuePair<string, string>> Arguments) Split(string path)
    {
        var split = path.Split('?', 2);
        string Decode(string text) => Uri.UnescapeDataString(text.Replace('+', ' '));
        var pairs = (split.Length == 1 ? "" : split[1]).Split('&', StringSplitOptions.RemoveEmptyEntries).Select(p => p.Split('=', 2));
        return (
            split[0].Split('/')[^1].Replace(".json", "", StringComparison.Ordinal),
            [.. pairs.Select(p => KeyValuePair.Create(Decode(p[0]), p.Length == 1 ? "" : Decode(p[1])))]
        );
    }
}
