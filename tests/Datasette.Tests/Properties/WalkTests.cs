using System.Globalization;
using System.Text.Json.Nodes;
using Datasette.Databases;
using Datasette.Responses;
using Datasette.Text;
using Xunit;

namespace Datasette.Tests.Properties;

/// <summary>
/// Random filters, sorts and page sizes: what is found by walking from page to page must be what SQLite returns at once, in its order.
/// DATASETTE_WALKS says how many (10,000 in the long run), DATASETTE_SEED which.
/// </summary>
public sealed class WalkTests(ITestOutputHelper output)
{
    private static readonly string[] Operators =
    [
        "exact",
        "not",
        "contains",
        "notcontains",
        "endswith",
        "startswith",
        "gt",
        "gte",
        "lt",
        "lte",
        "like",
        "notlike",
        "glob",
        "in",
        "notin",
        "isnull",
        "notnull",
        "isblank",
        "notblank",
    ];

    private sealed record Walk(
        string Table,
        IReadOnlyList<(string Column, string Operator, string Value)> Filters,
        string? Sort,
        bool IsDescending,
        int Size
    )
    {
        public override string ToString() =>
            $"{Table} {string.Join(" and ", Filters)} sort {Sort ?? "-"}{(IsDescending ? " desc" : "")} size {Size}";
    }

    [Fact]
    [Trait("Rule", "H115")]
    [Trait("Rule", "H120")]
    [Trait("Rule", "H132")]
    public async Task H140_H141_Walk_RandomFiltersSortsAndSizes_VisitsEveryRowOnceInOrder()
    {
        var (count, seed) = Run("DATASETTE_WALKS", 150);
        var random = new Random(seed);
        await using var instance = await TestInstance.StartAsync(connection => RandomTables.Fill(connection, random));
        var schema = await instance.Database.SchemaAsync(TestContext.Current.CancellationToken);
        for (var i = 0; i < count; i++)
        {
            var walk = Make(random, schema);
            var relation = schema.Relation(walk.Table)!;
            var tokens = new List<string>();
            var found = await PagesAsync(instance, walk, tokens);
            var expected = await OracleAsync(instance.Database, relation, walk);
            if (relation.IsView)
            {
                found.Sort(StringComparer.Ordinal);
                expected.Sort(StringComparer.Ordinal);
            }
            else
            {
                (found, expected) = (Settled(found, relation, walk), Settled(expected, relation, walk));
            }
            Assert.True(
                expected.SequenceEqual(found),
                $"seed {seed}, walk {i}: {walk}\ntokens {string.Join(' ', tokens)}\nexpected {expected.Count}:\n{string.Join('\n', expected)}\nfound {found.Count}:\n{string.Join('\n', found)}"
            );
        }
    }

    [Fact]
    public async Task H190_H192_Csv_StreamedOrByPages_EqualsTheQuery()
    {
        var (count, seed) = Run("DATASETTE_WALKS", 60);
        var random = new Random(seed);
        await using var instance = await TestInstance.StartAsync(connection => RandomTables.Fill(connection, random));
        var schema = await instance.Database.SchemaAsync(TestContext.Current.CancellationToken);
        for (var i = 0; i < Math.Min(count, 1000); i++)
        {
            var walk = Make(random, schema);
            var relation = schema.Relation(walk.Table)!;
            var text = await instance.TextAsync($"{PathOf(walk.Table)}.csv?_stream=1&_header=off&{Query(walk)}");
            var found = Csv.Parse(text).Select(row => string.Join('|', row)).ToList();
            var rows = await RowsAsync(instance.Database, relation, walk);
            var expected = rows.Select(row => string.Join('|', row.Select(CsvText))).ToList();
            // Rows that nothing in the order tells apart may stand in any.
            if (relation.IsView || relation.PrimaryKeys.Any(key => relation.Column(key) is { NotNull: false, Affinity: not "INTEGER" }))
            {
                found.Sort(StringComparer.Ordinal);
                expected.Sort(StringComparer.Ordinal);
            }
            // Bytes are addresses in CSV; which, is tried elsewhere.
            Assert.True(
                expected.Count == found.Count
                    && expected
                        .Zip(found)
                        .All(pair => pair.First.Contains("\0bytes", StringComparison.Ordinal) || pair.First == pair.Second),
                $"seed {seed}, CSV {i}: {walk}\n{string.Join('\n', expected)}\n---\n{string.Join('\n', found)}"
            );
        }
    }

