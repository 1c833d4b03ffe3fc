using Datasette.Databases;
using Datasette.Plugins;
using Datasette.Responses;
using Datasette.Templates;
using Datasette.Views;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;

namespace Datasette.Hosting;

/// <summary>The way of every request: same-site rule, actor, route, answer, headers; and what becomes of what goes wrong on the way.</summary>
internal sealed partial class RequestHandler
{
    private readonly DatasetteApp app;
    private readonly DatasetteRoutes routes;
    private readonly SiteTemplates? templates;
    private readonly ILogger log;
    private readonly RequestDelegate way;

    public RequestHandler(DatasetteApp app, DatasetteRoutes routes)
    {
        this.app = app;
        this.routes = routes;
        log = app.Loggers.CreateLogger("Datasette");
        templates = SiteTemplates.Open(app, app.Options.TemplateFolder, app.Hooks.Registered.LiquidFilters);
        way = HandleInnerAsync;
        foreach (var plugin in app.Hooks.Wrappers.Reverse())
        {
            way = Wrap(plugin, way);
        }
    }

    public Task HandleAsync(HttpContext context) => way(context);

    private RequestDelegate Wrap(DatasettePlugin plugin, RequestDelegate next) =>
        async context =>
        {
            try
            {
                await plugin.WrapRequestAsync(app, context, next);
            }
            catch (Exception e) when (!context.RequestAborted.IsCancellationRequested && !context.Response.HasStarted)
            {
                // The host answers its own failures, so this one is the plugin's; and nothing outside of it could answer.
                var failure = new PluginException(plugin, nameof(plugin.WrapRequestAsync), e);
                LogPlugin(log, e, failure.Details);
                await ErrorResponse.Json(500, failure.Message).ExecuteAsync(context);
            }
        };

    private async Task HandleInnerAsync(HttpContext context)
    {
        var (fullPath, query) = RequestTarget.Split(context);
        var state = new RequestState
        {
            Path = WithoutBaseUrl(fullPath),
            FullPath = fullPath,
            Args = QueryArgs.Parse(query),
            HasMarks = templates is not null,
        };
        state.Attach(context);
        var trace = app.Settings.TraceDebug && state.Args.Flag("_trace") ? SqlTrace.Begin() : null;
        IResult answer;
        try
        {
            answer = await AnswerAsync(context, state);
            if (state.Receipt is { } receipt)
            {
                await receipt.CompleteAsync(context, answer);
            }
            answer = await DressAsync(context, answer);
        }
        catch (Exception e) when (!context.RequestAborted.IsCancellationRequested)
        {
            answer = await FailureAsync(context, state, e);
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            // The visitor has gone; nobody reads an answer.
            context.Abort();
            return;
        }
        Messages.Apply(app, context);
        SecurityHeaders.Apply(context, answer);
        // Pages are not for scripts of other sites; data is.
        if (app.Options.Cors && answer is not Response { ContentType: Respond.HtmlType })
        {
            AddCors(context.Response.Headers);
        }
        await (trace is null ? answer : new TracedResponse(answer, trace)).ExecuteAsync(context);
    }

    private async Task<IResult> AnswerAsync(HttpContext context, RequestState state)
    {
        if (!HostRule.IsAllowed(context.Request.Host.Host, app.Config.AllowedHosts))
        {
            return Respond.PlainText("This host name is not one of allowed_hosts", StatusCodes.Status400BadRequest);
        }
        if (CsrfRule.Check(context.Request, app.Settings.ForceHttpsUrls) is { } problem)
        {
            return await ErrorResponse.CsrfAsync(app, context, problem);
        }
        state.Actor ??= await app.Hooks.ActorFromRequestAsync(app, context);
        return await routes.AnswerAsync(app, context, state);
    }

    private async ValueTask<IResult> DressAsync(HttpContext context, IResult answer) =>
        answer is not HtmlResponse page ? answer
        : app.Settings.TemplateDebug && RequestState.Of(context).Args.Flag("_context") ? ContextPage.Make(app, context, page)
        : templates is not null ? await templates.ApplyAsync(context, page)
        : answer;

    private string WithoutBaseUrl(string path)
    {
        var prefix = app.Settings.BaseUrl;
        return prefix.Length > 1 && path.StartsWith(prefix, StringComparison.Ordinal) ? path[(prefix.Length - 1)..] : path;
    }

