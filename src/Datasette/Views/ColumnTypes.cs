using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Datasette.Configuration;
using Datasette.Databases;
using Datasette.Responses;
using Datasette.Text;
using Microsoft.AspNetCore.Html;

namespace Datasette.Views;

/// <summary>The built-in types of columns: url, email, json, textarea. What they refuse and how they are shown.</summary>
internal static partial class ColumnTypes
{
    /// <summary>Their names.</summary>
    public static readonly IReadOnlyList<string> Known = ["url", "email", "json", "textarea"];

    /// <summary>Types that the configuration gives, with the reason for those that cannot be.</summary>
    public static async Task<(List<(string, string, string, ColumnType)> Types, List<string> Warnings)> ConfiguredAsync(
        DatasetteConfig config,
        DatabaseCollection databases,
        CancellationToken ct
    )
    {
        var (types, warnings) = (new List<(string, string, string, ColumnType)>(), new List<string>());
        foreach (var database in databases)
        {
            var schema = await database.KnownSchemaAsync(ct);
            foreach (var (table, block) in config.Root["databases"]?[database.Name]?["tables"] as JsonObject ?? [])
            {
                foreach (var (column, node) in (block as JsonObject)?["column_types"] as JsonObject ?? [])
                {
                    var type = node is JsonObject given
                        ? new ColumnType(given["type"]?.ToString() ?? "", given["config"]?.DeepClone())
                        : new ColumnType(node?.ToString() ?? "", null);
                    if (Problem(database.Name, schema.Relation(table), table, column, type.Type) is { } problem)
                    {
                        warnings.Add($"column_types of {database.Name}.{table}: {problem}");
                    }
                    else
                    {
                        types.Add((database.Name, table, column, type));
                    }
                }
            }
        }
        return (types, warnings);
    }

    /// <summary>Why a column cannot have this type; null when it can.</summary>
    public static string? Problem(string database, RelationSchema? relation, string table, string column, string type)
    {
        if (relation?.Column(column) is not { } info)
        {
            return $"Column not found: {column}";
        }
        if (!Known.Contains(type))
        {
            return $"Unknown column type: {type}";
        }
        return info.Affinity == "TEXT"
            ? null
            : $"Column type '{type}' is only applicable to SQLite types TEXT but {database}.{table}.{column} has SQLite type {info.Affinity}";
    }

    /// <summary>Refuses values that do not fit their column's type.</summary>
    /// <exception cref="DatasetteException">400 with one message for each.</exception>
    public static void Check(ViewContext v, string database, string table, IEnumerable<IReadOnlyList<KeyValuePair<string, object?>>> rows)
    {
        if (v.App.ColumnTypes.IsEmpty)
        {
            return;
        }
        var errors = rows.SelectMany(row => row)
            .Select(pair =>
                v.App.ColumnTypes.Find(database, table, pair.Key) is { } type && Refusal(type.Type, pair.Value) is { } why
                    ? $"{pair.Key}: {why}"
                    : null
            )
            .OfType<string>()
            .Distinct()
            .ToList();
        if (errors.Count > 0)
        {
            throw new DatasetteException(400, errors);
        }
    }

    private static string? Refusal(string type, object? value) =>
        value is not string text || text.Length == 0 ? null
        : type == "url" && !Url().IsMatch(text) ? "Invalid URL"
        : type == "email" && !Email().IsMatch(text) ? "Invalid email address"
        : type == "json" && !IsJson(text) ? "Invalid JSON"
        : null;

    private static bool IsJson(string text)
    {
        try
        {
            ForeignJson.ParseDocument(System.Text.Encoding.UTF8.GetBytes(text)).Dispose();
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>How a value of a typed column is shown; null for those that are shown as all others.</summary>
    public static IHtmlContent? Render(ViewContext v, string database, string? table, string column, object? value)
    {
        if (
            table is null
            || v.App.ColumnTypes.IsEmpty
            || value is not string { Length: > 0 } text
            || v.App.ColumnTypes.Find(database, table, column) is not { } type
        )
        {
            return null;
        }
        var shown = HtmlEncoder.Default.Encode(text);
        return type.Type switch
        {
            "url" when Url().IsMatch(text) => new HtmlString($"<a href=\"{shown}\">{shown}</a>"),
            "email" when Email().IsMatch(text) => new HtmlString($"<a href=\"mailto:{shown}\">{shown}</a>"),
            "json" when IsJson(text) => new HtmlString(
                $"<pre>{HtmlEncoder.Default.Encode(JsonBody.ToText(ForeignJson.Parse(text), 2))}</pre>"
            ),
            "textarea" => new HtmlString($"<pre>{shown}</pre>"),
            _ => null,
        };
    }

    /// <summary>The types of a table's columns.</summary>
    public static JsonMap ToJson(ViewContext v, string database, RelationSchema relation)
    {
        var map = new JsonMap();
        foreach (var column in v.App.ColumnTypes.IsEmpty ? [] : relation.ColumnNames)
        {
            if (v.App.ColumnTypes.Find(database, relation.Name, column) is { } type)
            {
                map.Add(column, TypeJson(type));
            }
        }
        return map;
    }

    /// <summary>A type as data.</summary>
    public static JsonMap TypeJson(ColumnType type) => new() { { "type", type.Type }, { "config", type.Config } };

    [GeneratedRegex(@"^https?://[^\s/?#]+[^\s]*$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Url();

    [GeneratedRegex(@"^[^@\s]+@[^@\s]+\.[^@\s.]+$", RegexOptions.CultureInvariant)]
    private static partial Regex Email();
}
