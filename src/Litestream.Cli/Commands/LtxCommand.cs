using System.CommandLine;
using System.Globalization;
using Litestream.Ltx;
using Litestream.Replicas;

namespace Litestream.Cli.Commands;

/// <summary><c>litestream ltx</c>.</summary>
internal static class LtxCommand
{
    public static Command Create(CliServices services) => Create(services, "ltx", deprecated: false);

    /// <summary>The same under its old name.</summary>
    public static Command CreateDeprecated(CliServices services) => Create(services, "wal", deprecated: true);

    private static Command Create(CliServices services, string name, bool deprecated)
    {
        var config = CliFlags.Config();
        var noExpand = CliFlags.NoExpandEnv();
        var json = CliFlags.Json();
        var level = CliFlags.Text("level", "0 to 9, or all.");
        var replica = CliFlags.Text("replica", "Name of a replica in the configuration file.");
        var argument = CliFlags.Source();
        var command = new Command(name, "Lists the transaction files of a replica.") { config, noExpand, json, level, replica, argument };
        var generation = CliFlags.Text("generation", "Only this generation of litestream 0.3.");
        command.Hidden = deprecated;
        if (deprecated)
            command.Add(generation);
        CliRunner.Bind(
            command,
            Usage.Of(name),
            services,
            async (context, cancellationToken) =>
            {
                if (deprecated && await TryWriteOldAsync(context, cancellationToken).ConfigureAwait(false))
                    return 0;
                if (deprecated)
                    context.Error.WriteLine("Warning: 'wal' command is deprecated, please use 'ltx' instead");
                var levels = Levels(context.Get(level) ?? "0");
                var source =
                    context.Argument(argument)
                    ?? throw new CliException("database path or replica URL required") { Hint = "litestream ltx s3://bucket/prefix" };
                var sources = context.Locate(source, context.Get(config), context.Get(noExpand), context.Get(replica));
                if (sources.Replicas.Count > 1)
                    context.Error.WriteLine(
                        $"Note: files of {sources.Replicas[0].Url}; choose another replica with -replica {string.Join(" or ", ReplicaNames.Of(sources.Replicas))}"
                    );
                var files = await ListAsync(context, sources.Replicas[0], levels, cancellationToken).ConfigureAwait(false);
                if (context.Get(json))
                    WriteJson(context, files);
                else
                    WriteTable(context, files);
                return 0;
            }
        );
        return command;

        // 'wal' had another meaning in 0.3, and has it still where only 0.3 has written, or where a generation is named.
        async Task<bool> TryWriteOldAsync(CliContext context, CancellationToken cancellationToken)
        {
            var name = OldBackupFlags.ParseGeneration(context.Get(generation));
            if (context.Argument(argument) is not { } source || (name is null && (context.Get(level) is not null || context.Get(json))))
                return false;
            var sources = context.Locate(source, context.Get(config), context.Get(noExpand), context.Get(replica));
            if (name is null && !await HoldsOnlyOldAsync(context, sources.Replicas[0], cancellationToken).ConfigureAwait(false))
                return false;
            await OldBackupCommands.WriteSegmentsAsync(context, sources, name, cancellationToken).ConfigureAwait(false);
            return true;
        }
    }

    private static async Task<bool> HoldsOnlyOldAsync(CliContext context, ReplicaOptions replica, CancellationToken cancellationToken)
    {
        var client = context.Services.Stores.Open(replica);
        await using var closing = client.ConfigureAwait(false);
        if (!await client.HasGenerationsAsync(cancellationToken).ConfigureAwait(false))
            return false;
        for (var level = LtxFileInfo.MinLevel; level <= LtxFileInfo.SnapshotLevel; level++)
            await foreach (var _ in client.ListAsync(level, Txid.None, TimestampAccuracy.Listing, cancellationToken).ConfigureAwait(false))
                return false;
        return true;
    }

    private static IReadOnlyList<int> Levels(string text)
    {
        if (text == "all")
            return [.. Enumerable.Range(LtxFileInfo.MinLevel, LtxFileInfo.SnapshotLevel + 1)];
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var level) && level <= LtxFileInfo.SnapshotLevel)
            return [level];
        throw new FlagException($"invalid value \"{text}\" for flag -level: invalid level: must be 0-9 or \"all\"");
    }

    private static async Task<List<LtxFileInfo>> ListAsync(
        CliContext context,
        ReplicaOptions replica,
        IReadOnlyList<int> levels,
        CancellationToken cancellationToken
    )
    {
        var client = context.Services.Stores.Open(replica);
        await using var closing = client.ConfigureAwait(false);
        var files = new List<LtxFileInfo>();
        foreach (var level in levels)
        await foreach (var file in client.ListAsync(level, Txid.None, TimestampAccuracy.Listing, cancellationToken).ConfigureAwait(false))
            files.Add(file);
        return files;
    }

    private static void WriteTable(CliContext context, List<LtxFileInfo> files)
    {
        var table = new TextTable("level", "min_txid", "max_txid", "size", "created");
        foreach (var file in files)
            table.Add(
                file.Level.ToString(CultureInfo.InvariantCulture),
                file.MinTxid.ToString(),
                file.MaxTxid.ToString(),
                file.SizeBytes.ToString(CultureInfo.InvariantCulture),
                TextTable.Time(file.Timestamp)
            );
        table.Write(context.Out);
    }

    private static void WriteJson(CliContext context, List<LtxFileInfo> files) =>
        JsonOutput.Write(
            context.Out,
            json =>
            {
                json.WriteStartArray();
                foreach (var file in files)
                {
                    json.WriteStartObject();
                    json.WriteNumber("level", file.Level);
                    json.WriteString("min_txid", file.MinTxid.ToString());
                    json.WriteString("max_txid", file.MaxTxid.ToString());
                    json.WriteNumber("size", file.SizeBytes);
                    json.WriteString("timestamp", TextTable.PreciseTime(file.Timestamp));
                    json.WriteEndObject();
                }
                json.WriteEndArray();
            }
        );
}
