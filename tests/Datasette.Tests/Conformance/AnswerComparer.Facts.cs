using System.Text.Json.Nodes;

namespace Datasette.Tests.Conformance;

/// <summary>The comparison of what pages say.</summary>
internal sealed partial class AnswerComparer
{
    private static readonly string[] MoreAllowed =
    [
        "body_class",
        "h2",
        "h3",
        "nav_menu",
        "footer_links",
        "export_links",
        "list_items",
        "pre",
        "links",
    ];

    private void CompareFacts(JsonObject expected, JsonObject got)
    {
        foreach (var (name, value) in expected)
        {
            var pointer = "/html_facts/" + name;
            var ours = got[name];
            if (unstable.Any(p => p == pointer) || IsProductName(expected, name))
            {
                continue;
            }
            if (name == "title" && IsProductName(expected, "h1"))
            {
                Check(pointer, AfterColon((string)value!), AfterColon((string?)ours ?? ""));
            }
            else if (name == "error")
            {
                if (ours is null || !((string)ours!).Contains((string)value!, StringComparison.Ordinal))
                {
                    differences.Add(new(pointer, (string)value!, ours is null ? "(missing)" : (string)ours!));
                }
            }
            else if (name == "forms")
            {
                CompareForms(pointer, value!.AsArray(), ours as JsonArray ?? []);
            }
            else if (name == "actions")
            {
                CompareJson(pointer + "/summary", value!["summary"], ours?["summary"], null, false);
                Contained(pointer + "/items", (value["items"] as JsonArray) ?? [], ours?["items"] as JsonArray ?? []);
            }
            else if (MoreAllowed.Contains(name))
            {
                Contained(pointer, value!.AsArray(), ours as JsonArray ?? []);
            }
            else
            {
                CompareJson(pointer, value, ours, null, false);
            }
        }
        foreach (var name in new[] { "messages", "zero_results" })
        {
            if (!expected.ContainsKey(name) && got[name] is { } extra && !expected.ContainsKey("error"))
            {
                differences.Add(new("/html_facts/" + name, "(absent)", extra.ToJsonString()));
            }
        }
    }

    /// <summary>Without a title in the metadata the home page is called as the product, and that is free.</summary>
    private static bool IsProductName(JsonObject expected, string name) =>
        name == "h1"
        && expected["body_class"]?.AsArray().Any(c => (string?)c == "index") == true
        && (string?)expected["h1"]?[0] == "Datasette";

    private static string AfterColon(string title) => title[(title.IndexOf(": ", StringComparison.Ordinal) + 1)..];

    private void CompareForms(string pointer, JsonArray recorded, JsonArray ours)
    {
        foreach (var (i, form) in recorded.Index())
        {
            var same = ours.Where(f =>
                    JsonNode.DeepEquals(f!["method"], form!["method"]) && JsonNode.DeepEquals(f["action"], form["action"])
                )
                .ToList();
            if (same.Count == 0)
            {
                differences.Add(new($"{pointer}/{i}", $"{form!["method"]} {form["action"]}", "(missing)"));
                continue;
            }
            JsonNode? missing = null;
            foreach (var candidate in same)
            {
                missing = form!["fields"]!
                    .AsArray()
                    .FirstOrDefault(field => !candidate!["fields"]!.AsArray().Any(other => JsonNode.DeepEquals(field, other)));
                missing ??= JsonNode.DeepEquals(form["submit"], candidate!["submit"]) ? null : form["submit"];
                if (missing is null)
                {
                    break;
                }
            }
            if (missing is not null)
            {
                differences.Add(
                    new($"{pointer}/{i}/fields", missing.ToJsonString(), string.Join(' ', same.Select(f => f!.ToJsonString())))
                );
            }
        }
    }

    private void Contained(string pointer, JsonArray recorded, JsonArray ours)
    {
        var rest = ours.Select(node => node?.ToJsonString()).ToList();
        foreach (var (i, item) in recorded.Index())
        {
            var text = item?.ToJsonString();
            if (unstable.Any(p => p.StartsWith($"{pointer}/{i}/", StringComparison.Ordinal)))
            {
                var known = differences.Count;
                var isThere = ours.Any(other =>
                {
                    differences.RemoveRange(known, differences.Count - known);
                    CompareJson($"{pointer}/{i}", item, other, null, false);
                    return differences.Count == known;
                });
                if (!isThere && ours.Count == 0)
                {
                    differences.Add(new($"{pointer}/{i}", text ?? "null", "(missing)"));
                }
            }
            else if (!rest.Remove(text))
            {
                differences.Add(new($"{pointer}/{i}", text ?? "null", "not in " + string.Join(' ', ours.Select(n => n?.ToJsonString()))));
            }
        }
    }
}