    [Fact]
    public async Task U047_U048_Page_ShowsTheRowsOfItsJson()
    {
        var (count, seed) = Run("DATASETTE_WALKS", 40);
        var random = new Random(seed);
        await using var instance = await TestInstance.StartAsync(
            connection => RandomTables.Fill(connection, random),
            ("truncate_cells_html", "0")
        );
        var schema = await instance.Database.SchemaAsync(TestContext.Current.CancellationToken);
        for (var i = 0; i < Math.Min(count, 500); i++)
        {
            var walk = Make(random, schema);
            var target = $"{PathOf(walk.Table)}?_labels=off&{Query(walk)}";
            var json = await instance.JsonAsync(target.Replace("?", ".json?_shape=arrays&_extra=columns&", StringComparison.Ordinal));
            var columns = json["columns"]!.AsArray().Select(name => (string)name!).ToList();
            var page = await new AngleSharp.Html.Parser.HtmlParser().ParseDocumentAsync(
                await instance.TextAsync(target),
                TestContext.Current.CancellationToken
            );
            var heads = page.QuerySelectorAll("table.rows-and-columns th").Select(th => th.GetAttribute("data-column")).ToList();
            var rows = page.QuerySelectorAll("table.rows-and-columns tbody tr").ToList();
            var expected = json["rows"]!.AsArray().Select(row => row!.AsArray()).ToList();
            Assert.True(
                expected.Count == rows.Count,
                $"seed {seed}, page {i}: {walk}: {expected.Count} rows in JSON, {rows.Count} on the page"
            );
            foreach (var (row, shown) in expected.Zip(rows))
            {
                var cells = shown.QuerySelectorAll("td").ToList();
                foreach (var (column, value) in columns.Zip(row))
                {
                    var cell = cells[heads.IndexOf(column)].TextContent;
                    Assert.True(
                        Same(value, cell),
                        $"seed {seed}, page {i}: {walk}: {column} is {value?.ToJsonString() ?? "null"} in JSON and '{cell}' on the page"
                    );
                }
            }
        }
    }

    private (int Count, int Seed) Run(string variable, int usual)
    {
        var count = int.TryParse(Environment.GetEnvironmentVariable(variable), out var asked) ? asked : usual;
        var seed = int.TryParse(Environment.GetEnvironmentVariable("DATASETTE_SEED"), out var given) ? given : Random.Shared.Next();
        output.WriteLine($"{count} walks, seed {seed}");
        return (count, seed);
    }

    private static Walk Make(Random random, DatabaseSchema schema)
    {
        var table = RandomTables.Names[random.Next(RandomTables.Names.Count)];
        var relation = schema.Relation(table)!;
        var columns = relation.ColumnNames;
        var filters = new List<(string, string, string)>();
        for (var i = random.Next(3); i > 0; i--)
        {
            filters.Add((columns[random.Next(columns.Count)], Operators[random.Next(Operators.Length)], Value(random)));
        }
        var sort = random.Next(4) == 0 ? null : columns[random.Next(columns.Count)];
        return new(table, filters, sort, sort is not null && random.Next(2) == 0, random.Next(5) == 0 ? 100 : random.Next(1, 12));
    }

    private static string Value(Random random) =>
        random.Next(3) switch
        {
            0 => RandomTables.Text(random),
            1 => random.Next(-3, 12).ToString(CultureInfo.InvariantCulture),
            _ => "12,a, None",
        };

    private static string PathOf(string table) => "/data/" + TildeEncoding.Encode(table);

