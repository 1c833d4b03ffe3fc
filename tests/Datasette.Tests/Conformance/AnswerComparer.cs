using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Datasette.Tests.Conformance;

/// <summary>One difference between the recorded answer and ours, at a JSON pointer into the recording.</summary>
internal sealed record Difference(string Pointer, string Recorded, string Got)
{
    public override string ToString() => $"{Pointer}: {Cut(Recorded)} -> {Cut(Got)}";

    private static string Cut(string text) => text.Length > 300 ? text[..300] + "…" : text;
}

/// <summary>The rules of comparison of the recordings' README.</summary>
internal sealed partial class AnswerComparer(JsonObject recording)
{
    private static readonly string[] SetLists = ["extras", "suggested_facets"];
    private readonly List<Difference> differences = [];
    private readonly string[] unstable = (recording["unstable"]?.AsArray() ?? []).Select(p => (string)p!).ToArray();

    public IReadOnlyList<Difference> Compare(JsonObject expected, Answer answer, string mode, bool ignoreNext = false)
    {
        differences.Clear();
        var status = (int)expected["status"]!;
        Check("/status", status.ToString(CultureInfo.InvariantCulture), answer.Status.ToString(CultureInfo.InvariantCulture));
        if (mode == "status")
        {
            return differences.ToList();
        }
        var headers = expected["headers"]?.AsObject() ?? [];
        if (headers["location"] is { } location)
        {
            Check("/headers/location", CanonicalUrl.Of((string)location!), CanonicalUrl.Of(answer.Header("location") ?? ""));
        }
        if (mode == "headers")
        {
            CompareHeaders(headers, answer);
        }
        if (answer.Body.Length > 0 || (expected["text"] is null && !expected.ContainsKey("present")))
        {
            var type = (answer.Header("content-type") ?? "").Replace(" ", "", StringComparison.Ordinal).ToLowerInvariant();
            Check("/content_type", (string)expected["content_type"]!, type);
        }
        CompareBody(expected, answer, mode, ignoreNext);
        return differences.ToList();
    }

    private void CompareBody(JsonObject expected, Answer answer, string mode, bool ignoreNext)
    {
        if (expected.ContainsKey("json"))
        {
            CompareJsonText("/json", expected["json"], answer.Text, ignoreNext);
        }
        else if (expected["ndjson"] is JsonArray lines)
        {
            var got = answer.Text.Split('\n');
            Check("/ndjson/count", lines.Count.ToString(CultureInfo.InvariantCulture), got.Length.ToString(CultureInfo.InvariantCulture));
            for (var i = 0; i < Math.Min(lines.Count, got.Length); i++)
            {
                CompareJsonText($"/ndjson/{i}", lines[i], got[i], false);
            }
        }
        else if (expected["html_facts"] is JsonObject facts)
        {
            CompareFacts(facts, HtmlFacts.Of(answer.Text, (int)expected["status"]!));
        }
        else if (expected["text"] is { } text)
        {
            CompareText((string)text!, answer.Text, mode);
        }
        else if (expected["base64"] is { } base64)
        {
            Check("/base64", (string)base64!, Convert.ToBase64String(answer.Body));
        }
    }

    private void CompareText(string recorded, string got, string mode)
    {
        if (recorded == got)
        {
            return;
        }
        if (mode != "bytes" && TryParse(recorded) is { } left && TryParse(got) is { } right)
        {
            CompareJson("/text", left, right, null, false);
            return;
        }
        Check("/text", recorded, got);
    }

