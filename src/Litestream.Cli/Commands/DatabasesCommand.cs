using System.CommandLine;

namespace Litestream.Cli.Commands;

/// <summary><c>litestream databases</c>.</summary>
internal static class DatabasesCommand
{
    public static Command Create(CliServices services)
    {
        var config = CliFlags.Config();
        var noExpand = CliFlags.NoExpandEnv();
        var json = CliFlags.Json();
        var command = new Command("databases", "Lists the databases of the configuration file.") { config, noExpand, json };
        CliRunner.Bind(
            command,
            Usage.Databases,
            services,
            (context, _) =>
            {
                var loaded = context.LoadConfig(context.Get(config), context.Get(noExpand));
                context.PrintWarnings(loaded);
                if (context.Get(json))
                    WriteJson(context, loaded);
                else
                    WriteTable(context, loaded);
                return Task.FromResult(0);
            }
        );
        return command;
    }

    private static void WriteTable(CliContext context, LitestreamConfig config)
    {
        var table = new TextTable("path", "replica");
        foreach (var database in config.Options.Databases)
            table.Add(database.Path, string.Join(",", ReplicaNames.Of(database.Replicas)));
        table.Write(context.Out);
    }

    private static void WriteJson(CliContext context, LitestreamConfig config) =>
        JsonOutput.Write(
            context.Out,
            json =>
            {
                json.WriteStartArray();
                foreach (var database in config.Options.Databases)
                {
                    json.WriteStartObject();
                    json.WriteString("path", database.Path);
                    json.WriteString("replica", string.Join(",", ReplicaNames.Of(database.Replicas)));
                    json.WriteEndObject();
                }
                json.WriteEndArray();
            }
        );
}
