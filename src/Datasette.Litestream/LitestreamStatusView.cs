using System.Diagnostics;
using System.Text.RegularExpressions;
using Datasette.Litestream.Status;
using Datasette.Plugins;
using Datasette.Responses;
using Microsoft.AspNetCore.Http;

namespace Datasette.Litestream;

/// <summary>The page <c>/-/litestream-status</c> and its JSON twin: ask, check rights, fetch, answer.</summary>
/// <param name="replication">The replication of the host; null when nothing is configured.</param>
internal sealed class LitestreamStatusView(Func<IDatasette, HostReplication?> replication)
{
    /// <summary>Who may see the page.</summary>
    public const string Action = "litestream-view-status";

    /// <summary>Where it is.</summary>
    public const string Path = "/-/litestream-status";

    /// <summary>The whole body when nothing is replicated, as the original has it.</summary>
    public const string NotRunning = "<h1>Litestream not running</h1>";

    /// <summary>The routes.</summary>
    public IEnumerable<PluginRoute> Routes() => [new("^/-/litestream-status$", PageAsync), new(@"^/-/litestream-status\.json$", JsonAsync)];

    /// <summary>What the page shows now.</summary>
    public static StatusPage Read(IDatasette datasette, HostReplication running)
    {
        using var process = Process.GetCurrentProcess();
        return new StatusPageBuilder
        {
            Config = running.Config,
            Host =
            [
                .. datasette.Databases.Select(database => new HostDatabase(
                    database.Name,
                    datasette.UrlPath("/" + database.Route),
                    "#" + database.Color
                )),
            ],
            Statuses = running.Store?.Databases ?? [],
            Notices = [.. running.Problems],
            Metrics = running.Store?.Metrics.Samples() ?? [],
            Log = running.LogText,
            Now = datasette.Time.GetUtcNow(),
            ProcessId = Environment.ProcessId,
            Threads = process.Threads.Count,
            ProcessState = running.State,
            UrlPath = datasette.UrlPath,
        }.Build();
    }

    /// <summary>The original's own words, which are not those of the host.</summary>
    private static async Task EnsureAllowedAsync(IDatasette datasette, HttpContext context)
    {
        if (!await datasette.AllowedAsync(Action, null, datasette.ActorOf(context), context.RequestAborted))
            throw new DatasetteException(StatusCodes.Status403Forbidden, $"Permission denied for {Action}");
    }

    private async Task<IResult> PageAsync(IDatasette datasette, HttpContext context, Match match)
    {
        await EnsureAllowedAsync(datasette, context);
        if (replication(datasette) is not { } running)
            return Respond.Html(NotRunning);
        var page = Read(datasette, running);
        var layout = await datasette.LayoutAsync(context, "Litestream status", "status litestream-status");
        return Respond.Page(Pages.Litestream.Create(new LitestreamPageModel(layout, page)));
    }

    private async Task<IResult> JsonAsync(IDatasette datasette, HttpContext context, Match match)
    {
        await EnsureAllowedAsync(datasette, context);
        return Respond.Json(replication(datasette) is { } running ? StatusJson.Of(Read(datasette, running)) : StatusJson.NotRunning());
    }
}
