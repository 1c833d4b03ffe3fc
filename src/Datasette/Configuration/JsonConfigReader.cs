using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Datasette.Configuration;

/// <summary>JSON text to a tree, with the position of each key.</summary>
internal ref struct JsonConfigReader
{
    private readonly ConfigDocument _document;
    private readonly string _file;
    private readonly ReadOnlySpan<byte> _text;
    private Utf8JsonReader _reader;
    private int _line;
    private long _lineStart;
    private long _seen;

    private JsonConfigReader(ConfigDocument document, string file, ReadOnlySpan<byte> text)
    {
        _document = document;
        _file = file;
        _text = text;
        _reader = new Utf8JsonReader(text);
        _line = 1;
    }

    /// <summary>Reads a whole text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="file">For positions.</param>
    /// <param name="document">Takes the positions.</param>
    /// <returns>The value; null for JSON null.</returns>
    /// <exception cref="ConfigSyntaxException">It is no JSON.</exception>
    public static JsonNode? Read(string text, string file, ConfigDocument document)
    {
        var reader = new JsonConfigReader(document, file, Encoding.UTF8.GetBytes(text));
        try
        {
            reader._reader.Read();
            var value = reader.Value("");
            reader._reader.Read();
            return value;
        }
        catch (JsonException e)
        {
            var message = e.Message;
            var end = message.IndexOf(" LineNumber:", StringComparison.Ordinal);
            throw new ConfigSyntaxException(
                end < 0 ? message : message[..end],
                (int)(e.LineNumber ?? 0) + 1,
                (int)(e.BytePositionInLine ?? 0) + 1
            );
        }
    }

    private JsonNode? Value(string path)
    {
        switch (_reader.TokenType)
        {
            case JsonTokenType.StartObject:
                return Object(path);
            case JsonTokenType.StartArray:
                return Array(path);
            case JsonTokenType.String:
                return JsonValue.Create(_reader.GetString());
            case JsonTokenType.Number:
                return ConfigDocument.Number(Encoding.UTF8.GetString(_reader.ValueSpan));
            case JsonTokenType.True:
                return JsonValue.Create(true);
            case JsonTokenType.False:
                return JsonValue.Create(false);
            default:
                return null;
        }
    }

    private JsonObject Object(string path)
    {
        var result = new JsonObject();
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndObject)
        {
            var key = _reader.GetString()!;
            var keyPath = ConfigDocument.Path(path, key);
            _document.Mark(keyPath, Position());
            _reader.Read();
            result[key] = Value(keyPath);
        }

        return result;
    }

    private JsonArray Array(string path)
    {
        var result = new JsonArray();
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndArray)
        {
            var itemPath = ConfigDocument.Path(path, result.Count.ToString(System.Globalization.CultureInfo.InvariantCulture));
            _document.Mark(itemPath, Position());
            result.Add(Value(itemPath));
        }

        return result;
    }

    // Keys come in the order of the text, so each byte is looked at once.
    private SourcePosition Position()
    {
        var start = _reader.TokenStartIndex;
        for (; _seen < start; _seen++)
        {
            if (_text[(int)_seen] == '\n')
            {
                _line++;
                _lineStart = _seen + 1;
            }
        }

        var column = Encoding.UTF8.GetCharCount(_text[(int)_lineStart..(int)start]) + 1;
        return new SourcePosition(_file, _line, column);
    }
}
