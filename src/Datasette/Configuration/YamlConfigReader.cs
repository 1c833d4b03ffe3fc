using System.Globalization;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Datasette.Configuration;

/// <summary>YAML text to a tree, with the position of each key. Plain words mean what they mean to the original's reader.</summary>
internal sealed class YamlConfigReader
{
    // A configuration of this size is an attack by aliases, or a mistake.
    private const int MostNodes = 500_000;
    private const int MostDepth = 100;

    private readonly Parser _parser;
    private readonly string _file;
    private readonly ConfigDocument _document;
    private readonly Dictionary<string, JsonNode?> _anchors = new(StringComparer.Ordinal);
    private readonly string _text;
    private int _nodes;
    private Mark _lastEnd = Mark.Empty;

    private YamlConfigReader(string text, string file, ConfigDocument document)
    {
        _text = text;
        _parser = new Parser(new StringReader(text));
        _file = file;
        _document = document;
    }

    /// <summary>Reads a whole text of at most one document.</summary>
    /// <returns>The value; null for an empty text or YAML null.</returns>
    /// <exception cref="ConfigSyntaxException">It is no YAML, or uses what a configuration must not.</exception>
    public static JsonNode? Read(string text, string file, ConfigDocument document)
    {
        var zero = text.IndexOf('\0', StringComparison.Ordinal);
        if (zero >= 0)
        {
            // Behind a '%' the parser looks for the end of the line through thousands of millions of zeros that are not there.
            var line = text.AsSpan(0, zero).Count('\n') + 1;
            throw new ConfigSyntaxException("a zero byte is no text", line, zero - text.LastIndexOf('\n', zero));
        }

        var reader = new YamlConfigReader(text, file, document);
        try
        {
            return reader.ReadStream();
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)
        {
            // The parser's own way to fail at a flow collection that is never closed, among others.
            throw new ConfigSyntaxException(
                "could not find what was expected here",
                (int)reader._lastEnd.Line,
                (int)reader._lastEnd.Column
            );
        }
        catch (YamlException e)
        {
            var message = e.Message;
            var end = message.IndexOf("): ", StringComparison.Ordinal);
            throw new ConfigSyntaxException(
                message.StartsWith('(') && end > 0 ? message[(end + 3)..] : message,
                (int)e.Start.Line,
                (int)e.Start.Column
            );
        }
    }

    private JsonNode? ReadStream()
    {
        _parser.Consume<StreamStart>();
        if (_parser.Accept<StreamEnd>(out _))
        {
            return null;
        }

        _parser.Consume<DocumentStart>();
        var value = Value("", 0);
        _parser.Consume<DocumentEnd>();
        if (!_parser.Accept<StreamEnd>(out _))
        {
            throw Failure(_parser.Current!, "expected a single document, but found another one");
        }

        return value;
    }

    private JsonNode? Value(string path, int depth)
    {
        var current = _parser.Current!;
        if (!IsLeftOut(current))
        {
            _lastEnd = current.End;
        }

        if (++_nodes > MostNodes || depth > MostDepth)
        {
            throw Failure(current, "the configuration is too large or nested too deeply");
        }

        switch (current)
        {
            case AnchorAlias alias:
                _parser.MoveNext();
                return Alias(alias);
            case Scalar scalar:
                _parser.MoveNext();
                return Remember(scalar, YamlScalar.Resolve(scalar) ?? throw Failure(scalar, $"unknown tag {scalar.Tag}"), out var value)
                    ? value
                    : null;
            case SequenceStart sequence:
                CheckTag(sequence, sequence.Tag, "tag:yaml.org,2002:seq");
                _parser.MoveNext();
                return Remember(sequence, Sequence(path, depth, sequence.Style == SequenceStyle.Flow));
            case MappingStart mapping:
                CheckTag(mapping, mapping.Tag, "tag:yaml.org,2002:map");
                _parser.MoveNext();
                return Remember(mapping, Mapping(path, depth, mapping.Style == MappingStyle.Flow));
            default:
                throw Failure(current, "unexpected " + current.GetType().Name);
        }
    }

    private JsonArray Sequence(string path, int depth, bool isFlow)
    {
        var result = new JsonArray();
        while (!_parser.Accept<SequenceEnd>(out _))
        {
            if (isFlow && result.Count > 0)
            {
                CheckSeparator(',');
            }

            var itemPath = ConfigDocument.Path(path, result.Count.ToString(CultureInfo.InvariantCulture));
            _document.Mark(itemPath, Position(_parser.Current!));
            result.Add(Value(itemPath, depth + 1));
        }

        _lastEnd = _parser.Consume<SequenceEnd>().End;
        return result;
    }

