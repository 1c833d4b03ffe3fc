using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Datasette.Views;

/// <summary>The body of a request, read whole but never beyond the limit.</summary>
internal static class RequestBody
{
    /// <exception cref="DatasetteException">413: longer than <c>max_post_body_bytes</c>.</exception>
    public static async Task<byte[]> ReadAsync(ViewContext v)
    {
        var limit = v.App.Settings.MaxPostBodyBytes;
        if (limit > 0 && v.Http.Request.ContentLength > limit)
        {
            throw TooLarge(limit);
        }
        using var body = new MemoryStream();
        var buffer = new byte[16 * 1024];
        int read;
        while ((read = await v.Http.Request.Body.ReadAsync(buffer, v.Ct)) > 0)
        {
            body.Write(buffer, 0, read);
            if (limit > 0 && body.Length > limit)
            {
                throw TooLarge(limit);
            }
        }
        return body.ToArray();
    }

    /// <exception cref="DatasetteException">400: no JSON.</exception>
    public static async Task<JsonDocument> ReadJsonAsync(ViewContext v)
    {
        var body = await ReadAsync(v);
        try
        {
            return JsonDocument.Parse(body);
        }
        catch (JsonException e)
        {
            throw new DatasetteException(400, $"Invalid JSON: {e.Message}");
        }
    }

    private static DatasetteException TooLarge(int limit) =>
        new(StatusCodes.Status413PayloadTooLarge, $"Request body exceeded maximum size of {limit} bytes");
}
