using System.Text.Json;
using System.Text.Json.Nodes;

namespace Datasette.Litestream.Configuration;

/// <summary>A piece of configuration twice: as the engine gets it, and as people may see it.</summary>
/// <param name="Real">With its secrets.</param>
/// <param name="Shown">Without.</param>
internal readonly record struct ResolvedNode(JsonNode? Real, JsonNode? Shown)
{
    /// <summary>A text with one real and one shown form.</summary>
    public static ResolvedNode Text(string real, string shown) => new(JsonValue.Create(real), JsonValue.Create(shown));
}

/// <summary>One replica as configured, and where.</summary>
/// <param name="Node">Its mapping, real and shown.</param>
/// <param name="At">Its place in the configuration.</param>
internal readonly record struct ReplicaNode(ResolvedNode Node, ConfigPath At);

/// <summary>
/// Puts secrets and variables into configuration: <c>{"$env": NAME}</c>, <c>{"$file": PATH}</c>, then <c>$NAME</c> and <c>${NAME}</c> in strings.
/// What came by <c>$env</c> or <c>$file</c> is taken as it is, never expanded again, and is a secret.
/// </summary>
/// <param name="input">Environment and files.</param>
/// <param name="redactor">Learns every secret met.</param>
/// <param name="notices">Told of variables that are not set.</param>
internal sealed class NodeResolver(PluginConfigInput input, Redactor redactor, List<string> notices)
{
    /// <summary>Resolves a tree. The source is not changed.</summary>
    /// <param name="raw">As written.</param>
    /// <param name="path">Where it stands, for messages.</param>
    public ResolvedNode Resolve(JsonNode? raw, ConfigPath path) =>
        raw switch
        {
            null => new(null, null),
            JsonObject mapping when Reference(mapping, "$env") is { } name => Secret(input.Environment(name)),
            JsonObject mapping when Reference(mapping, "$file") is { } file => Secret(ReadFile(file, path)),
            JsonObject mapping => ResolveMapping(mapping, path),
            JsonArray list => ResolveList(list, path),
            _ when raw.GetValueKind() == JsonValueKind.String => ResolveText(raw.GetValue<string>(), path),
            _ => Redactor.IsSecretKey(path.Key)
                ? new(raw.DeepClone(), JsonValue.Create(Redactor.Marker))
                : new(raw.DeepClone(), raw.DeepClone()),
        };

    /// <summary>Expands the variables of one template of <c>all-replicate</c> for one database.</summary>
    public ResolvedNode ResolveTemplate(JsonNode? raw, ConfigPath path, IReadOnlyList<KeyValuePair<string, string>> variables)
    {
        if (raw is JsonObject mapping)
        {
            var referred = Resolve(mapping, path);
            if (referred.Real?.GetValueKind() != JsonValueKind.String)
                return referred;
            var url = new VariableText(variables, static _ => "").Expand(referred.Real.GetValue<string>(), static _ => { });
            return Secret(url);
        }
        if (raw?.GetValueKind() != JsonValueKind.String)
            return new(raw?.DeepClone(), raw?.DeepClone());
        return Expand(raw.GetValue<string>(), path, variables);
    }

    private static string? Reference(JsonObject mapping, string kind) =>
        mapping.Count == 1 && mapping[kind] is { } value && value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : null;

    private string ReadFile(string file, ConfigPath path)
    {
        try
        {
            return input.ReadFile(Path.GetFullPath(file, input.WorkingDirectory));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw path.Error(input, $"cannot read the file '{file}' of {path.Describe()}: {e.Message}");
        }
    }

    private ResolvedNode Secret(string? value)
    {
        if (value is null)
            return new(null, null);
        redactor.AddSecret(value);
        return ResolvedNode.Text(value, value.Length == 0 ? "" : Redactor.Marker);
    }

    private ResolvedNode ResolveMapping(JsonObject mapping, ConfigPath path)
    {
        var (real, shown) = (new JsonObject(), new JsonObject());
        foreach (var (key, value) in mapping)
        {
            var node = Resolve(value, path.Child(key));
            real[key] = node.Real;
            shown[key] = node.Shown;
        }
        return new(real, shown);
    }

    private ResolvedNode ResolveList(JsonArray list, ConfigPath path)
    {
        var (real, shown) = (new JsonArray(), new JsonArray());
        for (var i = 0; i < list.Count; i++)
        {
            var node = Resolve(list[i], path.Item(i));
            real.Add(node.Real);
            shown.Add(node.Shown);
        }
        return new(real, shown);
    }

    private ResolvedNode ResolveText(string text, ConfigPath path) => Expand(text, path, []);

    private ResolvedNode Expand(string text, ConfigPath path, IReadOnlyList<KeyValuePair<string, string>> variables)
    {
        var real = new VariableText(variables, input.Environment).Expand(text, name => notices.Add(Unset(name, path)));
        return ResolvedNode.Text(real, redactor.Value(path.Key, real));
    }

    private static string Unset(string name, ConfigPath path) =>
        name == "DB"
            ? $"{path.Describe()}: $DB is no variable of the plugin, it was taken from the environment and is empty; did you mean $DB_NAME?"
            : $"{path.Describe()}: the environment variable {name} is not set, ${name} became empty";
}
