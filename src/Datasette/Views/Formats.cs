using Datasette.Configuration;
using Datasette.Databases;
using Datasette.Pages;
using Datasette.Plugins;
using Microsoft.AspNetCore.Http;

namespace Datasette.Views;

/// <summary>Formats of plugins, beside the host's own.</summary>
internal static class Formats
{
    /// <summary>Refuses an extension that neither host nor plugin knows.</summary>
    /// <exception cref="DatasetteException">404.</exception>
    public static void Ensure(ViewContext v, params ReadOnlySpan<string> own)
    {
        if (v.Format is { } format && !own.Contains(format) && !v.App.Hooks.Registered.Renderers.ContainsKey(format))
        {
            throw new DatasetteException(404, $"Invalid format: {format}");
        }
    }

    /// <summary>The answer in the format of the address, which a plugin has registered.</summary>
    public static async Task<IResult> AnswerAsync(ViewContext v, OutputContext output)
    {
        return await v.App.Hooks.Registered.Renderers[v.Format!].RenderAsync(output, v.Ct)
            ?? throw new DatasetteException(404, $"There is nothing here to show as {v.Format}");
    }

    /// <summary>Links to the formats that fit, in the order in which they were registered.</summary>
    public static IReadOnlyList<TextLink> Links(ViewContext v, OutputContext output)
    {
        var renderers = v.App.Hooks.Registered.Renderers;
        return renderers.Count == 0
            ? []
            :
            [
                .. renderers
                    .Values.Where(renderer => renderer.CanRender(output))
                    .Select(renderer => new TextLink(renderer.Extension, v.PathWithFormat(renderer.Extension))),
            ];
    }

    /// <summary>A page of a table.</summary>
    public static OutputContext Of(ViewContext v, TableData data) =>
        new("table", data.Database, data.Page.Columns, data.Page.Rows, v.Http)
        {
            Table = data.Name,
            Sql = data.Query.ReadableSql,
            NextUrl = data.NextUrl,
        };

    /// <summary>A row.</summary>
    public static OutputContext Of(ViewContext v, RowData data) =>
        new("row", data.Database, data.Columns, [data.Row], v.Http) { Table = data.Table.Name, Sql = data.Query.Sql };

    /// <summary>The result of a query, or what is wrong with it.</summary>
    public static OutputContext Of(
        ViewContext v,
        Database database,
        StoredQuery? stored,
        string sql,
        QueryResults? results,
        string? error
    ) =>
        new("query", database, results?.Columns ?? [], results?.Rows ?? [], v.Http)
        {
            Query = stored?.Name,
            Sql = sql,
            IsTruncated = results?.Truncated == true,
            Error = error,
        };
}