    private static string Query(Walk walk)
    {
        var pairs = walk.Filters.Select(f => KeyValuePair.Create($"{f.Column}__{f.Operator}", f.Value)).ToList();
        if (walk.Sort is { } sort)
        {
            pairs.Add(new(walk.IsDescending ? "_sort_desc" : "_sort", sort));
        }
        pairs.Add(new("_size", walk.Size.ToString(CultureInfo.InvariantCulture)));
        return QueryArgs.FromPairs(pairs).Raw;
    }

    private static async Task<List<string>> PagesAsync(TestInstance instance, Walk walk, List<string> tokens)
    {
        var rows = new List<string>();
        var target = $"{PathOf(walk.Table)}.json?_shape=arrays&_json_infinity=1&{Query(walk)}";
        for (var pages = 0; pages < 2 * RandomTables.Rows + 2; pages++)
        {
            var text = (await instance.TextAsync(target))
                .Replace("-Infinity", "\"-inf\"", StringComparison.Ordinal)
                .Replace("Infinity", "\"inf\"", StringComparison.Ordinal);
            var page = JsonNode.Parse(text)!.AsObject();
            rows.AddRange(page["rows"]!.AsArray().Select(row => row!.ToJsonString()));
            if ((string?)page["next_url"] is not { } next)
            {
                return rows;
            }
            tokens.Add((string)page["next"]!);
            target = next["http://localhost".Length..];
        }
        throw new InvalidOperationException($"{walk} never ends");
    }

    private static async Task<List<string>> OracleAsync(Database database, RelationSchema relation, Walk walk) =>
        (await RowsAsync(database, relation, walk)).Select(row => new JsonArray(row.Select(Node).ToArray()).ToJsonString()).ToList();

    private static JsonNode? Node(object? value) =>
        value switch
        {
            null => null,
            long whole => JsonValue.Create(whole),
            double.PositiveInfinity => "inf",
            double.NegativeInfinity => "-inf",
            // As the host writes it: always with a point.
            double real => JsonNode.Parse(System.Text.Encoding.UTF8.GetString(JsonBody.ToBytes(real).Span)),
            byte[] bytes => new JsonObject { ["$base64"] = true, ["encoded"] = Convert.ToBase64String(bytes) },
            var text => (string)text,
        };

    private static async Task<IReadOnlyList<object?[]>> RowsAsync(Database database, RelationSchema relation, Walk walk)
    {
        var parameters = new Dictionary<string, object?>();
        var where = walk.Filters.Select(filter => Condition(filter, parameters)).ToList();
        var keys = relation.RowKeys.Select(SqlText.QuoteAlways).ToList();
        var order = walk.Sort is { } sort ? [SqlText.QuoteAlways(sort) + (walk.IsDescending ? " desc" : ""), .. keys] : keys;
        // Rows whose keys are NULL and so may be equal stand in the order of their rowid.
        if (relation is TableSchema { IsRowidTable: true, UsesRowid: false })
        {
            order = [.. order, "rowid"];
        }
        var sql =
            $"select {(relation.UsesRowid ? "rowid, " : "")}* from {SqlText.QuoteAlways(relation.Name)}"
            + (where.Count > 0 ? " where " + string.Join(" and ", where) : "")
            + (order.Count > 0 ? " order by " + string.Join(", ", order) : "");
        return (await database.ExecuteAsync(sql, parameters, ct: TestContext.Current.CancellationToken)).Rows;
    }

