using System.Text.Json.Nodes;
using Datasette.Pages;
using Datasette.Responses;

namespace Datasette.Views;

/// <summary>What the metadata says of the instance, a database or a table: values as text.</summary>
internal sealed class Metadata
{
    private static readonly string[] Nested = ["databases", "tables", "queries", "columns"];
    private readonly Dictionary<string, string> values = new(StringComparer.Ordinal);

    private Metadata(JsonObject? configured, IEnumerable<JsonObject> ofPlugins)
    {
        Add(configured ?? []);
        foreach (var source in ofPlugins)
        {
            Add(source);
        }
    }

    /// <summary>What is known already stays.</summary>
    private void Add(JsonObject source)
    {
        foreach (var (key, value) in source)
        {
            if (!Nested.Contains(key) && value is not null)
            {
                values.TryAdd(key, Text(value));
            }
        }
        foreach (var (column, description) in source["columns"] as JsonObject ?? [])
        {
            if (Columns.TrueForAll(known => known.Key != column))
            {
                Columns.Add(new(column, description is null ? "" : Text(description)));
            }
        }
    }

    /// <summary>Descriptions of columns, in the order they were written.</summary>
    public List<KeyValuePair<string, string>> Columns { get; } = [];

    public string? this[string key] => values.GetValueOrDefault(key);

    public static Metadata Instance(DatasetteApp app) => new(app.Config.Metadata, app.Hooks.Metadata(app, null, null));

    public static Metadata Database(DatasetteApp app, string database) =>
        new(app.Config.Metadata["databases"]?[database] as JsonObject, app.Hooks.Metadata(app, database, null));

    public static Metadata Table(DatasetteApp app, string database, string table) =>
        new(app.Config.Metadata["databases"]?[database]?["tables"]?[table] as JsonObject, app.Hooks.Metadata(app, database, table));

    public JsonMap ToJson()
    {
        var map = new JsonMap();
        foreach (var (key, value) in values)
        {
            map.Add(key, value);
        }
        return map;
    }

    public JsonMap ToJsonWithColumns()
    {
        var map = ToJson();
        map.Add("columns", Columns.Select(pair => new KeyValuePair<string, object?>(pair.Key, pair.Value)).ToList());
        return map;
    }

    public DescriptionModel Description() => new(this["description_html"], this["description"], Links());

    /// <summary>License, source and about, each only if there is something to say.</summary>
    public IReadOnlyList<FooterLink> Links()
    {
        var links = new List<FooterLink>();
        Add("Data license", "license");
        Add("Data source", "source");
        Add("About", "about");
        return links;

        void Add(string label, string key)
        {
            var (text, url) = (this[key], this[key + "_url"]);
            if (text is not null || url is not null)
            {
                links.Add(new(label, text ?? url!, SafeHref(url)));
            }
        }
    }

    /// <summary>Only addresses that a browser fetches: a metadata file may come from elsewhere.</summary>
    private static string? SafeHref(string? url)
    {
        if (url is null)
        {
            return null;
        }
        // Browsers drop blanks and line ends before they look for the scheme.
        var plain = string.Concat(url.Where(c => c > ' '));
        var colon = plain.IndexOf(':', StringComparison.Ordinal);
        var isScheme = colon > 0 && plain[..colon].All(c => char.IsAsciiLetterOrDigit(c) || c is '+' or '-' or '.');
        return !isScheme || plain[..colon].ToLowerInvariant() is "http" or "https" or "mailto" or "ftp" ? url : null;
    }

    private static string Text(JsonNode value) =>
        value is JsonValue scalar && scalar.TryGetValue<string>(out var text) ? text : value.ToJsonString(Defaults.PlainJson.Options);
}