    private async ValueTask<IResult> FailureAsync(HttpContext context, RequestState state, Exception failure)
    {
        try
        {
            if (await PluginAnswerAsync(context, failure) is { } answer)
            {
                return answer;
            }
            switch (failure)
            {
                case DatasetteException { Status: StatusCodes.Status401Unauthorized } e:
                    return ErrorResponse.Json(401, e.Errors).With("WWW-Authenticate", "Bearer error=\"invalid_token\"");
                case DatasetteException { Status: StatusCodes.Status413PayloadTooLarge } e:
                    return ErrorResponse.Json(413, e.Errors);
                case DatasetteException { Status: StatusCodes.Status404NotFound } when Elsewhere(state) is { } location:
                    return Respond.RedirectTo(location);
                case DatasetteException { Status: StatusCodes.Status404NotFound } e when templates is not null:
                    return await CustomPageAsync(templates, context, state) ?? await ShowAsync(context, state, 404, e.Errors);
                case DatasetteException e:
                    return await ShowAsync(context, state, e.Status, e.Errors);
                case BadHttpRequestException e:
                    return await ShowAsync(context, state, e.StatusCode, [e.Message]);
                case TemplateException e:
                    return await TemplateFailureAsync(context, state, e);
                case QueryInterruptedException e:
                    LogSlow(log, e.Message);
                    return await ShowAsync(context, state, 400, [e.Message], "SQL Interrupted");
                case SqliteException e:
                    LogSqlError(log, SqlErrors.Message(e));
                    return await ShowAsync(context, state, 400, [SqlErrors.Message(e)], "Invalid SQL");
                case PluginException e:
                    LogPlugin(log, e.InnerException!, e.Details);
                    state.WithoutPlugins = true;
                    return await ShowAsync(context, state, 500, [e.Message], "A plugin failed");
                default:
                    LogFailure(log, failure, context.Request.Method, state.FullPath);
                    return await ShowAsync(context, state, 500, [failure.Message]);
            }
        }
        catch (PluginException second) when (!state.WithoutPlugins)
        {
            // A plugin failed over the error page: once more without plugins.
            LogPlugin(log, second.InnerException!, second.Details);
            state.WithoutPlugins = true;
            return await FailureAsync(context, state, failure);
        }
        catch (TemplateException second)
        {
            // The template of the error page, or of a custom page, is itself at fault.
            return await TemplateFailureAsync(context, state, second);
        }
        catch (Exception second) when (second is not OperationCanceledException)
        {
            // Not even the error page could be made.
            LogFailure(log, second, context.Request.Method, state.FullPath);
            return ErrorResponse.Json(500, [failure.Message]);
        }
    }

    private async ValueTask<IResult?> PluginAnswerAsync(HttpContext context, Exception failure)
    {
        if (RequestState.Of(context).WithoutPlugins)
        {
            return null;
        }
        return await app.Hooks.HandleExceptionAsync(app, context, failure)
            ?? (
                failure is DatasetteException { Status: StatusCodes.Status403Forbidden } forbidden
                    ? await app.Hooks.ForbiddenAsync(app, context, forbidden.Message)
                    : null
            );
    }

    private async ValueTask<IResult> ShowAsync(
        HttpContext context,
        RequestState state,
        int status,
        IReadOnlyList<string> errors,
        string? title = null
    )
    {
        if (ErrorResponse.WantsJson(context, state.Path, status))
        {
            return ErrorResponse.Json(status, errors);
        }
        var hint = await ErrorHints.OfAsync(app, context, state, status);
        return await DressAsync(context, await ErrorResponse.PageAsync(app, context, status, string.Join("; ", errors), title, hint));
    }

    /// <summary>The user's own page, if there is one at this address.</summary>
    private async ValueTask<IResult?> CustomPageAsync(SiteTemplates own, HttpContext context, RequestState state)
    {
        try
        {
            return await own.CustomPageAsync(context, state.Path);
        }
        catch (RaisedNotFoundException e)
        {
            return await ShowAsync(context, state, 404, [e.Message]);
        }
    }

    /// <summary>The host's own page says which line is at fault: no template has a part in it.</summary>
    private async ValueTask<IResult> TemplateFailureAsync(HttpContext context, RequestState state, TemplateException failure)
    {
        LogTemplate(log, failure.Message, context.Request.Method, state.FullPath);
        return ErrorResponse.WantsJson(context, state.Path, 500)
            ? ErrorResponse.Json(500, failure.Message)
            : await ErrorResponse.PageAsync(
                app,
                context,
                500,
                $"{failure.Message}. The page is read again as soon as the file is saved; {app.UrlPath("/-/")} shows the host's own home page.",
                "A template cannot be shown"
            );
    }

    /// <summary>An address in the encoding of earlier releases, or with a slash too many, leads to the right one.</summary>
    private string? Elsewhere(RequestState state)
    {
        var path = state.Path;
        if (path.Contains('%', StringComparison.Ordinal))
        {
            path = path.Replace("~", "~7E", StringComparison.Ordinal)
                .Replace("%", "~", StringComparison.Ordinal)
                .Replace(".", "~2E", StringComparison.Ordinal);
        }
        else if (path.Length > 1 && path.EndsWith('/'))
        {
            path = path.TrimEnd('/');
        }
        else
        {
            return null;
        }
        return app.UrlPath(Respond.SafeLocation(state.Args.ToPath(path)));
    }

    private static void AddCors(IHeaderDictionary headers)
    {
        headers["Access-Control-Allow-Origin"] = "*";
        headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type";
        headers["Access-Control-Expose-Headers"] = "Link";
        headers["Access-Control-Allow-Methods"] = "GET, POST, HEAD, OPTIONS";
        headers["Access-Control-Max-Age"] = "3600";
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Text}")]
    private static partial void LogPlugin(ILogger logger, Exception failure, string text);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Path} failed")]
    private static partial void LogFailure(ILogger logger, Exception failure, string method, string path);

    [LoggerMessage(Level = LogLevel.Error, Message = "Template {Problem} ({Method} {Path})")]
    private static partial void LogTemplate(ILogger logger, string problem, string method, string path);

    [LoggerMessage(Level = LogLevel.Warning, Message = "SQL error: {Error}")]
    private static partial void LogSqlError(ILogger logger, string error);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Error}")]
    private static partial void LogSlow(ILogger logger, string error);
}
