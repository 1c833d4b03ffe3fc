using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Datasette.Litestream.Configuration;

/// <summary>The block <c>plugins: datasette-litestream</c>, checked. Immutable.</summary>
internal sealed class TopLevelBlock
{
    private static readonly string[] PairKeys = ["access-key-id", "secret-access-key", "session-token"];
    private readonly List<KeyValuePair<string, ResolvedNode>> _shownKeys = [];
    private readonly Dictionary<string, ResolvedNode> _credentialKeys = new(StringComparer.Ordinal);

    private TopLevelBlock() { }

    /// <summary>Whether there is a block with anything in it.</summary>
    public bool IsPresent { get; private init; }

    /// <summary>The templates as written; null when the key is absent.</summary>
    public JsonArray? AllReplicate { get; private set; }

    /// <summary>Where the metrics endpoint listens; null for none.</summary>
    public string? MetricsAddress { get; private set; }

    /// <summary>Whether a database whose file is missing at the start is restored first, where its own block says nothing else.</summary>
    public bool RestoreIfMissing { get; private set; }

    /// <summary>Credentials for replicas that have none of their own, by Litestream's key names.</summary>
    public Dictionary<string, string> Credentials { get; } = new(StringComparer.Ordinal);

    /// <summary>Where credentials that change come from; null when none are configured so.</summary>
    public CredentialSettings? Changing { get; private set; }

    /// <summary>Reads the block.</summary>
    public static TopLevelBlock Read(PluginConfigInput input, NodeResolver resolver, Redactor redactor, List<string> notices)
    {
        var at = ConfigPath.TopLevel;
        if (input.TopLevel is null)
            return new TopLevelBlock().WithEnvironment(input, redactor);
        if (input.TopLevel is not JsonObject mapping)
            throw at.Error(input, $"'plugins: {LitestreamPluginConfig.PluginName}' must be a mapping of keys");
        var block = new TopLevelBlock { IsPresent = mapping.Count > 0 };
        foreach (var (key, value) in mapping)
            block.ReadKey(key, value, at.Child(key), input, resolver);
        block.Changing = CredentialKeys.Read(block._credentialKeys, input, notices);
        if (block.Changing is null)
            return block.WithEnvironment(input, redactor);
        if (block.Credentials.Count > 0)
            notices.Add(
                $"'{string.Join("', '", block.Credentials.Keys)}' of the top level has no effect beside '{block.Changing.Key}', which gives the credentials"
            );
        block.Credentials.Clear();
        block._shownKeys.RemoveAll(pair => PairKeys.Contains(pair.Key));
        return block;
    }

    /// <summary>
    /// Without credentials in the configuration, Litestream's own variables come first; the usual ones (<c>AWS_ACCESS_KEY_ID</c>, ...) are the backend's
    /// business.
    /// </summary>
    private TopLevelBlock WithEnvironment(PluginConfigInput input, Redactor redactor)
    {
        if (Credentials.ContainsKey("access-key-id") || Credentials.ContainsKey("secret-access-key"))
            return this;
        if (
            input.Environment("LITESTREAM_ACCESS_KEY_ID") is not { Length: > 0 } id
            || input.Environment("LITESTREAM_SECRET_ACCESS_KEY") is not { Length: > 0 } secret
        )
            return this;
        Credentials["access-key-id"] = id;
        Credentials["secret-access-key"] = secret;
        redactor.AddSecret(id, Redactor.LastFour(id));
        redactor.AddSecret(secret);
        return this;
    }

    /// <summary>The resolved configuration in the original's shape.</summary>
    public JsonObject Show(JsonArray databases)
    {
        var shown = new JsonObject { ["dbs"] = databases };
        foreach (var (key, node) in _shownKeys)
            shown[key] = node.Shown?.DeepClone();
        return shown;
    }

    private void ReadKey(string key, JsonNode? value, ConfigPath at, PluginConfigInput input, NodeResolver resolver)
    {
        switch (key)
        {
            case "all-replicate":
                AllReplicate = value switch
                {
                    null => null,
                    JsonArray list => list,
                    _ => throw at.Error(input, "'all-replicate' must be a list of replica URLs"),
                };
                break;
            case "metrics-addr":
                var address = resolver.Resolve(value, at);
                MetricsAddress = ReadAddress(address.Real, at, input);
                if (MetricsAddress is not null)
                    _shownKeys.Add(new("addr", address));
                break;
            case "access-key-id" or "secret-access-key" or "session-token":
                ReadCredential(key, resolver.Resolve(value, at), at, input);
                break;
            case "credentials-file" or "credentials-command" or "credentials-refresh-interval":
                _credentialKeys[key] = resolver.Resolve(value, at);
                break;
            case "restore-if-missing":
                RestoreIfMissing = DatabaseBlock.ReadSwitch(resolver.Resolve(value, at).Real, at, input) ?? false;
                break;
            default:
                throw at.Error(input, $"unknown key '{key}'{KnownKeys.Advice(key, KnownKeys.TopLevel)}");
        }
    }

    private void ReadCredential(string key, ResolvedNode node, ConfigPath at, PluginConfigInput input)
    {
        if (node.Real is { } real)
        {
            if (real.GetValueKind() != JsonValueKind.String)
                throw at.Error(input, $"'{key}' must be a text");
            if (real.GetValue<string>().Trim() is { Length: > 0 } text)
                Credentials[key] = text;
        }
        _shownKeys.Insert(_shownKeys.TakeWhile(pair => PairKeys.Contains(pair.Key)).Count(), new(key, node));
    }

    private static string? ReadAddress(JsonNode? node, ConfigPath at, PluginConfigInput input)
    {
        if (node is null)
            return null;
        var text = node.GetValueKind() == JsonValueKind.String ? node.GetValue<string>().Trim() : node.ToJsonString();
        if (text.Length == 0)
            return null;
        var colon = text.LastIndexOf(':');
        var isAddress =
            colon >= 0
            && int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port)
            && port is >= 0 and <= 65535
            && (!text.AsSpan(0, colon).Contains(':') || text.StartsWith('[') && text[..colon].EndsWith(']'));
        return isAddress
            ? text
            : throw at.Error(input, $"'metrics-addr' must be an address such as ':9090' or '127.0.0.1:9090', not '{text}'");
    }
}
