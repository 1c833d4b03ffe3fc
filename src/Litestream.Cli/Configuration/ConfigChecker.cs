namespace Litestream.Cli.Configuration;

/// <summary>Holds a whole file against <see cref="ConfigSchema"/>: unknown keys, types, and keys without effect.</summary>
internal sealed class ConfigChecker
{
    private readonly List<string> _warnings = [];
    private readonly List<Unknown> _unknown = [];

    private ConfigChecker() { }

    /// <summary>Checks the file.</summary>
    /// <returns>Warnings, each one line that names file and line.</returns>
    /// <exception cref="LitestreamException">A key is unknown (unless <c>strict: false</c>) or a value has the wrong type.</exception>
    public static IReadOnlyList<string> Check(ConfigMapping root)
    {
        var checker = new ConfigChecker();
        checker.Group("", root, ConfigSchema.Top);
        var strict =
            root.Find("strict")?.Value is not ConfigScalar { Value: var text } || !ConfigValues.TryBool(text, out var value) || value;
        if (checker._unknown.Count > 0 && strict)
            throw checker.UnknownKeys();
        return
        [
            .. checker._unknown.Select(u => $"{u.Place}: unknown key '{u.Key}'{u.Meant} is ignored (strict: false)"),
            .. checker._warnings,
        ];
    }

    /// <summary>Checks the text of one value against a key's type.</summary>
    public static void Value(string field, ConfigKind kind, string text, ConfigPlace? place)
    {
        switch (kind)
        {
            case ConfigKind.Duration:
                ConfigValues.Duration(field, text, place);
                break;
            case ConfigKind.PositiveDuration:
                ConfigValues.Positive(field, ConfigValues.Duration(field, text, place), place);
                break;
            case ConfigKind.NotNegativeDuration:
                ConfigValues.NotNegative(field, ConfigValues.Duration(field, text, place), place);
                break;
            case ConfigKind.Bool:
                ConfigValues.Bool(field, text, place);
                break;
            case ConfigKind.Int:
                ConfigValues.Int(field, text, place);
                break;
            case ConfigKind.PositiveInt when ConfigValues.Int(field, text, place) is <= 0 or > int.MaxValue:
                throw ConfigError.Field(field, "must be greater than 0", text, null, place);
            case ConfigKind.Bytes when ConfigValues.Bytes(field, text, place) <= 0:
                throw ConfigError.Field(field, "must be greater than 0", text, null, place);
            case ConfigKind.Octal:
                ConfigValues.Octal(field, text, place);
                break;
            case ConfigKind.LogLevel:
                _ = LogSettings.ParseLevel(field, text, place);
                break;
            case ConfigKind.LogType:
                _ = LogSettings.ParseType(field, text, place);
                break;
            case ConfigKind.HttpUrl when !Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"):
                throw ConfigError.Field(field, "must be an http or https URL", text, null, place);
        }
    }

    private void Group(string path, ConfigMapping group, ConfigSection section)
    {
        foreach (var entry in group.Entries)
        {
            if (section.Find(entry.Key) is not { } key)
            {
                _unknown.Add(new Unknown(entry.KeyPlace, entry.Key, Meant(entry.Key, section)));
                continue;
            }
            var field = path + entry.Key;
            if (entry.Value is ConfigScalar { IsNull: true })
                continue;
            Entry(field, key, entry.Value);
            if (key.Effect != ConfigEffect.Now)
                Warn(entry.KeyPlace, field, key);
        }
    }

    private void Entry(string field, ConfigKey key, ConfigNode value)
    {
        switch (key.Kind, value)
        {
            case (ConfigKind.Group, ConfigMapping group):
                Group(field + ".", group, key.Section!);
                break;
            case (ConfigKind.Groups, ConfigSequence list):
                for (var i = 0; i < list.Items.Count; i++)
                    Group(
                        $"{field}[{i}].",
                        list.Items[i] as ConfigMapping ?? throw Wrong($"{field}[{i}]", "a group of keys", list.Items[i]),
                        key.Section!
                    );
                break;
            case (ConfigKind.Replica, ConfigMapping or ConfigScalar):
                Replica(field, value);
                break;
            case (ConfigKind.Replicas, ConfigSequence list):
                for (var i = 0; i < list.Items.Count; i++)
                    Replica($"{field}[{i}]", list.Items[i]);
                break;
            case (ConfigKind.TextList, ConfigSequence list):
                foreach (var item in list.Items)
                    if (item is not ConfigScalar)
                        throw Wrong(field, "a list of texts", item);
                break;
            case (ConfigKind.Group or ConfigKind.Groups or ConfigKind.Replica or ConfigKind.Replicas, _):
                throw Wrong(field, key.Kind is ConfigKind.Groups or ConfigKind.Replicas ? "a list" : "a group of keys", value);
            case (_, ConfigScalar scalar):
                Value(field, key.Kind, scalar.Value, scalar.Place);
                break;
            default:
                throw Wrong(field, "a single value", value);
        }
    }

    private void Replica(string field, ConfigNode value)
    {
        if (value is ConfigMapping mapping)
            Group(field + ".", mapping, ConfigSchema.Replica);
        else if (value is not ConfigScalar)
            throw Wrong(field, "a group of keys or a URL", value);
    }

    private void Warn(ConfigPlace place, string field, ConfigKey key)
    {
        var text = key.Effect switch
        {
            ConfigEffect.Later => "not yet in effect",
            ConfigEffect.Mapped => "read in another way than by Litestream 0.3",
            _ => "without effect",
        };
        _warnings.Add($"{place.File}:{place.Line}: {field} is {text}: {key.Note}");
    }

    private LitestreamException UnknownKeys()
    {
        var first = _unknown[0];
        var others =
            _unknown.Count == 1
                ? ""
                : $"; also unknown: {string.Join(", ", _unknown.Skip(1).Select(u => $"'{u.Key}' (line {u.Place.Line})"))}";
        return ConfigError.At(
            first.Place,
            $"unknown key '{first.Key}'{first.Meant}{others}",
            "correct or remove it, or put 'strict: false' at the top to ignore unknown keys"
        );
    }

    private static string Meant(string key, ConfigSection section)
    {
        if (ConfigSchema.Elsewhere(key, section).ToArray() is { Length: > 0 } elsewhere)
            return $" (it belongs to {string.Join(" or ", elsewhere)})";
        return Nearest.Find(key, section.Names) is { } near ? $" (did you mean '{near}'?)" : "";
    }

    private static LitestreamException Wrong(string field, string wanted, ConfigNode value) =>
        ConfigError.Text($"{field}: must be {wanted}, not {value.Kind}", null, value.Place);

    private sealed record Unknown(ConfigPlace Place, string Key, string Meant);
}
