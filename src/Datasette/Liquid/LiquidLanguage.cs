namespace Datasette.Liquid;

/// <summary>Which filters and which tags beside its own the language has. Filled at the start, then only read.</summary>
internal sealed class LiquidLanguage
{
    public LiquidLanguage()
    {
        TextFilters.Register(Filters);
        ListFilters.Register(Filters);
        NumberFilters.Register(Filters);
    }

    public Dictionary<string, FilterCall> Filters { get; } = new(StringComparer.Ordinal);

    /// <summary>Tags without an end, which take arguments.</summary>
    public Dictionary<string, TagCall> Tags { get; } = new(StringComparer.Ordinal);
}
