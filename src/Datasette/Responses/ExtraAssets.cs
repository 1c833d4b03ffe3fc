using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Datasette.Pages;
using Datasette.Plugins;

namespace Datasette.Responses;

/// <summary>Style sheets and scripts of the configuration: addresses, or maps with <c>url</c>, <c>sri</c> and <c>module</c>.</summary>
internal static class ExtraAssets
{
    /// <exception cref="StartupException">Something has no address; says where it stands.</exception>
    public static IReadOnlyList<ExtraAsset> Read(IDatasette datasette, string key)
    {
        var all = new List<ExtraAsset>();
        switch (datasette.Config.Root[key])
        {
            case null:
                break;
            case JsonArray list:
                for (var i = 0; i < list.Count; i++)
                {
                    all.Add(One(datasette, list[i], key, i.ToString(CultureInfo.InvariantCulture)));
                }
                break;
            // One that was not put into a list is meant as it stands.
            case var single:
                all.Add(One(datasette, single, key));
                break;
        }
        return all;
    }

    private static ExtraAsset One(IDatasette datasette, JsonNode? item, params string[] path) =>
        item switch
        {
            JsonValue value when value.GetValueKind() == JsonValueKind.String => new(Url(datasette, value.ToString()), null, false),
            JsonObject map when map["url"] is JsonValue url && url.GetValueKind() == JsonValueKind.String => new(
                Url(datasette, url.ToString()),
                map["sri"]?.ToString(),
                map["module"]?.GetValueKind() == JsonValueKind.True
            ),
            _ => throw new StartupException(
                $"{datasette.Config.Locate(path)}: {path[0]} must be a list of addresses, or of maps with url and perhaps sri and module: "
                    + $"{path[0]}: [\"/static/site.css\", {{\"url\": \"https://example.com/x.css\", \"sri\": \"sha384-...\"}}]"
            ),
        };

    /// <summary>A path of this host gets base_url in front.</summary>
    public static string Url(IDatasette datasette, string url) =>
        url.StartsWith('/') && !url.StartsWith("//", StringComparison.Ordinal) ? datasette.UrlPath(url) : url;
}
