using Litestream.Cli.Configuration;
using Litestream.Replicas;
using Litestream.Replication;

namespace Litestream.Cli;

/// <summary>A database of a configuration file.</summary>
/// <param name="Options">Its settings.</param>
/// <param name="RestoreIfMissing">Restore it before replicating when its file does not exist.</param>
public sealed record ConfiguredDatabase(DatabaseOptions Options, bool RestoreIfMissing);

/// <summary>Where a configuration comes from and what it may use.</summary>
/// <param name="Stores">The backends that are known.</param>
public sealed record ConfigSource(ObjectStoreFactory Stores)
{
    /// <summary>Replace <c>$NAME</c> and <c>${NAME}</c> before reading. Default: true.</summary>
    public bool ExpandEnvironment { get; init; } = true;

    /// <summary>The environment. Default: that of the process.</summary>
    public Func<string, string?> Environment { get; init; } = System.Environment.GetEnvironmentVariable;
}

/// <summary>A configuration file of Litestream 0.5 or 0.3, read strictly. Immutable.</summary>
/// <remarks>
/// An unknown key is an error that names file, line, column and the nearest known key, unless <c>strict: false</c> stands at the top.
/// Keys whose effect is not there yet are checked and named in <see cref="Warnings"/>.
/// </remarks>
public sealed class LitestreamConfig
{
    internal LitestreamConfig(string path, LitestreamOptions options, IReadOnlyList<ConfiguredDatabase> databases)
    {
        Path = path;
        Options = options;
        Databases = databases;
    }

    /// <summary>The file that is read when nothing else is said.</summary>
    public static string DefaultPath { get; } = OperatingSystem.IsWindows() ? @"C:\Litestream\litestream.yml" : "/etc/litestream.yml";

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>The engine's settings with all databases.</summary>
    public LitestreamOptions Options { get; }

    /// <summary>The databases in the order of the file, the same as in <see cref="Options"/>.</summary>
    public IReadOnlyList<ConfiguredDatabase> Databases { get; }

    /// <summary>Listen address for metrics (<c>:9090</c>, <c>host:port</c>); null for none.</summary>
    public string? MetricsAddress { get; internal init; }

    /// <summary>Command line of a child process; null for none.</summary>
    public string? Exec { get; internal init; }

    /// <summary>How to log.</summary>
    public LogSettings Logging { get; internal init; } = new();

    /// <summary>Keys without effect and other doubts, one line each. To be shown to people at every start.</summary>
    public IReadOnlyList<string> Warnings { get; internal init; } = [];

    /// <summary>Reads a file.</summary>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.NotFound"/>, or <see cref="LitestreamError.InvalidConfiguration"/>.</exception>
    public static LitestreamConfig Load(string path, ConfigSource source)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        try
        {
            return Parse(path, File.ReadAllText(path), source);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new LitestreamException(LitestreamError.NotFound, $"config file not found: {path}", e) { Path = path };
        }
        catch (UnauthorizedAccessException e) when (Directory.Exists(path))
        {
            throw new LitestreamException(LitestreamError.InvalidConfiguration, $"config file is a folder: {path}", e)
            {
                Path = path,
                Hint = $"-config {System.IO.Path.Combine(path, "litestream.yml")}",
            };
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            throw new LitestreamException(LitestreamError.InvalidConfiguration, $"cannot read config file {path}: {e.Message}", e)
            {
                Path = path,
                Hint = "run as a user who may read it",
            };
        }
    }

    /// <summary>Reads the text of a file.</summary>
    /// <param name="path">Its name for messages.</param>
    /// <param name="text">Its text.</param>
    /// <param name="source">What it may use.</param>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.InvalidConfiguration"/>.</exception>
    public static LitestreamConfig Parse(string path, string text, ConfigSource source)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(source);
        if (source.ExpandEnvironment)
            text = EnvironmentText.Expand(text, name => name == "PID" ? Environment.ProcessId.ToString() : source.Environment(name));
        var root = YamlDocument.Parse(path, text);
        var warnings = ConfigChecker.Check(root).ToList();
        return new ConfigMapper(path, source.Stores, warnings).Map(root);
    }

    /// <summary>The database with this path; null when the file does not name it.</summary>
    /// <param name="path">Path of the database file, also relative to the current folder.</param>
    public ConfiguredDatabase? Find(string path)
    {
        var absolute = ConfigPaths.Absolute(path);
        return Databases.FirstOrDefault(d => d.Options.Path == absolute);
    }
}
