using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using AngleSharp.Dom;
using AngleSharp.Html.Parser;

namespace Datasette.Tests.Conformance;

/// <summary>What a page says, apart from how it looks: the facts that the recordings keep of each HTML answer.</summary>
internal static partial class HtmlFacts
{
    private static readonly string[] Silent = ["script", "style", "svg", "template", "noscript", "button", "dialog"];
    private static readonly string[] HeadData =
    [
        "data-column",
        "data-column-type",
        "data-column-not-null",
        "data-is-pk",
        "data-column-description",
        "data-is-link-column",
    ];

    public static JsonObject Of(string html, int status)
    {
        var document = new HtmlParser().ParseDocument(html);
        var facts = new JsonObject
        {
            ["title"] = document.QuerySelector("head > title") is { } title ? Text(title) : null,
            ["body_class"] = Strings(document.Body!.ClassList.Order(StringComparer.Ordinal)),
            ["h1"] = Strings(InMain(document, "h1").Select(Text)),
            ["h2"] = Strings(InMain(document, "h2").Select(Text)),
            ["h3"] = Strings(InMain(document, "h3").Select(Text)),
            ["crumbs"] = Links(document.QuerySelectorAll("p.crumbs a")),
            ["nav_menu"] = Links(document.QuerySelectorAll(".nav-menu a")),
            ["logout_form"] = document.QuerySelector("form.nav-menu-logout") is not null ? true : null,
            ["actor"] = document.QuerySelector("header .actor strong") is { } actor ? Text(actor) : null,
            ["footer_links"] = Links(document.QuerySelectorAll("footer a").Skip(1)),
            ["alternate"] = new JsonArray(
                document
                    .QuerySelectorAll("head link[rel=alternate]")
                    .Select(link => (JsonNode)new JsonArray(link.GetAttribute("type"), CanonicalUrl.Of(link.GetAttribute("href") ?? "")))
                    .ToArray()
            ),
            ["robots"] = Strings(document.QuerySelectorAll("meta[name=robots]").Select(meta => meta.GetAttribute("content") ?? "")),
            ["messages"] = new JsonArray(
                InMain(document, ".message-info, .message-warning, .message-error")
                    .Select(e =>
                        (JsonNode)
                            new JsonArray(
                                e.ClassList.First(c => c.StartsWith("message-", StringComparison.Ordinal))["message-".Length..],
                                Text(e)
                            )
                    )
                    .ToArray()
            ),
            ["description"] = Strings(InMain(document, ".metadata-description").Select(Text)),
            ["column_descriptions"] = new JsonArray(
                InMain(document, "dl.column-descriptions dt")
                    .Select(dt => (JsonNode)new JsonArray(Text(dt), dt.NextElementSibling is { } dd ? Text(dd) : ""))
                    .ToArray()
            ),
            ["actions"] = Actions(document),
            ["forms"] = new JsonArray(InMain(document, "form").Select(Form).ToArray()),
            ["tables"] = new JsonArray(InMain(document, "table").Select(Table).ToArray()),
            ["zero_results"] = Strings(InMain(document, "p.zero-results").Select(Text)),
            ["facets"] = new JsonArray(InMain(document, ".facet-results .facet-info").Select(Facet).ToArray()),
            ["suggested_facets"] = Strings(document.QuerySelectorAll("p.suggested-facets").Select(Text)),
            ["export_links"] = Links(InMain(document, "p.export-links a")),
            ["extra_wheres"] = new JsonArray(
                InMain(document, ".extra-wheres li")
                    .Select(li => (JsonNode)new JsonArray(Text(li), Strings(li.QuerySelectorAll("a[href]").Select(Href))))
                    .ToArray()
            ),
            ["databases"] = Databases(document),
            ["db_tables"] = new JsonArray(InMain(document, ".db-table").Select(DbTable).ToArray()),
            ["list_items"] = Strings(
                InMain(document, "li")
                    .Where(li =>
                        li.Closest(".facet-results, details, .extra-wheres") is null && li.QuerySelector("input,select,textarea") is null
                    )
                    .Select(Text)
            ),
            ["pre"] = new JsonArray(InMain(document, "pre").Select(Pre).ToArray()),
            ["links"] = Links(
                InMain(document, "a[href]")
                    .Where(a => a.Closest("table, .facet-results, details.actions-menu-links") is null)
                    .DistinctBy(a => (Text(a), Href(a)))
            ),
        };
        if (status >= 400 && document.QuerySelector("section.content") is { } content)
        {
            facts["error"] = Text(content, skipHeadings: true);
        }
        foreach (var key in facts.Select(pair => pair.Key).ToList())
        {
            if (facts[key] is null or JsonArray { Count: 0 })
            {
                facts.Remove(key);
            }
        }
        return facts;
    }