    private JsonObject Mapping(string path, int depth, bool isFlow)
    {
        var result = new JsonObject();
        var merged = new List<JsonObject>();
        while (!_parser.Accept<MappingEnd>(out _))
        {
            if (isFlow && result.Count + merged.Count > 0)
            {
                CheckSeparator(',');
            }

            var position = Position(_parser.Current!);
            var key = Key(out var isMerge);
            var keyPath = ConfigDocument.Path(path, key);
            var start = _parser.Current!;
            CheckSeparator(':');
            if (isMerge)
            {
                AddMerged(merged, Value(keyPath, depth + 1), start);
                continue;
            }

            _document.Mark(keyPath, position);
            result[key] = Value(keyPath, depth + 1);
        }

        _lastEnd = _parser.Consume<MappingEnd>().End;
        foreach (var (key, value) in merged.SelectMany(m => m))
        {
            if (!result.ContainsKey(key))
            {
                result[key] = value?.DeepClone();
            }
        }

        return result;
    }

    // The parser takes {a: 1 b: 2} and {"a" 1}, and makes of them something else than was meant.
    private void CheckSeparator(char separator)
    {
        var next = _parser.Current!;
        var (from, to) = ((int)_lastEnd.Index, (int)next.Start.Index);
        if (!IsLeftOut(next) && to >= from && !_text.AsSpan(from, to - from).Contains(separator))
        {
            throw Failure(next, $"expected '{separator}' before this");
        }
    }

    // A value that is left out has no place of its own.
    private static bool IsLeftOut(ParsingEvent value) => value is Scalar { Value.Length: 0, Style: ScalarStyle.Plain };

    // Keys are text, as they are in JSON: 1 and "1" are the same name of a table.
    private string Key(out bool isMerge)
    {
        isMerge = false;
        if (_parser.Current is AnchorAlias alias && _anchors.TryGetValue(alias.Value.Value, out var node) && node is JsonValue)
        {
            _parser.MoveNext();
            return node.ToString();
        }

        if (_parser.Current is not Scalar scalar)
        {
            throw Failure(_parser.Current!, "a key must be a plain word or a text");
        }

        _lastEnd = scalar.End;
        _parser.MoveNext();
        isMerge = scalar is { Value: "<<", Style: ScalarStyle.Plain };
        if (!scalar.Anchor.IsEmpty)
        {
            _anchors[scalar.Anchor.Value] = JsonValue.Create(scalar.Value);
        }

        return scalar.Value;
    }

    private void AddMerged(List<JsonObject> merged, JsonNode? value, ParsingEvent start)
    {
        switch (value)
        {
            case JsonObject one:
                merged.Add(one);
                break;
            case JsonArray many when many.All(m => m is JsonObject):
                merged.AddRange(many.Cast<JsonObject>());
                break;
            default:
                throw Failure(start, "expected a mapping or list of mappings to merge with <<");
        }
    }

    private JsonNode? Alias(AnchorAlias alias)
    {
        if (!_anchors.TryGetValue(alias.Value.Value, out var node))
        {
            throw Failure(alias, $"found undefined alias '{alias.Value.Value}'");
        }

        _nodes += Count(node);
        if (_nodes > MostNodes)
        {
            throw Failure(alias, "the aliases unfold to too many values");
        }

        return node?.DeepClone();
    }

    private bool Remember(Scalar scalar, YamlScalar resolved, out JsonNode? value)
    {
        value = resolved.Value;
        if (!scalar.Anchor.IsEmpty)
        {
            _anchors[scalar.Anchor.Value] = value;
        }

        return true;
    }

    private JsonNode Remember(NodeEvent start, JsonNode value)
    {
        if (!start.Anchor.IsEmpty)
        {
            _anchors[start.Anchor.Value] = value;
        }

        return value;
    }

    private static int Count(JsonNode? node)
    {
        return node switch
        {
            JsonObject map => 1 + map.Sum(p => Count(p.Value)),
            JsonArray list => 1 + list.Sum(Count),
            _ => 1,
        };
    }

    private void CheckTag(ParsingEvent at, TagName tag, string known)
    {
        if (!tag.IsEmpty && !tag.IsNonSpecific && tag.Value != known)
        {
            throw Failure(at, $"could not determine a constructor for the tag '{tag.Value}'");
        }
    }

    private SourcePosition Position(ParsingEvent at) => new(_file, (int)at.Start.Line, (int)at.Start.Column);

    private static ConfigSyntaxException Failure(ParsingEvent at, string message) => new(message, (int)at.Start.Line, (int)at.Start.Column);
}
