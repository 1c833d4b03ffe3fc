using System.CommandLine;
using Litestream.Cli.Configuration;
using Litestream.Cli.Logging;
using Litestream.Replicas;
using Microsoft.Extensions.Logging;

namespace Litestream.Cli.Commands;

/// <summary>One run of one command.</summary>
internal sealed class CliContext(ParseResult parsed, CliServices services)
{
    public CliServices Services { get; } = services;

    public TextWriter Out { get; } = parsed.InvocationConfiguration.Output;

    public TextWriter Error { get; } = parsed.InvocationConfiguration.Error;

    public T? Get<T>(Option<T> option) => parsed.GetValue(option);

    /// <summary>The value of a flag; null when it was not given.</summary>
    public string? Get(Option<string?> option) => parsed.GetResult(option) is null ? null : parsed.GetValue(option) ?? "";

    /// <summary>The arguments that are no flags.</summary>
    public IReadOnlyList<string> Arguments(Argument<string[]> argument) => [.. (parsed.GetValue(argument) ?? []).Select(NoFlag)];

    /// <summary>The one argument; null when there is none.</summary>
    public string? Argument(Argument<string?> argument) => parsed.GetValue(argument) is { } value ? NoFlag(value) : null;

    // Only when another program's command line mounts this command: ours has checked the flags before.
    private string NoFlag(string value) =>
        value.Length == 0 ? throw new CliException("an argument is empty") { Hint = $"litestream {parsed.CommandResult.Command.Name} -h" }
        : value is ['-', _, ..] ? throw CliFlags.NotDefined(parsed.CommandResult.Command, value.TrimStart('-').Split('=')[0])
        : value;

    /// <summary>The configuration file: <c>-config</c>, else <c>LITESTREAM_CONFIG</c>, else the default.</summary>
    public LitestreamConfig LoadConfig(string? path, bool noExpand)
    {
        if (path is { Length: 0 })
            throw new CliException("-config is empty") { Hint = $"-config {Services.DefaultConfigPath}" };
        var file = path ?? (Services.Environment("LITESTREAM_CONFIG") is { Length: > 0 } named ? named : Services.DefaultConfigPath);
        try
        {
            return LitestreamConfig.Load(
                file,
                new ConfigSource(Services.Stores) { ExpandEnvironment = !noExpand, Environment = Services.Environment }
            );
        }
        catch (LitestreamException e) when (path is null && e is { Error: LitestreamError.InvalidConfiguration, Hint: null })
        {
            // Who did not name the file does not know which one was read.
            throw new LitestreamException(e.Error, e.Message, e) { Hint = $"see {file}", Path = file };
        }
    }

    /// <summary>Shows what the file says without effect.</summary>
    public void PrintWarnings(LitestreamConfig config)
    {
        foreach (var warning in config.Warnings)
            Error.WriteLine($"Warning: {warning}");
    }

    /// <summary>
    /// The replicas meant by an argument: a URL itself, or those of a database in the configuration file, in its order.
    /// </summary>
    public Sources Locate(string argument, string? configPath, bool noExpand, string? replicaName)
    {
        if (ReplicaUrl.IsUrl(argument) && !IsSqliteUrl(argument))
        {
            if (configPath is not null)
                throw new CliException("cannot specify a replica URL and the -config flag");
            return new Sources(argument, null, [ReplicaConfig.FromText(argument, Services.Stores)]);
        }
        var config = LoadConfigFor(argument, configPath, noExpand);
        PrintWarnings(config);
        var database =
            config.Find(argument)
            ?? throw new CliException($"database not found in config {config.Path}: {ConfigPaths.Absolute(argument)}")
            {
                Hint =
                    config.Databases.Count == 0
                        ? "a replica URL instead of the path"
                        : $"one of {string.Join(", ", config.Databases.Select(d => d.Options.Path))}",
            };
        var replicas = database.Options.Replicas;
        var chosen = replicas.Where((_, i) => replicaName is null || ReplicaNames.Of(replicas)[i] == replicaName).ToArray();
        if (chosen.Length == 0)
            throw new CliException($"replica not found: {replicaName}")
            {
                Hint = $"-replica {string.Join(" or ", ReplicaNames.Of(replicas))}",
            };
        return new Sources(argument, database.Options.Path, chosen);
    }

    private LitestreamConfig LoadConfigFor(string database, string? configPath, bool noExpand)
    {
        try
        {
            return LoadConfig(configPath, noExpand);
        }
        catch (LitestreamException e) when (e.Error == LitestreamError.NotFound && configPath is null)
        {
            throw new CliException(e.Message)
            {
                Hint = $"-config PATH of a file that names {database}, or a replica URL instead of {database}",
            };
        }
    }

    /// <summary>Where the command's own log lines go.</summary>
    public ILoggerFactory CreateLoggers(LogSettings settings) =>
        new LoggerFactory(
            [new SlogLoggerProvider(settings.UseStandardError ? Error : Out, settings, Services.Time)],
            new LoggerFilterOptions { MinLevel = settings.Level }
        );

    /// <summary>The level asked for: flag, else <c>LOG_LEVEL</c>, else what the file says.</summary>
    public LogLevel Level(string? flag, LogLevel configured)
    {
        if (flag is not null)
            return LogSettings.ParseLevel("-log-level", flag);
        return Services.Environment("LOG_LEVEL") is { Length: > 0 } level ? LogSettings.ParseLevel("LOG_LEVEL", level) : configured;
    }

    private static bool IsSqliteUrl(string text) =>
        text.StartsWith("sqlite://", StringComparison.OrdinalIgnoreCase)
        || text.StartsWith("sqlite3://", StringComparison.OrdinalIgnoreCase);
}

/// <summary>The replicas that a command reads from.</summary>
/// <param name="Argument">As the user wrote it.</param>
/// <param name="DatabasePath">The database in the configuration; null for a URL.</param>
/// <param name="Replicas">To be tried in this order; at least one.</param>
internal sealed record Sources(string Argument, string? DatabasePath, IReadOnlyList<ReplicaOptions> Replicas)
{
    /// <summary>How to name it in an example, without secrets.</summary>
    public string Shown => DatabasePath ?? Replicas[0].Url.ToString();
}

/// <summary>Names of replicas in tables.</summary>
internal static class ReplicaNames
{
    /// <summary>The configured names, else the types, numbered where two are alike. A single replica is shown by its type, as Litestream does.</summary>
    public static IReadOnlyList<string> Of(IReadOnlyList<ReplicaOptions> replicas)
    {
        if (replicas.Count == 1)
            return [replicas[0].Url.Scheme];
        var taken = replicas.Select(r => r.Name).OfType<string>().ToHashSet(StringComparer.Ordinal);
        var names = new List<string>(replicas.Count);
        foreach (var replica in replicas)
        {
            var name = replica.Name ?? replica.Url.Scheme;
            for (var number = 2; replica.Name is null && !taken.Add(name); number++)
                name = $"{replica.Url.Scheme}{number}";
            names.Add(name);
        }
        return names;
    }
}
