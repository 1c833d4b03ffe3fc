namespace Litestream.Cli.Configuration;

/// <summary>A place in a configuration file, both counted from 1.</summary>
internal readonly record struct ConfigPlace(string File, int Line, int Column)
{
    public override string ToString() => $"{File}:{Line}:{Column}";
}

/// <summary>A value of a YAML file with its place.</summary>
internal abstract record ConfigNode(ConfigPlace Place)
{
    /// <summary>What it is, in a message.</summary>
    public abstract string Kind { get; }
}

/// <summary>A single value.</summary>
/// <param name="Place">Where.</param>
/// <param name="Value">Its text.</param>
/// <param name="IsPlain">Written without quotes.</param>
internal sealed record ConfigScalar(ConfigPlace Place, string Value, bool IsPlain) : ConfigNode(Place)
{
    public override string Kind => "a single value";

    /// <summary>Nothing: an empty value, <c>~</c> or <c>null</c>.</summary>
    public bool IsNull => IsPlain && Value is "" or "~" or "null" or "Null" or "NULL";
}

/// <summary>A list.</summary>
internal sealed record ConfigSequence(ConfigPlace Place, IReadOnlyList<ConfigNode> Items) : ConfigNode(Place)
{
    public override string Kind => "a list";
}

/// <summary>One key of a mapping with its value.</summary>
internal sealed record ConfigEntry(string Key, ConfigPlace KeyPlace, ConfigNode Value);

/// <summary>Keys with values, in the order of the file, no key twice.</summary>
internal sealed record ConfigMapping(ConfigPlace Place, IReadOnlyList<ConfigEntry> Entries) : ConfigNode(Place)
{
    public override string Kind => "a group of keys";

    /// <summary>The entry of a key that has a value; null when the key is missing or empty.</summary>
    public ConfigEntry? Find(string key) => Entries.FirstOrDefault(e => e.Key == key && e.Value is not ConfigScalar { IsNull: true });
}
