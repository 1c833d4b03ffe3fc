using System.CommandLine;
using System.Globalization;
using Litestream.Cli.Configuration;
using Litestream.Cli.Logging;
using Litestream.Replicas;
using Litestream.Restore;
using Microsoft.Extensions.Logging;

namespace Litestream.Cli.Commands;

/// <summary><c>litestream restore</c>.</summary>
internal sealed class RestoreCommand
{
    private readonly Option<string?> _config = CliFlags.Config();
    private readonly Option<bool> _noExpand = CliFlags.NoExpandEnv();
    private readonly Option<bool> _json = CliFlags.Json();
    private readonly Option<string?> _output = CliFlags.Text("o", "File to make.");
    private readonly Option<string?> _txid = CliFlags.Text("txid", "State after this transaction, 16 hex digits.");
    private readonly Option<string?> _timestamp = CliFlags.Text("timestamp", "Last state before this time.");
    private readonly Option<string?> _replica = CliFlags.Text("replica", "Only this replica of the configuration file.");
    private readonly Option<bool> _ifDbNotExists = CliFlags.Switch("if-db-not-exists", "Do nothing if the file exists.");
    private readonly Option<bool> _ifReplicaExists = CliFlags.Switch("if-replica-exists", "Do nothing if there is no backup.");
    private readonly Option<bool> _dryRun = CliFlags.Switch("dry-run", "Print what would be restored.");
    private readonly Option<bool> _force = CliFlags.Switch("force", "Replace an existing database.");
    private readonly Option<bool> _follow = CliFlags.Switch("f", "Keep following the replica.");
    private readonly Option<string?> _followInterval = CliFlags.Text("follow-interval", "Pause between two looks.");
    private readonly Option<string?> _parallelism = CliFlags.Text("parallelism", "Files to download at the same time.");
    private readonly Option<string?> _integrityCheck = CliFlags.Text("integrity-check", "none, quick or full.");
    private readonly Option<string?> _generation = CliFlags.Text("generation", "Generation of a backup of litestream 0.3.");
    private readonly Option<string?> _index = CliFlags.Text("index", "WAL index of a backup of litestream 0.3.");
    private readonly Argument<string?> _source = CliFlags.Source();

    private RestoreCommand() { }

    public static Command Create(CliServices services)
    {
        var flags = new RestoreCommand();
        var command = new Command("restore", "Makes a database from a replica.")
        {
            flags._config,
            flags._noExpand,
            flags._json,
            flags._output,
            flags._txid,
            flags._timestamp,
            flags._replica,
            flags._ifDbNotExists,
            flags._ifReplicaExists,
            flags._dryRun,
            flags._force,
            flags._follow,
            flags._followInterval,
            flags._parallelism,
            flags._integrityCheck,
            flags._generation,
            flags._index,
            flags._source,
        };
        CliRunner.Bind(command, Usage.Restore, services, flags.RunAsync);
        return command;
    }

    private async Task<int> RunAsync(CliContext context, CancellationToken cancellationToken)
    {
        var json = context.Get(_json);
        var level = context.Level(null, LogLevel.Information);
        using var loggers = context.CreateLoggers(new LogSettings(level, UseStandardError: json));
        var log = loggers.CreateLogger("litestream");
        // What the engine tells in passing is for the daemon's log; a command says what it was asked for.
        using var engineLoggers = context.CreateLoggers(
            new LogSettings(
                level == LogLevel.Information ? LogLevel.Warning : level,
                UseStandardError: json || level == LogLevel.Information
            )
        );
        var request = Request(context);
        if (context.Get(_ifDbNotExists) && File.Exists(request.OutputPath))
        {
            log.Info("database already exists, skipping");
            return 0;
        }
        if (context.Get(_follow))
            return await FollowAsync(context, request, log, engineLoggers.CreateLogger("litestream"), cancellationToken)
                .ConfigureAwait(false);
        RestoreRunner.CheckOutput(request.OutputPath, request.Force);
        var runner = new RestoreRunner(context.Services, engineLoggers.CreateLogger("litestream"));
        if (context.Get(_dryRun))
            return await DryRunAsync(context, runner, request, log, cancellationToken).ConfigureAwait(false);

        if (await runner.RestoreAsync(request, cancellationToken).ConfigureAwait(false) is not ({ } replica, { } result))
            return NoBackup(log);
        if (request.IntegrityCheck != IntegrityCheckMode.None)
            log.Info("post-restore integrity check passed", ("replica", replica.Url.Scheme));
        if (json)
            WriteResult(context, replica, result, request.IntegrityCheck);
        return 0;
    }

