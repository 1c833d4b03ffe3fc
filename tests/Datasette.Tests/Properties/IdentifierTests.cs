using System.Text.Json.Nodes;
using AngleSharp.Html.Parser;
using Datasette.Databases;
using Datasette.Responses;
using Datasette.Text;
using Microsoft.Data.Sqlite;
using Xunit;

namespace Datasette.Tests.Properties;

/// <summary>Names that no other table would have: every link to them must lead back to them.</summary>
public sealed class IdentifierTests(ITestOutputHelper output)
{
    private static readonly string[] Pieces =
    [
        "'",
        "\"",
        "]",
        "[",
        "`",
        "/",
        "\\",
        ".",
        ",",
        "~",
        "%",
        "+",
        " ",
        "?",
        "#",
        "&",
        "=",
        ";",
        ":",
        "(",
        "$",
        "_",
        "__",
        "-",
        "\t",
        "a",
        "Z",
        "0",
        "ü",
        "名",
        "🦆",
        "\u0301",
        "select",
        "order",
        "null",
        "rowid",
        "table",
        "index",
        "nothing",
        "returning",
        "generated",
        "~2F",
        "%2F",
        ".json",
        ".csv",
        ".db",
        "--",
        "/*",
        "<b>",
        "</script>",
    ];

    [Fact]
    [Trait("Rule", "H001")]
    public async Task H002_H003_RandomIdentifiers_RoundTripThroughEveryAddress()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("DATASETTE_SEED"), out var given) ? given : Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var tables = new Dictionary<string, (string Key, string Column, List<string> Keys)>(StringComparer.OrdinalIgnoreCase);
        while (tables.Count < 40)
        {
            var columns = new[] { Name(random, mayBeEmpty: true), Name(random, mayBeEmpty: true) };
            if (
                !columns[0].Equals(columns[1], StringComparison.OrdinalIgnoreCase)
                && !columns.Contains("rowid", StringComparer.OrdinalIgnoreCase)
            )
            {
                var keys = Enumerable.Range(0, 4).Select(_ => Name(random, mayBeEmpty: false)).Distinct().ToList();
                tables.TryAdd(Name(random, mayBeEmpty: false), (columns[0], columns[1], keys));
            }
        }
        await using var instance = await TestInstance.StartAsync(connection =>
        {
            foreach (var (table, (key, column, keys)) in tables)
            {
                SqlStatement.Execute(
                    connection,
                    $"create table {SqlText.QuoteAlways(table)} ({SqlText.QuoteAlways(key)} text primary key, {SqlText.QuoteAlways(column)} text)"
                );
                foreach (var value in keys)
                {
                    var values = new Dictionary<string, object?> { ["k"] = value };
                    SqlStatement.Execute(connection, $"insert into {SqlText.QuoteAlways(table)} values (:k, :k || '!')", values);
                }
            }
        });
        var known = (await instance.JsonAsync("/data.json"))["tables"]!.AsArray().Select(table => (string)table!["name"]!).ToHashSet();
        foreach (var (table, (key, column, keys)) in tables)
        {
            var what = $"seed {seed}: table {table} key {key} column {column}";
            Assert.True(known.Contains(table), what);
            await CheckTableAsync(instance, table, key, column, keys, what);
        }
        await CheckDatabasePageAsync(instance, tables.Keys, seed);
    }

    private static string Name(Random random, bool mayBeEmpty)
    {
        while (true)
        {
            var name = string.Concat(
                Enumerable.Range(0, random.Next(mayBeEmpty ? 0 : 1, 5)).Select(_ => Pieces[random.Next(Pieces.Length)])
            );
            if ((mayBeEmpty || name.Trim().Length > 0) && !name.StartsWith("sqlite_", StringComparison.OrdinalIgnoreCase))
            {
                return name;
            }
        }
    }

    private static async Task CheckTableAsync(
        TestInstance instance,
        string table,
        string key,
        string column,
        List<string> keys,
        string what
    )
    {
        var path = "/data/" + TildeEncoding.Encode(table);
        var rows = (await instance.JsonAsync(path + ".json"))["rows"]!.AsArray();
        Assert.True(
            keys.Order(StringComparer.Ordinal).SequenceEqual(rows.Select(row => (string)row![key]!).Order(StringComparer.Ordinal)),
            what
        );
        // What the page links to is what the address means.
        var page = await new HtmlParser().ParseDocumentAsync(await instance.TextAsync(path), TestContext.Current.CancellationToken);
        var links = page.QuerySelectorAll("td.type-pk a").Select(a => a.GetAttribute("href")!).ToList();
        Assert.True(links.Count == keys.Count, what);
        foreach (var link in links)
        {
            var row = (await instance.JsonAsync(link + ".json"))["rows"]![0]!;
            Assert.True((string)row[column]! == (string)row[key]! + "!", what);
            Assert.True((await instance.GetAsync(link)).Status == 200, what + " " + link);
        }
        foreach (var head in page.QuerySelectorAll("th a").Select(a => a.GetAttribute("href")!))
        {
            Assert.True((await instance.GetAsync(head)).Status == 200, what + " " + head);
        }
        // A filter and a facet of the column, whatever it is called.
        if (column.Length > 0 && !(column.StartsWith('_') && !column.Contains("__", StringComparison.Ordinal)))
        {
            var query = QueryArgs.FromPairs([new(column + "__exact", keys[0] + "!")]).Raw;
            var found = (await instance.JsonAsync($"{path}.json?{query}"))["rows"]!.AsArray();
            Assert.True(found.Count == 1 && (string)found[0]![key]! == keys[0], what);
        }
        if (column.Length > 0)
        {
            var facet = await instance.JsonAsync($"{path}.json?{QueryArgs.FromPairs([new("_facet", column)]).Raw}");
            var results = facet["facet_results"]!["results"]!.AsObject().First().Value!["results"]!.AsArray();
            Assert.True(results.Count == keys.Count, what);
            var toggle = (string)results[0]!["toggle_url"]!;
            var narrowed = (await instance.JsonAsync(toggle["http://localhost".Length..]))["rows"]!.AsArray();
            Assert.True(narrowed.Count == 1, what + " " + toggle);
        }
        var csv = Csv.Parse(await instance.TextAsync(path + ".csv?_header=off"));
        Assert.True(csv.Select(row => row[0]).Order(StringComparer.Ordinal).SequenceEqual(keys.Order(StringComparer.Ordinal)), what);
        Assert.True((await instance.GetAsync(path + "/-/schema.json")).Status == 200, what);
        Assert.True((await instance.GetAsync(path + "/-/fragment")).Status == 200, what);
        Assert.True((await instance.GetAsync(path + "/-/autocomplete?q=a")).Status == 200, what);
    }

    private static async Task CheckDatabasePageAsync(TestInstance instance, IEnumerable<string> tables, int seed)
    {
        var page = await new HtmlParser().ParseDocumentAsync(
            await instance.TextAsync("/data?_show_hidden=1"),
            TestContext.Current.CancellationToken
        );
        var links = page.QuerySelectorAll(".db-table h3 a").ToDictionary(a => a.TextContent, a => a.GetAttribute("href")!);
        foreach (var table in tables)
        {
            Assert.True(links.TryGetValue(table, out var href), $"seed {seed}: no link to {table}");
            Assert.Equal("/data/" + TildeEncoding.Encode(table), href);
        }
    }
}