    public static string Text(IElement element) => Text(element, false);

    private static string Text(IElement element, bool skipHeadings)
    {
        var text = new StringBuilder();
        Collect(element, text, skipHeadings);
        return Space().Replace(text.ToString(), " ").Trim();
    }

    private static void Collect(INode node, StringBuilder text, bool skipHeadings)
    {
        foreach (var child in node.ChildNodes)
        {
            if (child is IText part)
            {
                text.Append(part.Data);
            }
            else if (child is IElement element && !Silent.Contains(element.LocalName) && !(skipHeadings && element.LocalName == "h1"))
            {
                if (element.LocalName == "br")
                {
                    text.Append(' ');
                }
                Collect(element, text, skipHeadings);
            }
        }
    }

    private static IEnumerable<IElement> InMain(IDocument document, string selector) =>
        document.Body!.QuerySelectorAll(selector).Where(e => e.Closest("header, footer, navigation-search, template, dialog") is null);

    private static string Href(IElement a) => CanonicalUrl.Of(a.GetAttribute("href") ?? "");

    private static JsonArray Strings(IEnumerable<string> values) => new(values.Select(v => (JsonNode)v!).ToArray());

    private static JsonArray Links(IEnumerable<IElement> links) =>
        new(links.Where(a => a.HasAttribute("href")).Select(a => (JsonNode)new JsonArray(Text(a), Href(a))).ToArray());

    private static JsonObject? Actions(IDocument document)
    {
        if (document.QuerySelector("details.actions-menu-links") is not { } details)
        {
            return null;
        }
        var items = details
            .QuerySelectorAll("ul[role=menu] > li")
            .Select(li =>
            {
                var first = li.QuerySelector("a, button")!;
                var copy = (IElement)first.Clone();
                copy.QuerySelector(".dropdown-description")?.Remove();
                return (JsonNode)new JsonArray(Text(copy), first.GetAttribute("href") is { } href ? CanonicalUrl.Of(href) : null);
            });
        return new JsonObject { ["summary"] = Text(details.QuerySelector("summary")!), ["items"] = new JsonArray(items.ToArray()) };
    }

    private static JsonNode Form(IElement form)
    {
        var fields = new JsonArray();
        foreach (var control in form.QuerySelectorAll("input[name], select[name], textarea[name]"))
        {
            var field = new JsonObject { ["name"] = control.GetAttribute("name") };
            var type = control.LocalName == "input" ? control.GetAttribute("type") ?? "text" : control.LocalName;
            if (type == "submit")
            {
                continue;
            }
            field["type"] = type;
            if (type == "select")
            {
                field["options"] = new JsonArray(
                    control
                        .QuerySelectorAll("option")
                        .Select(o =>
                        {
                            var option = new JsonArray(o.GetAttribute("value") ?? Text(o), Text(o));
                            if (o.HasAttribute("selected"))
                            {
                                option.Add("selected");
                            }
                            return (JsonNode)option;
                        })
                        .ToArray()
                );
            }
            else
            {
                field["value"] =
                    type == "textarea" ? control.TextContent : control.GetAttribute("value") ?? (type is "checkbox" or "radio" ? "on" : "");
                if (type is "checkbox" or "radio")
                {
                    field["checked"] = control.HasAttribute("checked");
                }
            }
            fields.Add(field);
        }
        var submit = form.QuerySelectorAll("input[type=submit], button")
            .Where(b => b.LocalName == "input" || (b.GetAttribute("type") ?? "submit") == "submit")
            .Select(b => b.LocalName == "input" ? b.GetAttribute("value") ?? "" : Text(b));
        return new JsonObject
        {
            ["method"] = (form.GetAttribute("method") ?? "get").ToLowerInvariant(),
            ["action"] = CanonicalUrl.Of(form.GetAttribute("action") ?? ""),
            ["fields"] = fields,
            ["submit"] = Strings(submit),
        };
    }

    private static JsonNode Table(IElement table)
    {
        var head = new JsonArray();
        foreach (var th in table.QuerySelectorAll("thead th"))
        {
            var entry = new JsonObject { ["text"] = Text(th) };
            if (th.QuerySelector("a[href]") is { } link)
            {
                entry["href"] = Href(link);
            }
            foreach (var name in HeadData)
            {
                if (th.GetAttribute(name) is { } value)
                {
                    entry[name] = value;
                }
            }
            if (th.ClassList.FirstOrDefault(c => c.StartsWith("col-", StringComparison.Ordinal)) is { } column)
            {
                entry["class"] = column;
            }
            head.Add(entry);
        }
        var rows = new JsonArray();
        foreach (var tr in table.QuerySelectorAll("tbody tr"))
        {
            var row = new JsonObject();
            foreach (var name in new[] { "data-row", "data-row-label" })
            {
                if (tr.GetAttribute(name) is { } value)
                {
                    row[name] = value;
                }
            }
            row["cells"] = new JsonArray(tr.QuerySelectorAll("td").Select(Cell).ToArray());
            rows.Add(row);
        }
        var result = new JsonObject { ["head"] = head, ["rows"] = rows };
        if (table.ClassList.Contains("rows-and-columns"))
        {
            result["main"] = true;
        }
        return result;
    }

