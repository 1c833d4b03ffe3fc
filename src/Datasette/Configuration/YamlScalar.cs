using System.Globalization;
using System.Numerics;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Datasette.Text;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Datasette.Configuration;

/// <summary>What a scalar of YAML stands for: the words and numbers of YAML 1.1, as files written for the original expect.</summary>
/// <param name="Value">The value; null is YAML's null.</param>
internal sealed partial record YamlScalar(JsonNode? Value)
{
    private const string TagPrefix = "tag:yaml.org,2002:";

    /// <summary>The value of a scalar; null when its tag is unknown.</summary>
    public static YamlScalar? Resolve(Scalar scalar)
    {
        if (scalar.Tag.IsEmpty)
        {
            return scalar.Style == ScalarStyle.Plain ? Plain(scalar.Value) : Word(scalar.Value);
        }

        if (scalar.Tag.IsNonSpecific)
        {
            return Word(scalar.Value);
        }

        return scalar.Tag.Value switch
        {
            TagPrefix + "str" => Word(scalar.Value),
            TagPrefix + "null" => new YamlScalar((JsonNode?)null),
            TagPrefix + "bool" or TagPrefix + "int" => Plain(scalar.Value),
            TagPrefix + "float" => Plain(scalar.Value) is { Value: JsonValue value } && value.TryGetValue<long>(out var whole)
                ? Real(whole)
                : Plain(scalar.Value),
            _ => null,
        };
    }

    private static YamlScalar Word(string value) => new(JsonValue.Create(value));

    private static YamlScalar Plain(string text)
    {
        switch (text)
        {
            case "" or "~" or "null" or "Null" or "NULL":
                return new YamlScalar((JsonNode?)null);
            case "yes" or "Yes" or "YES" or "true" or "True" or "TRUE" or "on" or "On" or "ON":
                return new YamlScalar(JsonValue.Create(true));
            case "no" or "No" or "NO" or "false" or "False" or "FALSE" or "off" or "Off" or "OFF":
                return new YamlScalar(JsonValue.Create(false));
        }

        if (WholeNumber().IsMatch(text))
        {
            return Whole(text);
        }

        return RealNumber().IsMatch(text)
            ? Real(double.Parse(text.Replace("_", "", StringComparison.Ordinal), CultureInfo.InvariantCulture))
            : Word(text);
    }

    private static YamlScalar Real(double value) => new(ConfigDocument.Number(SqlText.Real(value)));

    private static YamlScalar Whole(string text)
    {
        var isNegative = text[0] == '-';
        var digits = text.TrimStart('+', '-').Replace("_", "", StringComparison.Ordinal);
        var value = digits switch
        {
            ['0', 'x' or 'X', ..] => BigInteger.Parse("0" + digits[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture),
            ['0', 'b' or 'B', ..] => BigInteger.Parse("0" + digits[2..], NumberStyles.AllowBinarySpecifier, CultureInfo.InvariantCulture),
            ['0', _, ..] => digits.Aggregate(BigInteger.Zero, (sum, c) => (sum * 8) + (c - '0')),
            _ => BigInteger.Parse(digits, CultureInfo.InvariantCulture),
        };
        value = isNegative ? -value : value;
        return new YamlScalar(ConfigDocument.Number(value.ToString(CultureInfo.InvariantCulture)));
    }

    [GeneratedRegex("^[-+]?(?:0b[01_]+|0[0-7_]*|[1-9][0-9_]*|0x[0-9a-fA-F_]+)$", RegexOptions.CultureInvariant)]
    private static partial Regex WholeNumber();

    // A point is needed, and a sign in the exponent: 1e3 is a text to the original.
    [GeneratedRegex(@"^[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+][0-9]+)?$", RegexOptions.CultureInvariant)]
    private static partial Regex RealNumber();
}
