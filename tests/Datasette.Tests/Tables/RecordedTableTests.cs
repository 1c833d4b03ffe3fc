using System.Text.Json;
using System.Text.Json.Nodes;
using Datasette.Databases;
using Datasette.Tables;
using Datasette.Text;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Datasette.Tests.Tables;

/// <summary>Recorded answers of the original, as far as tables decide them: rows, tokens, SQL, words, counts, errors.</summary>
public sealed class RecordedTableTests
{
    private static readonly string[] Groups =
    [
        "table-json",
        "filter",
        "sort",
        "page-size",
        "columns",
        "where",
        "through",
        "search",
        "paginate",
        "extra-table",
    ];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("fixtures", 50, 100)]
    [InlineData("defaults", 100, 1000)]
    public async Task Query_GivesTheRecordedAnswer(string profile, int pageSize, int maximum)
    {
        var config = profile == "fixtures" ? TableConfig() : [];
        await using var database = OpenFixtures();
        var schema = await database.SchemaAsync(Ct);
        var failures = new List<string>();
        var seen = 0;
        foreach (var line in Recordings(profile))
        {
            // Extras are a matter of the pages above, and the inner column of a full-text table is an opaque number.
            var error = line["json"] is JsonObject body ? body["error"]?.ToString() : null;
            var isElsewhere =
                error?.StartsWith("Unknown _extra", StringComparison.Ordinal) == true || line["id"]!.ToString() == "table-json-019";
            if (isElsewhere || !Groups.Contains(line["group"]!.ToString()) || line["allowed"] is not null)
            {
                continue;
            }

            if (line["pages"] is JsonArray pages)
            {
                seen++;
                await WalkAsync(line, pages);
            }
            else if (Target(line["request"]!["path"]!.ToString()) is not null && line["status"] is not null)
            {
                seen++;
                await OneAsync(line);
            }
        }

        Assert.True(failures.Count == 0, $"{failures.Count} of {seen} differ:\n{string.Join('\n', failures)}");
        Assert.True(seen > 20, $"only {seen} recordings were usable");

        async Task OneAsync(JsonObject line)
        {
            var path = line["request"]!["path"]!.ToString();
            var (name, arguments, _) = Target(path)!.Value;
            var id = $"{line["id"]} {path}";
            if (schema.Relation(name) is not { } relation)
            {
                return;
            }

            var status = (int)line["status"]!;
            try
            {
                var query = TableQuery.Parse(schema, relation, arguments, Options(name));
                var page = query.Complete((await database.ExecuteAsync(query.Sql, query.Parameters, timeLimit: Limit, ct: Ct)).Rows);
                if (status != 200 || line["json"] is not JsonObject json)
                {
                    if (status is 400 or 403)
                    {
                        failures.Add($"{id}: status {status} was recorded: {line["json"]?["error"]}");
                    }

                    return;
                }

                await CompareAsync(id, json, query, page);
            }
            catch (DatasetteException e)
            {
                Check(failures, id, $"{status} {line["json"]?["error"]}", $"{e.Status} {e.Message}");
            }
            catch (SqliteException e)
            {
                Check(failures, id, $"{status}", "400 " + SqlErrors.Message(e), status == 400);
            }
        }

        async Task CompareAsync(string id, JsonObject json, TableQuery query, TablePage page)
        {
            if (json["rows"] is JsonArray rows && rows.Count > 0 && rows[0] is JsonObject && !HasLabels(rows))
            {
                Check(failures, id + " rows", Comparable(rows), Comparable(ToObjects(page)));
            }

            if (json.ContainsKey("next") && query.Sort is null)
            {
                Check(failures, id + " next", json["next"]?.ToString(), page.Next);
            }

            if (json["query"] is JsonObject recorded)
            {
                Check(failures, id + " sql", recorded["sql"]!.ToString(), query.Sql);
                Check(failures, id + " params", Comparable(recorded["params"]), Comparable(ToObject(query.FilterParameters)));
            }

            if (json["human_description_en"] is { } words)
            {
                Check(failures, id + " words", words.ToString(), query.HumanDescription);
            }

            if (json["count_sql"] is { } countSql)
            {
                Check(failures, id + " count_sql", countSql.ToString(), query.CountSql);
            }

            if (json["count"] is { } count)
            {
                var counted = await database.CountAsync(query.FromSql, query.FilterParameters, 10001, Limit, Ct);
                Check(failures, id + " count", count.ToString(), counted.ToString());
            }
        }

        async Task WalkAsync(JsonObject line, JsonArray pages)
        {
            var start = line["request"]!["path"]!.ToString();
            if (Target(start) is not { } first || schema.Relation(first.Table) is not { } relation)
            {
                return;
            }

            string? ownToken = null;
            for (var i = 0; i < pages.Count; i++)
            {
                var recorded = Target(pages[i]!["target"]!.ToString())!.Value.Arguments;
                List<KeyValuePair<string, string>> own = [.. first.Arguments];
                if (ownToken is not null)
                {
                    own.Add(new("_next", ownToken));
                }

                TablePage? page = null;
                foreach (var arguments in (IReadOnlyList<KeyValuePair<string, string>>[])[recorded, own])
                {
                    var query = TableQuery.Parse(schema, relation, arguments, Options(first.Table));
                    page = query.Complete((await database.ExecuteAsync(query.Sql, query.Parameters, timeLimit: Limit, ct: Ct)).Rows);
                    var id = $"{line["id"]} page {i} of {start}, {(arguments == recorded ? "recorded" : "own")} token";
                    Check(failures, id, RowsOf(pages[i]!), Comparable(first.Shape == "arrays" ? ToArrays(page) : ToObjects(page)));
                }

                ownToken = page!.Next;
                Check(
                    failures,
                    $"{line["id"]} page {i} of {start} is last",
                    (i == pages.Count - 1).ToString(),
                    (ownToken is null).ToString()
                );
                if (ownToken is null)
                {
                    break;
                }
            }

            string RowsOf(JsonNode recorded)
            {
                var rows = recorded["json"] is JsonArray bare
                    ? bare
                    : (
                        recorded["json"]?["rows"] as JsonArray
                        ?? [.. (recorded["json"] as JsonObject ?? []).Select(p => p.Value?.DeepClone())]
                    );
                return Comparable(rows);
            }
        }

        TableQueryOptions Options(string table)
        {
            return new TableQueryOptions
            {
                DefaultPageSize = pageSize,
                MaxReturnedRows = maximum,
                TableConfig = config[table] as JsonObject ?? [],
            };
        }
    }

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    internal static Database OpenFixtures()
    {
        var path = Fixtures.PathOf("datasette", "files", "fixtures.db");
        return Database.File("fixtures", path, new DatabaseOptions { IsMutable = false, TimeLimit = Limit });
    }

    internal static IEnumerable<JsonObject> Recordings(string profile) =>
        File.ReadLines(Fixtures.PathOf("datasette", "recordings", profile + ".jsonl")).Select(l => (JsonObject)JsonNode.Parse(l)!);

    private static JsonObject TableConfig()
    {
        var metadata = JsonNode.Parse(File.ReadAllText(Fixtures.PathOf("datasette", "files", "metadata.json")))!;
        return (JsonObject)metadata["databases"]!["fixtures"]!["tables"]!;
    }

    private static (string Table, IReadOnlyList<KeyValuePair<string, string>> Arguments, string? Shape)? Parse(string path)
    {
        var split = path.Split('?', 2);
        if (!split[0].StartsWith("/fixtures/", StringComparison.Ordinal) || !split[0].EndsWith(".json", StringComparison.Ordinal))
        {
            return null;
        }

        var name = split[0]["/fixtures/".Length..^".json".Length];
        if (name.Contains('/', StringComparison.Ordinal))
        {
            return null;
        }

        string Decode(string text) => Uri.UnescapeDataString(text.Replace('+', ' '));
        List<KeyValuePair<string, string>> pairs =
        [
            .. (split.Length == 1 ? "" : split[1])
                .Split('&', StringSplitOptions.RemoveEmptyEntries)
                .Select(p => p.Split('=', 2))
                .Select(p => KeyValuePair.Create(Decode(p[0]), p.Length == 1 ? "" : Decode(p[1]))),
        ];
        return (TildeEncoding.Decode(name), pairs, pairs.FirstOrDefault(p => p.Key == "_shape").Value);
    }

    private static (string Table, IReadOnlyList<KeyValuePair<string, string>> Arguments, string? Shape)? Target(string path)
    {
        var target = Parse(path);
        return target is { } t && t.Arguments.Any(a => a.Key is "_labels" or "_label") ? null : target;
    }

    private static bool HasLabels(JsonArray rows)
    {
        return rows.OfType<JsonObject>().SelectMany(r => r).Any(p => p.Value is JsonObject o && o.ContainsKey("label"));
    }

    private static JsonArray ToObjects(TablePage page) =>
        new([.. page.Rows.Select(r => (JsonNode)new JsonObject(page.Columns.Select((c, i) => KeyValuePair.Create(c, Value(r[i])))))]);

    private static JsonArray ToArrays(TablePage page) => new([.. page.Rows.Select(r => (JsonNode)new JsonArray([.. r.Select(Value)]))]);

    private static JsonObject ToObject(IReadOnlyDictionary<string, object?> values) =>
        new(values.Select(p => KeyValuePair.Create(p.Key, Value(p.Value))));

    private static JsonNode? Value(object? value)
    {
        return value switch
        {
            null => null,
            long whole => JsonValue.Create(whole),
            double real when double.IsInfinity(real) => null,
            double real => JsonNode.Parse(SqlText.Real(real)),
            byte[] bytes => new JsonObject { ["$base64"] = true, ["encoded"] = Convert.ToBase64String(bytes) },
            _ => JsonValue.Create((string)value),
        };
    }

    // One text for equal values: keys sorted, integers and reals apart.
    private static string Comparable(JsonNode? node)
    {
        return node switch
        {
            null => "null",
            JsonObject map => "{"
                + string.Join(",", map.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => $"{p.Key}:{Comparable(p.Value)}"))
                + "}",
            JsonArray list => "[" + string.Join(",", list.Select(Comparable)) + "]",
            _ when node.GetValueKind() == JsonValueKind.Number && node.ToJsonString().AsSpan().ContainsAny('.', 'e', 'E') => SqlText.Real(
                double.Parse(node.ToJsonString(), System.Globalization.CultureInfo.InvariantCulture)
            ),
            _ => node.ToJsonString(),
        };
    }

    private static void Check(List<string> failures, string id, string? expected, string? actual, bool? isEqual = null)
    {
        if (!(isEqual ?? expected == actual))
        {
            failures.Add($"{id}\n    recorded: {Short(expected)}\n    got:      {Short(actual)}");
        }
    }

    private static string? Short(string? text) => text is { Length: > 400 } ? text[..400] + "…" : text;
}
