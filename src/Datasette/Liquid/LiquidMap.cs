namespace Datasette.Liquid;

/// <summary>HTML: text that is written as it is.</summary>
internal sealed record SafeHtml(string Html)
{
    public override string ToString() => Html;
}

/// <summary>Values by name, in order.</summary>
/// <remarks>
/// A value is null, a bool, a decimal, a string, <see cref="SafeHtml"/>, a list (<c>IReadOnlyList</c> of values) or a map. Nothing else is a value,
/// and nothing is found by reflection: what is not named here cannot be reached.
/// </remarks>
internal abstract class LiquidMap
{
    public abstract IEnumerable<string> Keys { get; }

    /// <summary>The value of a name in brackets; null when there is none.</summary>
    public abstract object? Find(string name);

    /// <summary>The value of a name behind a dot.</summary>
    public virtual object? Member(string name) => Find(name) ?? (name == "size" ? (decimal)Keys.Count() : null);

    /// <summary>What a loop over it gives: pairs of name and value.</summary>
    public virtual IReadOnlyList<object?> Items() => Keys.Select(key => (object?)new[] { key, Find(key) }).ToList();
}

/// <summary>What <c>empty</c> and <c>blank</c> are compared with; alone they are nothing.</summary>
internal sealed record BlankMark(bool IsEmpty)
{
    public bool Matches(object? value) =>
        value switch
        {
            null or false => !IsEmpty,
            string text => IsEmpty ? text.Length == 0 : string.IsNullOrWhiteSpace(text),
            SafeHtml html => IsEmpty ? html.Html.Length == 0 : string.IsNullOrWhiteSpace(html.Html),
            IReadOnlyList<object?> list => list.Count == 0,
            LiquidMap map => !map.Keys.Any(),
            _ => false,
        };
}
