using System.CommandLine;
using Litestream.Cli.Logging;

namespace Litestream.Cli.Commands;

/// <summary><c>litestream replicate</c>: its flags.</summary>
internal sealed class ReplicateCommand
{
    private readonly Option<string?> _config = CliFlags.Config();
    private readonly Option<bool> _noExpand = CliFlags.NoExpandEnv();
    private readonly Option<string?> _exec = CliFlags.Text("exec", "Run a program and stop when it ends.");
    private readonly Option<bool> _once = CliFlags.Switch("once", "Bring all replicas up to date, then stop.");
    private readonly Option<bool> _forceSnapshot = CliFlags.Switch("force-snapshot", "With -once: write a whole snapshot too.");
    private readonly Option<bool> _enforceRetention = CliFlags.Switch("enforce-retention", "With -once: delete old files too.");
    private readonly Option<string?> _logLevel = CliFlags.Text("log-level", "trace, debug, info, warn or error.");
    private readonly Option<bool> _restore = CliFlags.Switch("restore-if-db-not-exists", "First restore databases that are missing.");
    private readonly Argument<string[]> _arguments = new("DB_PATH REPLICA_URL") { Arity = ArgumentArity.ZeroOrMore };

    private ReplicateCommand() { }

    public static Command Create(CliServices services)
    {
        var flags = new ReplicateCommand();
        var command = new Command("replicate", "Copies databases continuously to their replicas.")
        {
            flags._config,
            flags._noExpand,
            flags._exec,
            flags._once,
            flags._forceSnapshot,
            flags._enforceRetention,
            flags._logLevel,
            flags._restore,
            flags._arguments,
        };
        CliRunner.Bind(command, Usage.Replicate, services, flags.RunAsync);
        return command;
    }

    private async Task<int> RunAsync(CliContext context, CancellationToken cancellationToken)
    {
        CheckCombinations(context);
        var request = Request(context);
        var settings = request.Logging with { Level = context.Level(context.Get(_logLevel), request.Logging.Level) };
        using var loggers = context.CreateLoggers(settings);
        var log = loggers.CreateLogger("litestream");
        log.Info("litestream", ("version", VersionCommand.Version), ("log-level", settings.LevelName));
        foreach (var warning in request.Warnings)
            log.Warn(warning);
        using var signals = new StopSignals(cancellationToken);
        return await new ReplicateRunner(context.Services, loggers, signals).RunAsync(request).ConfigureAwait(false);
    }

    private void CheckCombinations(CliContext context)
    {
        var once = context.Get(_once);
        if (once && context.Get(_exec) is not null)
            throw new CliException("cannot specify -once flag with -exec");
        if (!once && context.Get(_forceSnapshot))
            throw new CliException("cannot specify -force-snapshot flag without -once");
        if (!once && context.Get(_enforceRetention))
            throw new CliException("cannot specify -enforce-retention flag without -once");
    }

    private ReplicateRequest Request(CliContext context)
    {
        var arguments = context.Arguments(_arguments);
        var configPath = context.Get(_config);
        var restore = context.Get(_restore);
        if (arguments.Count > 0 && configPath is not null)
            throw new CliException("cannot specify a replica URL and the -config flag");
        var stores = context.Services.Stores;
        var request =
            arguments.Count > 0
                ? ReplicateRequest.FromArguments(arguments, restore, stores)
                : ReplicateRequest.FromConfig(context.LoadConfig(configPath, context.Get(_noExpand)), restore, stores);
        request = request with
        {
            Exec = context.Get(_exec) ?? request.Exec,
            Once = context.Get(_once),
            ForceSnapshot = context.Get(_forceSnapshot),
            EnforceRetention = context.Get(_enforceRetention),
        };
        if (request is { Once: true, Exec: not null })
            request = request with { Exec = null, Warnings = [.. request.Warnings, "exec is not started: -once was given"] };
        return request;
    }
}
