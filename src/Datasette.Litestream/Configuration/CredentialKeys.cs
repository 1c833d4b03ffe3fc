using System.Globalization;
using System.Text.Json;

namespace Datasette.Litestream.Configuration;

/// <summary>Reads the keys <c>credentials-file</c>, <c>credentials-command</c> and <c>credentials-refresh-interval</c>.</summary>
internal static class CredentialKeys
{
    private const string IntervalKey = "credentials-refresh-interval";

    /// <summary>Reads the three keys; null when none of them names a source.</summary>
    public static CredentialSettings? Read(IReadOnlyDictionary<string, ResolvedNode> keys, PluginConfigInput input, List<string> notices)
    {
        var (file, command) = (Text(CredentialSettings.FileKey, keys, input), Text(CredentialSettings.CommandKey, keys, input));
        if (file is not null && command is not null)
            throw Refuse(
                CredentialSettings.CommandKey,
                input,
                $"cannot specify both '{CredentialSettings.FileKey}' and '{CredentialSettings.CommandKey}'"
            );
        var interval = Seconds(keys, input);
        if (file is null && command is null)
        {
            if (interval is not null)
                notices.Add($"'{IntervalKey}' has no effect without '{CredentialSettings.FileKey}' or '{CredentialSettings.CommandKey}'");
            return null;
        }
        if (interval is not { } time)
            throw Refuse(
                file is null ? CredentialSettings.CommandKey : CredentialSettings.FileKey,
                input,
                $"'{IntervalKey}' is required when using '{CredentialSettings.FileKey}' or '{CredentialSettings.CommandKey}'"
            );
        if (file is not null)
            return new CredentialSettings(Path.GetFullPath(file, input.WorkingDirectory), null, time);
        return ShellWords.Split(command!) is { Count: > 0 } words
            ? new CredentialSettings(null, words, time)
            : throw Refuse(
                CredentialSettings.CommandKey,
                input,
                $"'{CredentialSettings.CommandKey}' is no command line: a quote is not closed, or nothing is in it"
            );
    }

    private static string? Text(string key, IReadOnlyDictionary<string, ResolvedNode> keys, PluginConfigInput input)
    {
        if (keys.GetValueOrDefault(key).Real is not { } node)
            return null;
        if (node.GetValueKind() != JsonValueKind.String)
            throw Refuse(key, input, $"'{key}' must be a text, not {node.ToJsonString()}");
        return node.GetValue<string>() is { Length: > 0 } text ? text : null;
    }

    private static TimeSpan? Seconds(IReadOnlyDictionary<string, ResolvedNode> keys, PluginConfigInput input)
    {
        // A timer cannot wait for longer than 49 days.
        const double MostSeconds = 30 * 86400;
        if (keys.GetValueOrDefault(IntervalKey).Real is not { } node)
            return null;
        var seconds =
            node.GetValueKind() == JsonValueKind.Number
            && double.TryParse(node.ToJsonString(), CultureInfo.InvariantCulture, out var number)
                ? number
                : 0;
        return seconds is > 0 and <= MostSeconds
            ? TimeSpan.FromSeconds(seconds)
            : throw Refuse(IntervalKey, input, $"'{IntervalKey}' must be a number of seconds greater than 0, not {node.ToJsonString()}");
    }

    private static StartupException Refuse(string key, PluginConfigInput input, string text) =>
        ConfigPath.TopLevel.Child(key).Error(input, text);
}