    private RestoreRequest Request(CliContext context)
    {
        var txid = RestoreRequest.ParseTxid(context.Get(_txid));
        DateTimeOffset? timestamp = context.Get(_timestamp) is { } text ? RestoreTime.Parse(text, context.Services.Time) : null;
        var check = RestoreRequest.ParseIntegrityCheck(context.Get(_integrityCheck));
        var parallelism = RestoreRequest.ParseParallelism(context.Get(_parallelism));
        var (generation, index) = (
            OldBackupFlags.ParseGeneration(context.Get(_generation)),
            OldBackupFlags.ParseIndex(context.Get(_index))
        );
        var argument =
            context.Argument(_source)
            ?? throw new CliException("database path or replica URL required")
            {
                Hint = "litestream restore -o /path/to/db s3://bucket/prefix",
            };
        CheckCombinations(context, txid is not null, timestamp is not null);
        var sources = Locate(context, argument);
        var output = context.Get(_output) switch
        {
            { Length: > 0 } path when path[^1] is '/' => throw new CliException($"cannot restore, output path is a directory: {path}")
            {
                Hint = $"-o {path}app.db",
            },
            { Length: > 0 } path => ConfigPaths.Absolute(path),
            _ when sources.DatabasePath is { } path => path,
            _ => throw new CliException("-o is required when restoring from a replica URL")
            {
                Hint = $"litestream restore -o /path/to/db {sources.Shown}",
            },
        };
        return new RestoreRequest
        {
            Sources = sources,
            OutputPath = output,
            Target = new RestoreTarget(txid, timestamp) { Generation = generation, Index = index },
            IntegrityCheck = check,
            Parallelism = parallelism,
            IfReplicaExists = context.Get(_ifReplicaExists),
            Force = context.Get(_force),
        };
    }

    private Sources Locate(CliContext context, string argument)
    {
        if (argument is "file://" or "file:///")
            throw new CliException("no matching backup files available");
        return context.Locate(argument, context.Get(_config), context.Get(_noExpand), context.Get(_replica));
    }

    private void CheckCombinations(CliContext context, bool hasTxid, bool hasTimestamp)
    {
        if (hasTxid && hasTimestamp)
            throw new CliException("cannot use -txid with -timestamp") { Hint = "only one of them" };
        OldBackupFlags.CheckCombinations(context.Get(_generation), context.Get(_index), hasTxid, hasTimestamp, context.Get(_follow));
        if (!context.Get(_follow))
            return;
        foreach (
            var (used, flag) in new[]
            {
                (hasTxid, "-txid"),
                (hasTimestamp, "-timestamp"),
                (context.Get(_dryRun), "-dry-run"),
                (context.Get(_force), "-force"),
            }
        )
            if (used)
                throw new CliException($"cannot use {flag} with -f");
    }

    private async Task<int> FollowAsync(
        CliContext context,
        RestoreRequest request,
        ILogger log,
        ILogger engineLog,
        CancellationToken cancellationToken
    )
    {
        var options = new FollowOptions
        {
            OutputPath = request.OutputPath,
            Interval = RestoreRequest.ParseFollowInterval(context.Get(_followInterval)),
            IntegrityCheck = request.IntegrityCheck,
            Parallelism = request.Parallelism,
        };
        using var signals = new StopSignals(cancellationToken);
        try
        {
            await new FollowRunner(context.Services, log, engineLog)
                .RunAsync(
                    request.Sources.Replicas,
                    options,
                    (replica, result) =>
                    {
                        if (context.Get(_json))
                            WriteResult(context, replica, result, request.IntegrityCheck);
                    },
                    signals.Stop
                )
                .ConfigureAwait(false);
            return 0;
        }
        catch (LitestreamException e) when (e.Error == LitestreamError.NotFound && request.IfReplicaExists)
        {
            return NoBackup(log);
        }
    }

