using System.CommandLine;
using System.Globalization;
using Litestream.Replicas;
using Litestream.Restore;

namespace Litestream.Cli.Commands;

/// <summary><c>litestream points</c>: the states that a replica can give back.</summary>
internal static class PointsCommand
{
    public static Command Create(CliServices services)
    {
        var config = CliFlags.Config();
        var noExpand = CliFlags.NoExpandEnv();
        var json = CliFlags.Json();
        var replica = CliFlags.Text("replica", "Name of a replica in the configuration file.");
        var argument = CliFlags.Source();
        var command = new Command("points", "Lists the states that can be restored.") { config, noExpand, json, replica, argument };
        CliRunner.Bind(
            command,
            Usage.Points,
            services,
            async (context, cancellationToken) =>
            {
                var source =
                    context.Argument(argument)
                    ?? throw new CliException("database path or replica URL required") { Hint = "litestream points s3://bucket/prefix" };
                var sources = context.Locate(source, context.Get(config), context.Get(noExpand), context.Get(replica));
                if (sources.Replicas.Count > 1)
                    context.Error.WriteLine(
                        $"Note: states of {sources.Replicas[0].Url}; choose another replica with -replica {string.Join(" or ", ReplicaNames.Of(sources.Replicas))}"
                    );
                var client = services.Stores.Open(sources.Replicas[0]);
                await using var closing = client.ConfigureAwait(false);
                var points = await RestorePlanner.ListPointsAsync(client, TimestampAccuracy.Exact, cancellationToken).ConfigureAwait(false);
                if (context.Get(json))
                    WriteJson(context, points);
                else
                    WriteTable(context, points);
                return 0;
            }
        );
        return command;
    }

    private static void WriteTable(CliContext context, IReadOnlyList<RestorePoint> points)
    {
        var table = new TextTable("txid", "created", "size");
        foreach (var point in points)
            table.Add(
                point.Txid.ToString(),
                TextTable.PreciseTime(point.Timestamp),
                point.SizeBytes.ToString(CultureInfo.InvariantCulture)
            );
        table.Write(context.Out);
    }

    private static void WriteJson(CliContext context, IReadOnlyList<RestorePoint> points) =>
        JsonOutput.Write(
            context.Out,
            json =>
            {
                json.WriteStartArray();
                foreach (var point in points)
                {
                    json.WriteStartObject();
                    json.WriteString("txid", point.Txid.ToString());
                    json.WriteString("timestamp", TextTable.PreciseTime(point.Timestamp));
                    json.WriteNumber("size", point.SizeBytes);
                    json.WriteEndObject();
                }
                json.WriteEndArray();
            }
        );
}
