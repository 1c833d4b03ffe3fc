using System.Text;
using System.Text.Encodings.Web;

namespace Datasette.Liquid;

/// <summary>The text that a template writes; it may not grow beyond the limit. Used by one rendering.</summary>
internal sealed class LimitedWriter(HtmlEncoder encoder)
{
    private readonly StringBuilder text = new();

    /// <summary>Writes text as it is.</summary>
    public void WriteRaw(string value)
    {
        if (text.Length + value.Length > LiquidLimits.Characters)
        {
            throw LiquidLimits.TooLarge();
        }
        text.Append(value);
    }

    /// <summary>Writes a value: HTML as it is, everything else escaped.</summary>
    public void Write(object? value)
    {
        if (value is IReadOnlyList<object?> list)
        {
            foreach (var item in list)
            {
                Write(item);
            }
            return;
        }
        WriteRaw(value is SafeHtml html ? html.Html : encoder.Encode(LiquidText.Of(value)));
    }

    public override string ToString() => text.ToString();
}
