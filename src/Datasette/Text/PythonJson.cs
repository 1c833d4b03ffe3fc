using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Datasette.Text;

/// <summary>JSON as the original prints it in texts for people: separators with a space, everything beyond ASCII escaped.</summary>
public static class PythonJson
{
    /// <summary>The text of a value.</summary>
    /// <param name="node">The value; null is <c>null</c>.</param>
    public static string Write(JsonNode? node)
    {
        var result = new StringBuilder();
        Write(result, node);
        return result.ToString();
    }

    private static void Write(StringBuilder result, JsonNode? node)
    {
        switch (node)
        {
            case null:
                result.Append("null");
                break;
            case JsonObject map:
                result.Append('{');
                var isFirst = true;
                foreach (var (key, value) in map)
                {
                    result.Append(isFirst ? "" : ", ");
                    isFirst = false;
                    WriteText(result, key);
                    result.Append(": ");
                    Write(result, value);
                }

                result.Append('}');
                break;
            case JsonArray list:
                result.Append('[');
                for (var i = 0; i < list.Count; i++)
                {
                    result.Append(i == 0 ? "" : ", ");
                    Write(result, list[i]);
                }

                result.Append(']');
                break;
            default:
                if (node.GetValueKind() == JsonValueKind.String)
                {
                    WriteText(result, node.GetValue<string>());
                }
                else
                {
                    result.Append(node.ToJsonString());
                }

                break;
        }
    }

    private static void WriteText(StringBuilder result, string text)
    {
        result.Append('"');
        foreach (var c in text)
        {
            _ = c switch
            {
                '"' => result.Append("\\\""),
                '\\' => result.Append("\\\\"),
                '\n' => result.Append("\\n"),
                '\r' => result.Append("\\r"),
                '\t' => result.Append("\\t"),
                '\b' => result.Append("\\b"),
                '\f' => result.Append("\\f"),
                < ' ' or > '~' => result.Append("\\u").Append(((int)c).ToString("x4", CultureInfo.InvariantCulture)),
                _ => result.Append(c),
            };
        }

        result.Append('"');
    }
}
