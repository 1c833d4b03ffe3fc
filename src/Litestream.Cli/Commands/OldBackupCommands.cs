using System.CommandLine;
using System.Globalization;
using Litestream.Replicas;
using Litestream.Restore.V3;

namespace Litestream.Cli.Commands;

/// <summary><c>litestream generations</c> and <c>litestream snapshots</c>, and the table of <c>litestream wal</c>: what Litestream 0.3 left in replicas.</summary>
internal static class OldBackupCommands
{
    public static Command CreateGenerations(CliServices services) =>
        Create(services, "generations", Usage.Generations, ["name", "generation", "lag", "start", "end"], WriteGenerations);

    public static Command CreateSnapshots(CliServices services) =>
        Create(services, "snapshots", Usage.Snapshots, ["replica", "generation", "index", "size", "created"], WriteSnapshots);

    /// <summary>The table of WAL segments, of one generation or of all.</summary>
    public static async Task WriteSegmentsAsync(
        CliContext context,
        Sources sources,
        string? generation,
        CancellationToken cancellationToken
    )
    {
        var table = new TextTable("replica", "generation", "index", "offset", "size", "created");
        var names = ReplicaNames.Of(sources.Replicas);
        for (var i = 0; i < sources.Replicas.Count; i++)
        {
            var backup = await ListAsync(context, sources.Replicas[i], cancellationToken).ConfigureAwait(false);
            foreach (var segment in backup.Generations.Where(g => generation is null || g.Name == generation).SelectMany(g => g.Segments))
                table.Add(
                    names[i],
                    segment.Generation,
                    Number(segment.Index),
                    segment.Offset.ToString(CultureInfo.InvariantCulture),
                    Number(segment.SizeBytes),
                    TextTable.Time(segment.Timestamp)
                );
        }
        table.Write(context.Out);
    }

    private static Command Create(
        CliServices services,
        string name,
        string usage,
        string[] header,
        Action<TextTable, string, V3Backup, DateTimeOffset?> write
    )
    {
        var (config, noExpand) = (CliFlags.Config(), CliFlags.NoExpandEnv());
        var replica = CliFlags.Text("replica", "Only this replica of the configuration file.");
        var argument = CliFlags.Source();
        var command = new Command(name, "Lists backups of litestream 0.3.") { config, noExpand, replica, argument };
        CliRunner.Bind(
            command,
            usage,
            services,
            async (context, cancellationToken) =>
            {
                var source =
                    context.Argument(argument)
                    ?? throw new CliException("database path or replica URL required") { Hint = $"litestream {name} s3://bucket/prefix" };
                var sources = context.Locate(source, context.Get(config), context.Get(noExpand), context.Get(replica));
                var names = ReplicaNames.Of(sources.Replicas);
                var table = new TextTable(header);
                for (var i = 0; i < sources.Replicas.Count; i++)
                {
                    var backup = await ListAsync(context, sources.Replicas[i], cancellationToken).ConfigureAwait(false);
                    write(table, names[i], backup, ChangedAt(services, sources.DatabasePath));
                }
                table.Write(context.Out);
                return 0;
            }
        );
        return command;
    }

    private static async Task<V3Backup> ListAsync(CliContext context, ReplicaOptions replica, CancellationToken cancellationToken)
    {
        ReplicaConfig.CheckAvailable(replica, context.Services.Stores);
        var client = context.Services.Stores.Open(replica);
        await using var closing = client.ConfigureAwait(false);
        return await V3Backup.ListAsync(client.Store, cancellationToken).ConfigureAwait(false);
    }

    private static void WriteGenerations(TextTable table, string name, V3Backup backup, DateTimeOffset? changed)
    {
        foreach (var generation in backup.Generations)
            table.Add(
                name,
                generation.Name,
                // Without the database nobody knows how far behind the backup is; 0.3 prints 292 years then.
                changed is { } moment
                    ? GoDuration.Format(Coarse(moment - generation.Newest))
                    : "-",
                TextTable.Time(generation.Oldest),
                TextTable.Time(generation.Newest)
            );
    }

    private static void WriteSnapshots(TextTable table, string name, V3Backup backup, DateTimeOffset? changed)
    {
        foreach (var snapshot in backup.Generations.SelectMany(g => g.Snapshots))
            table.Add(name, snapshot.Generation, Number(snapshot.Index), Number(snapshot.SizeBytes), TextTable.Time(snapshot.Timestamp));
    }

    /// <summary>When the database or its WAL was last written; null without one. Only the folder is asked: a live database is never opened.</summary>
    private static DateTimeOffset? ChangedAt(CliServices services, string? database) =>
        database is null
            ? null
            : new[] { database, database + "-wal" }
                .Select(services.Files.Stat)
                .Max(entry => entry is { IsDirectory: false } file ? file.LastWriteTime : (DateTimeOffset?)null);

    private static TimeSpan Coarse(TimeSpan lag)
    {
        var unit = lag.Duration().TotalSeconds switch
        {
            > 10 => TimeSpan.TicksPerSecond,
            > 1 => TimeSpan.TicksPerSecond / 10,
            _ => TimeSpan.TicksPerMillisecond,
        };
        return TimeSpan.FromTicks(lag.Ticks / unit * unit);
    }

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}
