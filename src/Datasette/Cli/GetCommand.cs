using System.Text.Json;
using System.Text.Json.Nodes;
using Datasette.Defaults;
using Datasette.Hosting;
using Datasette.Plugins;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Datasette.Cli;

/// <summary><c>--get</c>: the answer to one request, without a server.</summary>
internal static class GetCommand
{
    public static async Task<int> RunAsync(
        ServeOptions options,
        IReadOnlyList<DatasettePlugin> plugins,
        string path,
        bool showHeaders,
        string? token,
        string? actorJson,
        CancellationToken ct
    )
    {
        if (!path.StartsWith('/'))
        {
            throw new StartupException($"The path of --get must start with a slash: '{path}'.");
        }
        var actor = actorJson is null ? null : ParseActor(actorJson);
        var services = new ServiceCollection();
        services.AddLogging(HostLogging.ToStandardError);
        await using var provider = services.BuildServiceProvider();
        var loggers = provider.GetRequiredService<ILoggerFactory>();
        var app = await DatasetteFactory.StartAsync(options, plugins, loggers, TimeProvider.System, ct);
        try
        {
            var headers = new List<KeyValuePair<string, string>>();
            if (token is not null)
            {
                headers.Add(new("Authorization", "Bearer " + token));
            }
            if (actor is not null)
            {
                headers.Add(new("Cookie", $"{ActorCookie.CookieName}={ActorCookie.Make(app, actor)}"));
            }
            var answer = await new InProcessClient(app).GetAsync(path, headers, ct);
            await PrintAsync(answer, showHeaders, ct);
            return answer.Status == 200 ? 0 : 1;
        }
        finally
        {
            await DatasetteFactory.StopAsync(app, loggers.CreateLogger("Datasette"), CancellationToken.None);
        }
    }

    private static JsonObject ParseActor(string text)
    {
        try
        {
            return JsonNode.Parse(text) as JsonObject ?? throw new StartupException($"--actor must be a JSON object: {text}");
        }
        catch (JsonException e)
        {
            throw new StartupException($"--actor is no valid JSON: {e.Message}", innerException: e);
        }
    }

    private static async Task PrintAsync(InProcessAnswer answer, bool showHeaders, CancellationToken ct)
    {
        await using var output = Console.OpenStandardOutput();
        if (showHeaders)
        {
            var lines = answer.Headers.Select(header => $"{header.Key.ToLowerInvariant()}: {header.Value}\n");
            await output.WriteAsync(System.Text.Encoding.UTF8.GetBytes($"HTTP/1.1 {answer.Status}\n{string.Concat(lines)}\n"), ct);
        }
        await output.WriteAsync(answer.Body, ct);
        await output.WriteAsync("\n"u8.ToArray(), ct);
        await output.FlushAsync(ct);
    }
}