    private static JsonNode? TryParse(string text)
    {
        try
        {
            return JsonNode.Parse(Infinity().Replace(text, "$1\"$2\""));
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private void CompareJsonText(string pointer, JsonNode? expected, string text, bool ignoreNext)
    {
        JsonNode? got;
        try
        {
            got = JsonNode.Parse(text);
        }
        catch (JsonException)
        {
            differences.Add(new(pointer, "JSON", text));
            return;
        }
        CompareJson(pointer, expected, got, null, ignoreNext);
    }

    private void CompareJson(string pointer, JsonNode? expected, JsonNode? got, string? key, bool ignoreNext)
    {
        if (ignoreNext && key is "next" or "next_url" && ignoreNext)
        {
            return;
        }
        if (unstable.Contains(pointer))
        {
            if (expected is not null && got is not null && Kind(expected) != Kind(got) && !(IsNumber(expected) && IsNumber(got)))
            {
                differences.Add(new(pointer, Kind(expected), Kind(got)));
            }
            return;
        }
        switch (expected)
        {
            case JsonObject map when got is JsonObject other:
                foreach (var (name, value) in map)
                {
                    if (!other.ContainsKey(name))
                    {
                        differences.Add(new($"{pointer}/{name}", value?.ToJsonString() ?? "null", "(missing)"));
                    }
                    else
                    {
                        CompareJson($"{pointer}/{name}", value, other[name], name, ignoreNext);
                    }
                }
                foreach (var (name, value) in other)
                {
                    if (!map.ContainsKey(name) && IsRow(pointer))
                    {
                        differences.Add(new($"{pointer}/{name}", "(absent)", value?.ToJsonString() ?? "null"));
                    }
                }
                break;
            case JsonArray list when got is JsonArray other:
                CompareLists(pointer, list, other, key, ignoreNext);
                break;
            default:
                CompareScalars(pointer, expected, got, key, ignoreNext);
                break;
        }
    }

    private void CompareLists(string pointer, JsonArray list, JsonArray other, string? key, bool ignoreNext)
    {
        IEnumerable<JsonNode?> left = list;
        IEnumerable<JsonNode?> right = other;
        if (key is not null && SetLists.Contains(key))
        {
            left = list.OrderBy(SortKey, StringComparer.Ordinal);
            right = other.OrderBy(SortKey, StringComparer.Ordinal);
        }
        Check(pointer + "/length", list.Count.ToString(CultureInfo.InvariantCulture), other.Count.ToString(CultureInfo.InvariantCulture));
        foreach (var (i, (a, b)) in left.Zip(right).Index())
        {
            CompareJson($"{pointer}/{i}", a, b, null, ignoreNext);
        }
        static string SortKey(JsonNode? node) => node is JsonObject o ? $"{o["name"]}|{o["type"]}" : node?.ToJsonString() ?? "";
    }

    private void CompareScalars(string pointer, JsonNode? expected, JsonNode? got, string? key, bool ignoreNext)
    {
        if (key == "description" && DescriptionIsProse().IsMatch(pointer) && expected is JsonValue && got is JsonValue)
        {
            return;
        }
        var left = expected?.ToJsonString() ?? "null";
        var right = got?.ToJsonString() ?? "null";
        if (left == right)
        {
            return;
        }
        if (IsNumber(expected) && IsNumber(got) && IsReal(left) == IsReal(right))
        {
            if (double.Parse(left, CultureInfo.InvariantCulture).Equals(double.Parse(right, CultureInfo.InvariantCulture)) && IsReal(left))
            {
                return;
            }
        }
        if (Kind(expected) == "String" && Kind(got) == "String")
        {
            var (a, b) = ((string)expected!, (string)got!);
            if (a == b)
            {
                return;
            }
            if (key is not null && UrlKey().IsMatch(key) && (a.Contains('?') || a.Contains("://", StringComparison.Ordinal)))
            {
                (a, b) = (CanonicalUrl.Of(a), CanonicalUrl.Of(b));
                if (ignoreNext)
                {
                    (a, b) = (NextArgument().Replace(a, ""), NextArgument().Replace(b, ""));
                }
                if (a == b)
                {
                    return;
                }
            }
        }
        differences.Add(new(pointer, left, right));
    }

    private void CompareHeaders(JsonObject headers, Answer answer)
    {
        foreach (var (name, value) in headers)
        {
            if (name == "etag")
            {
                Check("/headers/etag", "True", (answer.Header("etag") is not null).ToString());
            }
            else if (name == "set-cookie")
            {
                Check("/headers/set-cookie", Cookies(value!.AsArray()), OurCookies(answer));
            }
            else if (name != "location")
            {
                Check("/headers/" + name, Normal(name, (string)value!), Normal(name, answer.Header(name) ?? "(missing)"));
            }
        }
        foreach (var name in answer.HeaderNames)
        {
            var watched =
                name is "cache-control" or "link" or "set-cookie" or "content-disposition"
                || name.StartsWith("access-control-", StringComparison.Ordinal);
            if (watched && !headers.ContainsKey(name))
            {
                differences.Add(new("/headers/" + name, "(absent)", answer.Header(name)!));
            }
        }
    }

    private static string Normal(string name, string value) =>
        name switch
        {
            "allow" => string.Join(", ", value.Split(',', StringSplitOptions.TrimEntries).Order(StringComparer.Ordinal)),
            "link" => LinkUrl().Replace(value, m => "<" + CanonicalUrl.Of(m.Groups[1].Value) + ">"),
            _ => value,
        };

    private static string Cookies(JsonArray cookies) =>
        string.Join(
            " | ",
            cookies
                .Select(c =>
                    $"{c!["name"]} empty={c["empty"]} "
                    + string.Join(
                        ';',
                        c.AsObject()
                            .Where(p => p.Key is not ("name" or "empty"))
                            .OrderBy(p => p.Key, StringComparer.Ordinal)
                            .Select(p => $"{p.Key}={p.Value}")
                    )
                )
                .Order(StringComparer.Ordinal)
        );

    private static string OurCookies(Answer answer)
    {
        var list = new JsonArray();
        foreach (var line in answer.Headers("set-cookie"))
        {
            var parts = line.Split(';', StringSplitOptions.TrimEntries);
            var equals = parts[0].IndexOf('=', StringComparison.Ordinal);
            var cookie = new JsonObject { ["name"] = parts[0][..equals], ["empty"] = parts[0][(equals + 1)..].Trim('"').Length == 0 };
            foreach (var part in parts.Skip(1))
            {
                var pair = part.Split('=', 2);
                var name = pair[0].ToLowerInvariant();
                cookie[name] =
                    name == "expires" ? "<date>"
                    : pair.Length > 1 ? pair[1].ToLowerInvariant()
                    : "true";
            }
            list.Add(cookie);
        }
        return Cookies(list);
    }

    private void Check(string pointer, string recorded, string got)
    {
        if (recorded != got)
        {
            differences.Add(new(pointer, recorded, got));
        }
    }

    private static string Kind(JsonNode? node) => node?.GetValueKind().ToString() ?? "Null";

    private static bool IsNumber(JsonNode? node) => node?.GetValueKind() == JsonValueKind.Number;

    private static bool IsReal(string number) => number.AsSpan().IndexOfAny('.', 'e', 'E') >= 0;

    private static bool IsRow(string pointer) => RowPointer().IsMatch(pointer);

    [GeneratedRegex(@"(^|_)(url|path|href|link)$")]
    private static partial Regex UrlKey();

    [GeneratedRegex(@"/(extras|actions|matches)/\d+/description$")]
    private static partial Regex DescriptionIsProse();

    [GeneratedRegex(@"&?_next=[^&]*")]
    private static partial Regex NextArgument();

    [GeneratedRegex(@"/rows/\d+$|^/json/\d+$|^/ndjson/\d+$")]
    private static partial Regex RowPointer();

    [GeneratedRegex(@"<([^>]*)>")]
    private static partial Regex LinkUrl();

    [GeneratedRegex(@"([:\[,]\s*)(-?Infinity|NaN)")]
    private static partial Regex Infinity();
}
