namespace Datasette.Litestream.Configuration;

/// <summary>Where credentials that change come from, and how often that is looked at. Immutable.</summary>
/// <param name="File">Absolute path of the JSON file; null with a command.</param>
/// <param name="Command">The words of the command that prints the JSON; null with a file.</param>
/// <param name="Interval">Time between two looks, greater than 0.</param>
internal sealed record CredentialSettings(string? File, IReadOnlyList<string>? Command, TimeSpan Interval)
{
    /// <summary>The key of a file.</summary>
    public const string FileKey = "credentials-file";

    /// <summary>The key of a command.</summary>
    public const string CommandKey = "credentials-command";

    /// <summary>The key that names the source.</summary>
    public string Key => File is null ? CommandKey : FileKey;

    /// <summary>How messages call the source: the key, and the file or the program.</summary>
    public string Name => File is null ? $"{CommandKey} '{Command![0]}'" : $"{FileKey} {File}";
}
