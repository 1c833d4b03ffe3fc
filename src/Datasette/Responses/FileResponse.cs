using Microsoft.AspNetCore.Http;

namespace Datasette.Responses;

/// <summary>An immutable database as a file. Nobody else opens database files: SQLite takes no locks on an immutable one, so none can be lost.</summary>
internal sealed class FileResponse(string path, string sha256) : Response
{
    protected override async Task WriteAsync(HttpContext context)
    {
        var response = context.Response;
        var etag = $"\"{sha256}\"";
        response.Headers.ETag = etag;
        if (context.Request.Headers.IfNoneMatch.Contains(etag))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }
        response.ContentType = "application/octet-stream";
        response.Headers.ContentDisposition =
            $"attachment; filename=\"{Path.GetFileName(path).Replace("\"", "_", StringComparison.Ordinal)}\"";
        response.ContentLength = new FileInfo(path).Length;
        await response.SendFileAsync(path, context.RequestAborted);
    }
}
