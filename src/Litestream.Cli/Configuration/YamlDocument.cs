using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Litestream.Cli.Configuration;

/// <summary>Builds <see cref="ConfigNode"/>s from YAML by the parser's events alone: no reflection, every value keeps its place.</summary>
internal sealed class YamlDocument
{
    private const int MaxDepth = 64;

    // Values with every alias counted as what it stands for: a few lines can stand for billions.
    private const int MaxValues = 100_000;

    private readonly string _file;
    private readonly IParser _parser;
    private readonly Dictionary<AnchorName, (ConfigNode Value, int Count)> _anchors = [];
    private int _values;

    private YamlDocument(string file, string text)
    {
        _file = file;
        _parser = new Parser(new StringReader(text));
    }

    /// <summary>The first document of a file. An empty file is an empty mapping.</summary>
    /// <exception cref="LitestreamException">The text is no YAML, or its top is no mapping.</exception>
    public static ConfigMapping Parse(string file, string text)
    {
        RequireText(file, text);
        var document = new YamlDocument(file, text);
        try
        {
            return document.Root();
        }
        catch (YamlException e)
        {
            throw Problem(e, file, text);
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)
        {
            // The parser's own way to fail at some texts that are far from YAML; it tells no place, so the last one it understood is named.
            throw Problem(
                new YamlException(document.LastEnd, document.LastEnd, "could not find what was expected behind here", e),
                file,
                text
            );
        }
    }

    /// <summary>Behind a '%' the parser looks for the end of the line through thousands of millions of zeros that are not there.</summary>
    private static void RequireText(string file, string text)
    {
        var at = text.IndexOf('\0', StringComparison.Ordinal);
        if (at < 0)
            return;
        var line = text.AsSpan(0, at).Count('\n') + 1;
        throw ConfigError.At(
            new ConfigPlace(file, line, at - text.LastIndexOf('\n', at)),
            "a zero byte is no text: this is no YAML file",
            null
        );
    }

    private Mark LastEnd => _parser.Current?.End ?? Mark.Empty;

    private ConfigMapping Root()
    {
        _parser.Consume<StreamStart>();
        if (!_parser.TryConsume<DocumentStart>(out _))
            return new ConfigMapping(new ConfigPlace(_file, 1, 1), []);
        return Node(0) switch
        {
            ConfigMapping mapping => mapping,
            ConfigScalar { IsNull: true } empty => new ConfigMapping(empty.Place, []),
            var other => throw ConfigError.At(other.Place, $"a configuration file is a group of keys, not {other.Kind}", "dbs:"),
        };
    }

    private ConfigNode Node(int depth)
    {
        var place = Place(_parser.Current!.Start);
        if (depth > MaxDepth)
            throw ConfigError.At(place, "values are nested too deeply", null);
        if (_parser.TryConsume<AnchorAlias>(out var alias))
        {
            if (!_anchors.TryGetValue(alias.Value, out var named))
                throw ConfigError.At(place, $"unknown anchor '{alias.Value}'", $"&{alias.Value} before its first use");
            Count(named.Count, place);
            return named.Value;
        }
        var before = _values;
        Count(1, place);
        if (_parser.TryConsume<Scalar>(out var scalar))
            return Named(
                scalar,
                before,
                new ConfigScalar(place, scalar.Value, scalar.IsPlainImplicit && scalar.Style == ScalarStyle.Plain)
            );
        if (_parser.TryConsume<SequenceStart>(out var sequence))
        {
            var items = new List<ConfigNode>();
            while (!_parser.TryConsume<SequenceEnd>(out _))
                items.Add(Node(depth + 1));
            return Named(sequence, before, new ConfigSequence(place, items));
        }
        var start = _parser.Consume<MappingStart>();
        return Named(start, before, Mapping(place, depth));
    }

    private ConfigMapping Mapping(ConfigPlace place, int depth)
    {
        var entries = new List<ConfigEntry>();
        var merged = new List<ConfigEntry>();
        var known = new Dictionary<string, ConfigEntry>(StringComparer.Ordinal);
        while (!_parser.TryConsume<MappingEnd>(out _))
        {
            if (Node(depth + 1) is not ConfigScalar key)
                throw ConfigError.At(place, "a key must be a single word", null);
            var value = Node(depth + 1);
            if (key is { Value: "<<", IsPlain: true })
                merged.AddRange(Merge(value));
            else if (known.TryGetValue(key.Value, out var first))
                throw ConfigError.At(key.Place, $"key '{key.Value}' stands twice in one group (first on line {first.KeyPlace.Line})", null);
            else
            {
                var entry = new ConfigEntry(key.Value, key.Place, value);
                known.Add(key.Value, entry);
                entries.Add(entry);
            }
        }
        foreach (var entry in merged)
            if (known.TryAdd(entry.Key, entry))
                entries.Add(entry);
        return new ConfigMapping(place, entries);
    }

    private static IEnumerable<ConfigEntry> Merge(ConfigNode value) =>
        value switch
        {
            ConfigMapping mapping => mapping.Entries,
            ConfigSequence sequence => sequence.Items.SelectMany(Merge),
            _ => throw ConfigError.At(value.Place, "'<<' takes a group of keys", "<<: *NAME"),
        };

    private ConfigNode Named(NodeEvent node, int before, ConfigNode value)
    {
        if (!node.Anchor.IsEmpty)
            _anchors[node.Anchor] = (value, _values - before);
        return value;
    }

    private void Count(int values, ConfigPlace place)
    {
        _values += values;
        if (_values > MaxValues)
            throw ConfigError.At(place, $"more than {MaxValues} values, with what the aliases stand for", null);
    }

    private ConfigPlace Place(Mark mark) => new(_file, (int)mark.Line, (int)mark.Column);

    private static LitestreamException Problem(YamlException e, string file, string text)
    {
        // An error noticed at the end of the file is shown on the last line that has text.
        var lines = text.TrimEnd().AsSpan().Count('\n') + 1;
        var line = (int)Math.Min(Math.Max(e.Start.Line, e.End.Line), lines);
        var message = e.Message.TrimEnd('.');
        if (message.Contains("tab", StringComparison.Ordinal))
            line = TabLine(text, line);
        if (message.StartsWith("While ", StringComparison.Ordinal) && message.IndexOf(", ", StringComparison.Ordinal) is > 0 and var comma)
            message = message[(comma + 2)..];
        return new LitestreamException(LitestreamError.InvalidConfiguration, $"yaml: line {line}: {message}", e) { Path = file };
    }

    // The parser gives the line before the one that is indented by a tab.
    private static int TabLine(string text, int line)
    {
        var lines = text.Split('\n');
        for (var i = line - 1; i < lines.Length; i++)
            if (lines[i].AsSpan(0, lines[i].Length - lines[i].AsSpan().TrimStart().Length).Contains('\t'))
                return i + 1;
        return line;
    }
}
