using System.Net.Sockets;
using System.Text;
using Datasette.Databases;
using Datasette.Hosting;
using Datasette.Plugins;
using Datasette.Tests.Hosting;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Datasette.Tests.Safety;

/// <summary>Long answers: sent while they are read, and no longer than somebody reads them.</summary>
public sealed class StreamingTests(ITestOutputHelper output) : IDisposable
{
    private const int Rows = 1_000_000;
    private readonly TempFolder folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    private string Make(string insert)
    {
        var file = folder.Combine("data.db");
        using var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        SqlStatement.Execute(connection, "create table t (id integer primary key, a text, b real)");
        SqlStatement.Execute(connection, insert);
        return file;
    }

    [Fact]
    [Trait("Rule", "H192")]
    public async Task H196_AMillionRows_AreStreamedInConstantMemory()
    {
        var file = Make(
            $"with recursive c(x) as (select 1 union all select x + 1 from c where x < {Rows}) insert into t select x, 'text of row ' || x, x / 8.0 from c"
        );
        var port = Processes.FreePort();
        await using var server = TestProcess.Start(
            Repository.ProgramOf("Datasette.Door"),
            ["serve", file, "-p", $"{port}", "-s", "sql_time_limit_ms", "60000"],
            new Dictionary<string, string?> { ["DATASETTE_LOAD_PLUGINS"] = "", ["DOTNET_gcServer"] = "0" }
        );
        await Processes.WaitForPortAsync(port, TimeSpan.FromSeconds(60), server, Ct);
        // Once before, so that code and buffers are there.
        await ReadAsync(port, "/data/t.csv?_size=100", _ => { });
        var before = ResidentBytes(server.Id);
        var samples = new List<long>();
        var chunks = 0;
        var lines = await ReadAsync(
            port,
            "/data/t.csv?_stream=1",
            _ =>
            {
                if (++chunks % 20 == 0)
                {
                    samples.Add(ResidentBytes(server.Id) - before);
                }
            }
        );
        Assert.Equal(Rows + 1, lines);
        Assert.True(samples.Count >= 9, $"only {chunks} chunks");
        // What the collector takes for its first generation comes early; what is kept of the rows, more than 200 MB, would go on growing.
        var (early, late) = (samples.Take(samples.Count / 3).Max(), samples.Skip(2 * samples.Count / 3).Max());
        output.WriteLine($"{before >> 20} MB before, {early >> 20} MB more in the first third, {late >> 20} MB in the last");
        Assert.True(late < early + (30 << 20), $"{early >> 20} MB more in the first third, {late >> 20} MB in the last");
        Assert.True(late < 200 << 20, $"{late >> 20} MB more at the end");
    }

    /// <summary>Memory of a process that is not swapped out or shared away: VmRSS of Linux.</summary>
    private static long ResidentBytes(int process)
    {
        var line = File.ReadLines($"/proc/{process}/status").First(text => text.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], System.Globalization.CultureInfo.InvariantCulture)
            << 10;
    }

    [Fact]
    public async Task Disconnect_EndsTheQuery()
    {
        var file = Make("insert into t (a) values ('x')");
        var counter = new CountingPlugin();
        using (var connection = new SqliteConnection($"Data Source={file};Pooling=False"))
        {
            connection.Open();
            SqlStatement.Execute(
                connection,
                "create view endless as with recursive c(x) as (select 1 union all select x + 1 from c) select x, 'some text to fill the line' as a from c"
            );
        }
        await using var server = await TestServer.StartAsync(
            new ServeOptions { Files = [file], Settings = [("settings.sql_time_limit_ms", "600000"), ("settings.max_csv_mb", "0")] },
            counter
        );
        using (var client = new TcpClient())
        {
            await client.ConnectAsync("127.0.0.1", server.Server.Port, Ct);
            var stream = client.GetStream();
            await stream.WriteAsync(
                Encoding.ASCII.GetBytes("GET /data/endless.csv?_stream=1&_where=tick(x) HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                Ct
            );
            var buffer = new byte[64 * 1024];
            var read = await stream.ReadAsync(buffer, Ct);
            Assert.StartsWith("HTTP/1.1 200", Encoding.ASCII.GetString(buffer, 0, read), StringComparison.Ordinal);
        }
        // The rows that are already on their way may still be read; then it must be still.
        for (var i = 0; i < 200; i++)
        {
            var seen = counter.Count;
            await Task.Delay(100, Ct);
            if (seen == counter.Count)
            {
                return;
            }
        }
        Assert.Fail("the query goes on without a reader");
    }

    /// <summary>Counts the rows that are read.</summary>
    private sealed class CountingPlugin : DatasettePlugin
    {
        private long count;

        public long Count => Interlocked.Read(ref count);

        public override string Name => "counting";

        public override void PrepareConnection(SqliteConnection connection, string database, IDatasette datasette) =>
            connection.CreateFunction("tick", (long _) => Interlocked.Increment(ref count) > 0);
    }

    /// <summary>Reads an answer and forgets it at once; returns its lines.</summary>
    private static async Task<long> ReadAsync(int port, string target, Action<int> onChunk)
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", port, Ct);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"GET {target} HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n"), Ct);
        var buffer = new byte[64 * 1024];
        long lines = 0;
        var inBody = false;
        while (await stream.ReadAsync(buffer, Ct) is var read and > 0)
        {
            var text = buffer.AsSpan(0, read);
            if (!inBody && text.IndexOf("\r\n\r\n"u8) is var end and >= 0)
            {
                inBody = true;
                text = text[(end + 4)..];
            }
            lines += inBody ? text.Count((byte)'\n') : 0;
            onChunk(read);
        }
        return lines;
    }
}
