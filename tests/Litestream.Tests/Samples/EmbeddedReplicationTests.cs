using Microsoft.Data.Sqlite;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Samples;

/// <summary>The README's second screen, run as a user would run it.</summary>
public sealed class EmbeddedReplicationTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Sample_ReplicatesWhatIsCommittedBeforeAndWhileItRuns()
    {
        Litestream05.RequireIt();
        var cancel = TestContext.Current.CancellationToken;
        var (database, replica) = (_folder.Combine("app.db"), _folder.Combine("replica"));
        using var writer = new SqliteConnection($"Data Source={database};Pooling=False");
        writer.Open();
        Execute(writer, "PRAGMA journal_mode = wal; CREATE TABLE notes(text TEXT); INSERT INTO notes VALUES ('before')");

        await using var app = TestProcess.Start(
            Repository.ProgramOf("EmbeddedReplication"),
            ["--database", database, "--replica", $"file://{replica}"],
            workingDirectory: _folder.Path
        );
        await app.WaitForLineAsync(new("Application started"), cancellationToken: cancel);
        Execute(writer, "INSERT INTO notes VALUES ('while')");
        Assert.Equal(0, await app.StopAsync());

        Assert.Equal(CanonicalDump.Of(writer), await Litestream05.DumpLatestAsync($"file://{replica}"));
    }

    [Fact]
    public void Sample_IsAtMostFifteenLines() =>
        Assert.InRange(File.ReadAllLines(Repository.PathOf("samples", "EmbeddedReplication", "Program.cs")).Length, 1, 15);

    private static void Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
