using System.Collections;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Datasette.Liquid;
using Datasette.Pages;
using Datasette.Responses;
using Datasette.Tables;
using Microsoft.AspNetCore.Html;

namespace Datasette.Templates;

/// <summary>
/// What the host and its plugins hand over, as values of the template language. Each kind is named here: nothing is found by reflection, and
/// nothing that is not named can be reached. Text is escaped where it is written, unless it is HTML by its type.
/// </summary>
internal static class TemplateValues
{
    public static object? Of(object? thing) =>
        thing switch
        {
            null or string or bool or decimal or SafeHtml or LiquidMap => thing,
            int number => (decimal)number,
            long number => (decimal)number,
            double number => Number(PageToken.Text(number)),
            byte[] bytes => Binary(bytes),
            IHtmlContent html => new SafeHtml(Html(html)),
            JsonNode node => OfJson(node),
            PageRow row => new RowValue(row),
            ExpandedValue expanded => new ObjectMap([new("value", expanded.Value), new("label", expanded.Label)]),
            IEnumerable<KeyValuePair<string, object?>> map => new ObjectMap(map),
            IEnumerable<KeyValuePair<string, string>> map => new ObjectMap(
                map.Select(pair => new KeyValuePair<string, object?>(pair.Key, pair.Value))
            ),
            IEnumerable list => list.Cast<object?>().Select(Of).ToArray(),
            IFormattable other => other.ToString(null, CultureInfo.InvariantCulture),
            _ => throw new InvalidOperationException($"A template cannot show a {thing.GetType().Name}"),
        };

    private static object? OfJson(JsonNode node) =>
        node switch
        {
            JsonObject map => new ObjectMap(map.Select(pair => new KeyValuePair<string, object?>(pair.Key, pair.Value))),
            JsonArray list => list.Select(item => Of(item)).ToArray(),
            _ => node.GetValueKind() switch
            {
                JsonValueKind.String => node.ToString(),
                JsonValueKind.True => true,
                JsonValueKind.False => false,
                JsonValueKind.Number => Number(node.ToJsonString()),
                _ => null,
            },
        };

    /// <summary>Numbers of the template language are decimal; one that is too large or no number is shown as it is.</summary>
    private static object Number(string text) =>
        decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : text;

    private static string Binary(byte[] bytes) =>
        string.Create(CultureInfo.InvariantCulture, $"<Binary: {bytes.Length:N0} byte{(bytes.Length == 1 ? "" : "s")}>");

    private static string Html(IHtmlContent html)
    {
        using var writer = new StringWriter(CultureInfo.InvariantCulture);
        html.WriteTo(writer, HtmlResponse.Encoder);
        return writer.ToString();
    }
}

/// <summary>A map of things that become values when they are asked for. Of two with one name the last one counts.</summary>
internal sealed class ObjectMap(IEnumerable<KeyValuePair<string, object?>> source) : LiquidMap
{
    private readonly Dictionary<string, object?> things = Fill(source);

    public override IEnumerable<string> Keys => things.Keys;

    public override object? Find(string name) => things.TryGetValue(name, out var thing) ? TemplateValues.Of(thing) : null;

    private static Dictionary<string, object?> Fill(IEnumerable<KeyValuePair<string, object?>> source)
    {
        var map = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach (var (name, value) in source)
        {
            map[name] = value;
        }
        return map;
    }
}

/// <summary>
/// A row: <c>row["name"]</c> and <c>row.name</c> are values as stored, <c>row.display["name"]</c> is the cell as the host shows it,
/// <c>row.cells</c> are all cells (as is a loop over the row), <c>row.url</c> is its page. In brackets a column always wins.
/// </summary>
internal sealed class RowValue(PageRow row) : LiquidMap
{
    public override IEnumerable<string> Keys => row.Columns.Distinct();

    public override object? Find(string name)
    {
        for (var i = 0; i < row.Columns.Count; i++)
        {
            if (row.Columns[i] == name)
            {
                return TemplateValues.Of(row.Values[i]);
            }
        }
        return null;
    }

    public override object? Member(string name) =>
        name switch
        {
            "display" => new ObjectMap(Displayed()),
            "cells" => Items(),
            "key" => row.Shown.Key,
            "label" => row.Shown.Label,
            "url" => Url(),
            _ => Find(name),
        };

    public override IReadOnlyList<object?> Items() => row.Head.Select((column, i) => (object?)Cell(column, row.Shown.Cells[i])).ToArray();

    private string? Url() => row.Shown.Cells.FirstOrDefault(cell => cell.Classes.Contains("type-pk", StringComparison.Ordinal))?.Href;

    private IEnumerable<KeyValuePair<string, object?>> Displayed() =>
        row.Head.Select((column, i) => new KeyValuePair<string, object?>(column.Name, CellHtml.Of(row.Shown.Cells[i])));

    private ObjectMap Cell(ColumnModel column, CellModel cell) =>
        new([
            new("column", column.Name),
            new("value", CellHtml.Of(cell)),
            new("raw", Find(column.Name)),
            new("text", cell.Text),
            new("url", cell.Href),
            new("class", cell.Classes),
        ]);
}