    /// <summary>What a filter means, written again from the specification.</summary>
    private static string Condition((string Column, string Operator, string Value) filter, Dictionary<string, object?> parameters)
    {
        var (column, value) = (SqlText.QuoteAlways(filter.Column), filter.Value);
        string Bind(object? bound)
        {
            var name = $"v{parameters.Count}";
            parameters[name] = bound;
            return ":" + name;
        }
        object Number() => value.Length > 0 && value.All(char.IsAsciiDigit) ? long.Parse(value, CultureInfo.InvariantCulture) : value;
        string List() => "(" + string.Join(", ", value.Split(',').Select(item => Bind(item.Trim()))) + ")";
        return filter.Operator switch
        {
            "exact" => $"{column} = {Bind(value)}",
            "not" => $"{column} <> {Bind(value)}",
            "contains" => $"{column} like {Bind($"%{value}%")}",
            "notcontains" => $"{column} not like {Bind($"%{value}%")}",
            "endswith" => $"{column} like {Bind($"%{value}")}",
            "startswith" => $"{column} like {Bind($"{value}%")}",
            "gt" => $"{column} > {Bind(Number())}",
            "gte" => $"{column} >= {Bind(Number())}",
            "lt" => $"{column} < {Bind(Number())}",
            "lte" => $"{column} <= {Bind(Number())}",
            "like" => $"{column} like {Bind(value)}",
            "notlike" => $"{column} not like {Bind(value)}",
            "glob" => $"{column} glob {Bind(value)}",
            "in" => $"{column} in {List()}",
            "notin" => $"{column} not in {List()}",
            "isnull" => $"{column} is null",
            "notnull" => $"{column} is not null",
            "isblank" => $"({column} is null or {column} = '')",
            _ => $"({column} is not null and {column} <> '')",
        };
    }

    /// <summary>Rows that sort and key do not tell apart, because the key is NULL, may stand in any order among themselves.</summary>
    private static List<string> Settled(List<string> rows, RelationSchema relation, Walk walk)
    {
        List<string> columns = relation.UsesRowid ? ["rowid", .. relation.ColumnNames] : [.. relation.ColumnNames];
        var telling = relation.RowKeys.Append(walk.Sort ?? relation.RowKeys[0]).Select(name => columns.IndexOf(name)).ToList();
        string GroupOf(string row) => string.Join('|', telling.Select(i => JsonNode.Parse(row)![i]?.ToJsonString()));
        var settled = new List<string>();
        for (var start = 0; start < rows.Count; )
        {
            var group = rows.Skip(start).TakeWhile(row => GroupOf(row) == GroupOf(rows[start])).ToList();
            settled.AddRange(group.Order(StringComparer.Ordinal));
            start += group.Count;
        }
        return settled;
    }

    private static string CsvText(object? value) =>
        value switch
        {
            null => "",
            byte[] => "\0bytes",
            double real => SqlText.Real(real),
            var other => Convert.ToString(other, CultureInfo.InvariantCulture)!,
        };

    private static bool Same(JsonNode? value, string cell)
    {
        cell = cell.Replace("\u00a0", "", StringComparison.Ordinal);
        return value switch
        {
            // Infinity is null in JSON; the page can say it.
            // A key that is NULL is written as it is in addresses.
            null => cell is "" or "inf" or "-inf" or "None",
            JsonObject blob => cell.Contains($"{Convert.FromBase64String((string)blob["encoded"]!).Length} byte", StringComparison.Ordinal),
            JsonValue text when text.TryGetValue<string>(out var plain) => cell == plain,
            JsonValue number when number.ToJsonString().AsSpan().IndexOfAny('.', 'e', 'E') >= 0 => double.Parse(
                cell,
                CultureInfo.InvariantCulture
            ) == (double)number,
            _ => cell == value.ToJsonString(),
        };
    }
}

/// <summary>CSV as RFC 4180 has it.</summary>
internal static class Csv
{
    public static List<List<string>> Parse(string text)
    {
        var (rows, row, cell) = (new List<List<string>>(), new List<string>(), new System.Text.StringBuilder());
        var quoted = false;
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (quoted)
            {
                if (c != '"')
                {
                    cell.Append(c);
                }
                else if (i + 1 < text.Length && text[i + 1] == '"')
                {
                    cell.Append('"');
                    i++;
                }
                else
                {
                    quoted = false;
                }
            }
            else if (c == '"')
            {
                quoted = true;
            }
            else if (c == ',')
            {
                row.Add(cell.ToString());
                cell.Clear();
            }
            else if (c == '\r' && i + 1 < text.Length && text[i + 1] == '\n')
            {
                row.Add(cell.ToString());
                cell.Clear();
                rows.Add(row);
                row = [];
                i++;
            }
            else
            {
                cell.Append(c);
            }
        }
        Assert.True(row.Count == 0 && cell.Length == 0, "the last line has no end");
        return rows;
    }
}