    private async Task<int> DryRunAsync(
        CliContext context,
        RestoreRunner runner,
        RestoreRequest request,
        ILogger log,
        CancellationToken cancellationToken
    )
    {
        if (await runner.PlanAsync(request, cancellationToken).ConfigureAwait(false) is not ({ } replica, { } plan))
            return NoBackup(log);
        if (plan.OldBackup is { } old)
            return OldBackupOutput.WritePlan(context, request, replica, old, context.Get(_json));
        var first = plan.Files.Min(f => f.MinTxid);
        if (context.Get(_json))
            WritePlanJson(context, request, replica, plan);
        else
        {
            context.Out.WriteLine($"source: {request.Sources.Shown}");
            context.Out.WriteLine($"target: {request.OutputPath}");
            context.Out.WriteLine($"replica: {replica.Url.Scheme}");
            context.Out.WriteLine($"txid range: {first}-{plan.Txid}");
            context.Out.WriteLine();
            WritePlanTable(context, plan);
        }
        return 0;
    }

    private static int NoBackup(ILogger log)
    {
        log.Info("no matching backups found");
        return 0;
    }

    private static void WritePlanTable(CliContext context, RestorePlan plan)
    {
        var table = new TextTable("level", "file", "min_txid", "max_txid", "size", "timestamp");
        foreach (var file in plan.Files)
            table.Add(
                file.Level.ToString(CultureInfo.InvariantCulture),
                file.FileName,
                file.MinTxid.ToString(),
                file.MaxTxid.ToString(),
                file.SizeBytes.ToString(CultureInfo.InvariantCulture),
                TextTable.Time(file.Timestamp)
            );
        table.Write(context.Out);
    }

    private static void WritePlanJson(CliContext context, RestoreRequest request, ReplicaOptions replica, RestorePlan plan) =>
        JsonOutput.Write(
            context.Out,
            json =>
            {
                json.WriteStartObject();
                json.WriteString("source", request.Sources.Shown);
                json.WriteString("target_path", request.OutputPath);
                json.WriteString("replica", replica.Url.Scheme);
                json.WriteString("min_txid", plan.Files.Min(f => f.MinTxid).ToString());
                json.WriteString("max_txid", plan.Txid.ToString());
                json.WriteStartArray("files");
                foreach (var file in plan.Files)
                {
                    json.WriteStartObject();
                    json.WriteNumber("level", file.Level);
                    json.WriteString("name", file.FileName);
                    json.WriteString("min_txid", file.MinTxid.ToString());
                    json.WriteString("max_txid", file.MaxTxid.ToString());
                    json.WriteNumber("size", file.SizeBytes);
                    json.WriteString("timestamp", TextTable.PreciseTime(file.Timestamp));
                    json.WriteEndObject();
                }
                json.WriteEndArray();
                json.WriteEndObject();
            }
        );

    private static void WriteResult(CliContext context, ReplicaOptions replica, RestoreResult result, IntegrityCheckMode check) =>
        JsonOutput.Write(
            context.Out,
            json =>
            {
                json.WriteStartObject();
                json.WriteString("db_path", result.OutputPath);
                json.WriteString("replica", replica.Url.Scheme);
                if (result.OldBackup is { } old)
                    OldBackupOutput.WriteState(json, old);
                else
                    json.WriteString("txid", result.Txid.ToString());
                json.WriteNumber("duration_ms", (long)result.Duration.TotalMilliseconds);
                json.WriteString("integrity_check", check.ToString().ToLowerInvariant());
                json.WriteEndObject();
            }
        );
}
