using System.Text.RegularExpressions;
using Datasette.Databases;
using Datasette.Permissions;
using Datasette.Plugins;
using Datasette.Responses;
using Datasette.Text;
using Microsoft.AspNetCore.Http;

namespace Datasette.Views;

/// <summary>One request as a view sees it.</summary>
internal sealed class ViewContext(DatasetteApp app, HttpContext http, Match match, QueryArgs? args = null)
{
    private readonly RequestState state = RequestState.Of(http);

    public DatasetteApp App => app;

    public HttpContext Http => http;

    /// <summary>The pattern's groups.</summary>
    public Match Match => match;

    public QueryArgs Args => args ?? state.Args;

    /// <summary>The same request as if it had come with another query string.</summary>
    public ViewContext WithArgs(QueryArgs other) => new(app, http, match, other);

    /// <summary>The raw path without <c>base_url</c>.</summary>
    public string Path => state.Path;

    public Actor? Actor => state.Actor;

    public RequestState State => state;

    public CancellationToken Ct => http.RequestAborted;

    public bool IsPost => HttpMethods.IsPost(http.Request.Method);

    /// <summary>The format after the dot; null for a page.</summary>
    public string? Format => match.Groups["format"] is { Success: true, Length: > 0 } group ? group.Value : null;

    public string DatabaseSegment => match.Groups["database"].Value;

    public string TableSegment => match.Groups["table"].Value;

    public string PksSegment => match.Groups["pks"].Value;

    public string Segment(string name) => match.Groups[name].Value;

    /// <summary>The database of the address.</summary>
    public Database Database =>
        app.Databases[TildeEncoding.Decode(DatabaseSegment)] ?? throw new DatasetteException(404, "Database not found");

    /// <summary>The table, view or query name of the address.</summary>
    public string TableName => TildeEncoding.Decode(TableSegment);

    public ValueTask<bool> AllowedAsync(string action, string? parent = null, string? child = null) =>
        app.AllowedAsync(action, parent is null ? null : new Resource(parent, child), Actor, Ct);

    /// <summary>Whether this visitor may know that a table exists: whoever may run SQL can read the schema as well.</summary>
    public async ValueTask<bool> MayKnowAsync(string database, string table) =>
        await AllowedAsync("view-table", database, table) || await AllowedAsync("execute-sql", database);

    /// <exception cref="DatasetteException">403 in words for what people look at, with the name of the action for the rest.</exception>
    public async ValueTask EnsureAllowedAsync(string action, string? parent = null, string? child = null)
    {
        if (!await AllowedAsync(action, parent, child))
        {
            throw new DatasetteException(
                403,
                action switch
                {
                    "view-database" => "You do not have permission to view this database",
                    "view-table" => "You do not have permission to view this table",
                    _ => action,
                }
            );
        }
    }

    /// <summary>Visible to this actor but not to anonymous visitors.</summary>
    public async ValueTask<bool> IsPrivateAsync(string action, string? parent = null, string? child = null) =>
        Actor is not null && !await app.AllowedAsync(action, parent is null ? null : new Resource(parent, child), null, Ct);

    /// <summary>Says what page is being made; before its layout is asked for.</summary>
    public void IsPage(string view, PageSubject subject, IReadOnlyList<string>? columns = null) =>
        state.Page = new PageContext(view, subject, columns ?? [], Actor, http);

    /// <summary>The address of this request as others see it, with another path and query.</summary>
    public string Absolute(string pathAndQuery)
    {
        var scheme = app.Settings.ForceHttpsUrls ? "https" : http.Request.Scheme;
        return $"{scheme}://{http.Request.Host.Value}{pathAndQuery}";
    }

    /// <summary>The path of this page in another format, query string kept, <c>base_url</c> in front.</summary>
    public string PathWithFormat(string format, string? extra = null)
    {
        var path = Path;
        if (Format is { } own && path.EndsWith("." + own, StringComparison.Ordinal))
        {
            path = path[..^(own.Length + 1)];
        }
        return app.UrlPath(WithQuery($"{path}.{format}", extra));
    }

    private string WithQuery(string path, string? extra)
    {
        var query = string.Join('&', new[] { Args.Raw, extra }.Where(part => !string.IsNullOrEmpty(part)));
        return query.Length == 0 ? path : path + "?" + query;
    }
}
