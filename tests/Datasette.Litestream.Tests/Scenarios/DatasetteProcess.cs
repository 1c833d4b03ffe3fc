using System.Net;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using Datasette.Text;
using Testing;

namespace Datasette.Litestream.Tests.Scenarios;

/// <summary>The real program in a folder of its own, and requests to it as the recordings describe them.</summary>
internal sealed class DatasetteProcess : IAsyncDisposable
{
    public const string Secret = "conformance-secret";

    private static readonly ValueSigner s_signer = new(Secret);
    private readonly TestProcess _process;
    private readonly HttpClient _client;

    private DatasetteProcess(TestProcess process, int port)
    {
        _process = process;
        _client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false })
        {
            BaseAddress = new Uri($"http://127.0.0.1:{port}"),
        };
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>The program as built together with these tests.</summary>
    public static string Program => Repository.PathOf("artifacts", "bin", "Datasette.Door", "debug", "Datasette.Door");

    public string Errors => _process.Output;

    /// <summary>A cookie that says who one is.</summary>
    public static string CookieOf(string actorId) =>
        "ds_actor=" + s_signer.Sign(new JsonObject { ["a"] = new JsonObject { ["id"] = actorId } }.ToJsonString(), "actor");

    /// <summary>Starts and waits until it answers.</summary>
    public static async Task<DatasetteProcess> StartAsync(
        TempFolder folder,
        IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string?>? environment = null
    )
    {
        var port = Processes.FreePort();
        var process = TestProcess.Start(Program, Arguments(arguments, port), Environment(environment), folder.Path);
        try
        {
            await Processes.WaitForPortAsync(port, TimeSpan.FromSeconds(30), process, Cancel);
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
        return new DatasetteProcess(process, port);
    }

    /// <summary>Runs to the end, for starts that are refused and commands.</summary>
    public static Task<TestProcess> RunAsync(
        TempFolder folder,
        IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string?>? environment = null
    ) => TestProcess.RunAsync(Program, arguments, Environment(environment), folder.Path, TimeSpan.FromSeconds(60), Cancel);

    /// <summary>The arguments of a server on a port.</summary>
    public static string[] Arguments(IEnumerable<string> arguments, int port) =>
        [.. arguments, "--secret", Secret, "-h", "127.0.0.1", "-p", port.ToString(System.Globalization.CultureInfo.InvariantCulture)];

    /// <summary>One request; the body is read whole.</summary>
    public async Task<(HttpStatusCode Status, string Body)> SendAsync(
        string method,
        string path,
        string? cookie = null,
        string? json = null
    )
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        request.Headers.Host = "localhost";
        if (cookie is not null)
            request.Headers.Add("Cookie", cookie);
        if (json is not null)
            request.Content = new StringContent(json, Encoding.UTF8, "application/json");
        using var answer = await _client.SendAsync(request, Cancel);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync(Cancel));
    }

    /// <summary>Asks it to stop as a service manager does, and waits.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> StopAsync()
    {
        Processes.Signal(_process.Id, PosixSignal.SIGTERM);
        await _process.WaitForExitAsync(TimeSpan.FromSeconds(60), Cancel);
        return _process.ExitCode;
    }

    /// <summary>Ends it without a word, as a power cut would.</summary>
    public void Kill() => _process.Kill();

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _process.DisposeAsync();
    }

    private static Dictionary<string, string?> Environment(IReadOnlyDictionary<string, string?>? extra)
    {
        var environment = new Dictionary<string, string?> { ["DATASETTE_LOAD_PLUGINS"] = null, ["DATASETTE_SECRET"] = null };
        foreach (var (name, value) in extra ?? new Dictionary<string, string?>())
            environment[name] = value;
        return environment;
    }
}
