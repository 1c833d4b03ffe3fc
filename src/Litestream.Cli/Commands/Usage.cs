using System.Globalization;

namespace Litestream.Cli.Commands;

/// <summary>The help texts.</summary>
internal static class Usage
{
    private static readonly string s_configPath = LitestreamConfig.DefaultPath;

    public static string Top { get; } =
        """
            litestream is a tool for replicating SQLite databases.

            Usage:
              litestream COMMAND [FLAGS] [ARGUMENTS]

            Commands:
              replicate   copy databases continuously to their replicas
              restore     make a database from a replica
              databases   list the databases of the configuration file
              ltx         list the transaction files of a replica
              points      list the states that can be restored
              generations list the generations of backups that litestream 0.3 made
              snapshots   list the snapshots of backups that litestream 0.3 made
              wal         list the WAL segments of backups that litestream 0.3 made
              version     print the version

            'litestream COMMAND -h' tells more of a command.

            """;

    public static string Replicate { get; } =
        $$"""
            The replicate command copies databases to their replicas until it is stopped.

            Usage:
              litestream replicate [FLAGS]
              litestream replicate [FLAGS] DB_PATH REPLICA_URL [REPLICA_URL...]

            The first form takes databases and replicas from the configuration file.
            Ctrl-C or SIGTERM stops it after a last upload; a second one stops it at once.

            Flags:
              -config PATH               configuration file (default {{s_configPath}}, or LITESTREAM_CONFIG)
              -exec COMMAND              run a program and stop when it ends
              -once                      bring all replicas up to date, then stop
              -force-snapshot            with -once: write a whole snapshot too
              -enforce-retention         with -once: delete old files too
              -restore-if-db-not-exists  first restore databases that are missing
              -log-level LEVEL           trace, debug, info, warn or error
              -no-expand-env             leave $NAME in the configuration file as it is

            Examples:
              litestream replicate /data/app.db s3://bucket/app
              litestream replicate -exec "myapp -port 8080"

            """;

    public static string Restore { get; } =
        $$"""
            The restore command makes a database file from a replica.

            Usage:
              litestream restore [FLAGS] DB_PATH
              litestream restore [FLAGS] -o PATH REPLICA_URL

            The first form finds the replicas of the database in the configuration file, takes the
            one that reaches furthest, and the next one when it fails. An existing database is never overwritten without -force.

            Flags:
              -o PATH                 file to make (default: DB_PATH)
              -timestamp TIME         last state before this time: 2026-01-31T12:00:00Z or "3d ago"
              -txid TXID              state after this transaction, 16 hex digits
              -generation NAME        only this generation of a backup of litestream 0.3
              -index INDEX            with -generation: up to the end of this WAL index, hex digits
              -replica NAME           only this replica of the configuration file
              -if-db-not-exists       do nothing if the file exists
              -if-replica-exists      do nothing if there is no backup
              -force                  replace an existing database
              -integrity-check MODE   none, quick or full (default none)
              -parallelism N          connections at the same time (default 8)
              -f                      keep following the replica until stopped
              -follow-interval TIME   with -f: pause between two looks (default 1s)
              -dry-run                print what would be restored
              -json                   print the result as JSON
              -config PATH            configuration file (default {{s_configPath}}, or LITESTREAM_CONFIG)
              -no-expand-env          leave $NAME in the configuration file as it is

            Examples:
              litestream restore -o /data/app.db s3://bucket/app
              litestream restore -timestamp "1h ago" -o /tmp/before.db /data/app.db

            """;

    public static string Databases { get; } =
        $$"""
            The databases command lists the databases of the configuration file.

            Usage:
              litestream databases [FLAGS]

            Flags:
              -config PATH     configuration file (default {{s_configPath}}, or LITESTREAM_CONFIG)
              -no-expand-env   leave $NAME in the configuration file as it is
              -json            print JSON

            """;

    public static string Ltx { get; } =
        $$"""
            The ltx command lists the transaction files of a replica.

            Usage:
              litestream ltx [FLAGS] DB_PATH
              litestream ltx [FLAGS] REPLICA_URL

            Flags:
              -level LEVEL     0 to 9, or all (default 0)
              -replica NAME    this replica of the configuration file (default: the first)
              -config PATH     configuration file (default {{s_configPath}}, or LITESTREAM_CONFIG)
              -no-expand-env   leave $NAME in the configuration file as it is
              -json            print JSON

            """;

    public static string Points { get; } =
        $$"""
            The points command lists the states of a database that a replica can give back:
            for restore -txid, or by their times for restore -timestamp.

            Usage:
              litestream points [FLAGS] DB_PATH
              litestream points [FLAGS] REPLICA_URL

            Flags:
              -replica NAME    this replica of the configuration file (default: the first)
              -config PATH     configuration file (default {{s_configPath}}, or LITESTREAM_CONFIG)
              -no-expand-env   leave $NAME in the configuration file as it is
              -json            print JSON

            """;

    public static string Generations { get; } = OldBackups("generations", "the generations of backups that litestream 0.3 made");

    public static string Snapshots { get; } = OldBackups("snapshots", "the snapshots of backups that litestream 0.3 made");

    public static string Wal { get; } =
        OldBackups(
            "wal",
            "the WAL segments of backups that litestream 0.3 made",
            "  -generation NAME   only this generation\n",
            """

            Of a replica that litestream since 0.5 has written, and without -generation, it lists
            the transaction files, as 'litestream ltx' does, with its flags -level and -json.

            """
        );

    public static string Version { get; } =
        """
            The version command prints the version.

            Usage:
              litestream version [-verbose]

            """;

    private static string OldBackups(string command, string what, string flags = "", string note = "") =>
        $$"""
            The {{command}} command lists {{what}}.

            Usage:
              litestream {{command}} [FLAGS] DB_PATH
              litestream {{command}} [FLAGS] REPLICA_URL

            Flags:
            {{flags}}  -replica NAME      only this replica of the configuration file
              -config PATH       configuration file (default {{s_configPath}}, or LITESTREAM_CONFIG)
              -no-expand-env     leave $NAME in the configuration file as it is
            {{note}}
            """;

    /// <summary>The help text of a command.</summary>
    public static string Of(string command) =>
        command switch
        {
            "replicate" => Replicate,
            "restore" => Restore,
            "databases" => Databases,
            "ltx" => Ltx,
            "points" => Points,
            "wal" => Wal,
            "generations" => Generations,
            "snapshots" => Snapshots,
            "version" => Version,
            _ => string.Create(CultureInfo.InvariantCulture, $"litestream {command} comes with a later version.\n"),
        };
}
