namespace Datasette.Configuration;

/// <summary>A text is no JSON or no YAML. Becomes a <see cref="StartupException"/> that names the file.</summary>
internal sealed class ConfigSyntaxException(string message, int line, int column) : Exception(message)
{
    /// <summary>1-based line.</summary>
    public int Line { get; } = line;

    /// <summary>1-based column.</summary>
    public int Column { get; } = column;
}
