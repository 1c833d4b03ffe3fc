using System.Runtime.CompilerServices;
using Microsoft.Data.Sqlite;
using Testing;

namespace Litestream.Tests.Crashes;

/// <summary>
/// A writer in a process of its own: the test program itself, started with <see cref="Variable"/>. Each transaction adds a row and raises a
/// counter, so that a torn or missing one shows. It checkpoints as it likes, and ends when its standard input does.
/// </summary>
internal static class WriterChild
{
    internal const string Variable = "LITESTREAM_TEST_WRITER";

    internal static TestProcess Start(string path, int seed) =>
        TestProcess.Start(Environment.ProcessPath!, [], new Dictionary<string, string?> { [Variable] = $"{seed}:{path}" });

#pragma warning disable CA2255 // The one way to be another program before the test runner's own Main.
    [ModuleInitializer]
    internal static void RunInsteadOfTests()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { } order)
            return;
        var parts = order.Split(':', 2);
        Run(parts[1], new Random(int.Parse(parts[0], System.Globalization.CultureInfo.InvariantCulture)));
        Environment.Exit(0);
    }
#pragma warning restore CA2255

    private static void Run(string path, Random random)
    {
        var stop = false;
        var input = new Thread(() =>
        {
            while (Console.In.Read() >= 0) { }
            Volatile.Write(ref stop, true);
        });
        input.Start();
        using var connection = TestDatabase.Open(path);
        connection.Execute("PRAGMA busy_timeout=10000; PRAGMA journal_mode=wal");
        // FULL syncs a commit before it publishes it: killed in between, it leaves frames that no one has seen.
        connection.Execute($"PRAGMA synchronous={(random.Next(3) == 0 ? "full" : "off")}; PRAGMA wal_autocheckpoint=30");
        connection.Execute("CREATE TABLE IF NOT EXISTS log(n INTEGER PRIMARY KEY, v); CREATE TABLE IF NOT EXISTS counter(n)");
        connection.Execute("CREATE TABLE IF NOT EXISTS large(slot INTEGER PRIMARY KEY, v)");
        connection.Execute("INSERT INTO counter SELECT 0 WHERE NOT EXISTS(SELECT 1 FROM counter)");
        Console.WriteLine("writing");
        while (!Volatile.Read(ref stop))
        {
            connection.Execute(
                "BEGIN IMMEDIATE; UPDATE counter SET n = n + 1; INSERT INTO log SELECT n, randomblob(abs(random()) % 20) FROM counter;"
                    // What is large is written over, so that hours of writing, and a snapshot after each kill, stay small.
                    + " INSERT OR REPLACE INTO large SELECT n % 300, randomblob(abs(random()) % 3000) FROM counter; COMMIT"
            );
            if (random.Next(60) == 0)
                Checkpoint(connection, random);
            Thread.Sleep(random.Next(3));
        }
    }

    private static void Checkpoint(SqliteConnection connection, Random random)
    {
        string[] modes = ["PASSIVE", "RESTART", "TRUNCATE"];
        connection.Execute($"PRAGMA busy_timeout=0; PRAGMA wal_checkpoint({modes[random.Next(modes.Length)]}); PRAGMA busy_timeout=10000");
    }

    /// <summary>The last transaction in a restored file; fails when one is torn or missing.</summary>
    internal static long RequireWhole(string path)
    {
        using var connection = TestDatabase.Open(path, readOnly: true);
        Xunit.Assert.Equal("ok", connection.Scalar("PRAGMA integrity_check"));
        var counter = connection.Scalar("SELECT n FROM counter");
        Xunit.Assert.Equal($"{counter}|{counter}", connection.Scalar("SELECT count(*) || '|' || coalesce(max(n), 0) FROM log"));
        return long.Parse(counter!, System.Globalization.CultureInfo.InvariantCulture);
    }
}