    private static JsonNode Cell(IElement td)
    {
        var classes = td.ClassList.Where(c =>
            c.StartsWith("col-", StringComparison.Ordinal) || c.StartsWith("type-", StringComparison.Ordinal)
        );
        var cell = new JsonArray(Text(td), string.Join(' ', classes));
        if (Links(td.QuerySelectorAll("a")) is { Count: > 0 } links)
        {
            cell.Add(links);
        }
        return cell;
    }

    private static JsonNode Facet(IElement info)
    {
        var strong = info.QuerySelector(".facet-info-name strong")!;
        var name = (IElement)strong.Clone();
        name.QuerySelector(".facet-info-total")?.Remove();
        var values = new JsonArray();
        foreach (var li in info.QuerySelectorAll("ul li:not(.facet-truncated)"))
        {
            var link = li.QuerySelector("a:not(.cross)");
            var cross = li.QuerySelector("a.cross");
            var count = li.QuerySelector(".facet-count") is { } c ? Text(c) : null;
            var value = new JsonObject();
            if (link is not null)
            {
                value["text"] = Text(link);
                value["value"] = link.GetAttribute("data-facet-value");
                value["count"] = count;
                value["href"] = Href(link);
                value["selected"] = false;
            }
            else
            {
                var copy = (IElement)li.Clone();
                copy.QuerySelector(".facet-count")?.Remove();
                copy.QuerySelector("a.cross")?.Remove();
                value["text"] = Text(copy);
                value["count"] = count;
                value["href"] = cross is null ? null : Href(cross);
                value["selected"] = true;
            }
            values.Add(value);
        }
        var truncated = info.QuerySelector(".facet-truncated");
        return new JsonObject
        {
            ["id"] = info.Id,
            ["column"] = info.GetAttribute("data-column"),
            ["name"] = Text(name),
            ["total"] = info.QuerySelector(".facet-info-total") is { } total ? Text(total) : null,
            ["hide"] = info.QuerySelector(".facet-info-name a.cross") is { } hide ? Href(hide) : null,
            ["values"] = values,
            ["truncated"] =
                truncated is null ? false
                : truncated.QuerySelector("a") is { } more ? Href(more)
                : true,
        };
    }

    private static JsonArray Databases(IDocument document)
    {
        var list = new JsonArray();
        if (!document.Body!.ClassList.Contains("index"))
        {
            return list;
        }
        foreach (var h2 in InMain(document, "h2").Where(h => h.QuerySelector("a") is not null))
        {
            var link = h2.QuerySelector("a")!;
            var paragraphs = new List<IElement>();
            for (var next = h2.NextElementSibling; next is not null && next.LocalName != "h2"; next = next.NextElementSibling)
            {
                if (next.LocalName == "p")
                {
                    paragraphs.Add(next);
                }
            }
            var entry = new JsonObject { ["name"] = Text(h2), ["href"] = Href(link) };
            if (paragraphs.Count > 0)
            {
                entry["summary"] = Text(paragraphs[0]);
            }
            if (paragraphs.Count > 1)
            {
                entry["tables"] = new JsonArray(
                    paragraphs[1]
                        .QuerySelectorAll("a")
                        .Select(a => (JsonNode)new JsonArray(Text(a), Href(a), a.GetAttribute("title")))
                        .ToArray()
                );
            }
            list.Add(entry);
        }
        return list;
    }

    private static JsonNode DbTable(IElement table)
    {
        var heading = table.QuerySelector("h3")!;
        return new JsonObject
        {
            ["heading"] = Text(heading),
            ["href"] = heading.QuerySelector("a") is { } a ? Href(a) : null,
            ["lines"] = Strings(table.QuerySelectorAll("p").Select(Text)),
        };
    }

    private static JsonNode Pre(IElement pre)
    {
        var text = pre.TextContent.Trim();
        try
        {
            if (text.StartsWith('{') || text.StartsWith('['))
            {
                return new JsonObject { ["json"] = JsonNode.Parse(text) };
            }
        }
        catch (JsonException)
        {
            // No JSON: kept as text.
        }
        return new JsonObject { ["text"] = text };
    }

    [GeneratedRegex(@"[\s\u00a0]+")]
    private static partial Regex Space();
}
