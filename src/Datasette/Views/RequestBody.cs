using System.Text.Json;
using Datasette.Responses;
using Datasette.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Datasette.Views;

/// <summary>The body of a request, read whole but never beyond the limit.</summary>
internal static class RequestBody
{
    /// <summary>Up to here the announced length is believed and room made for it at once.</summary>
    private const int SmallBody = 64 * 1024;

    private static readonly FormOptions FormLimits = new()
    {
        ValueCountLimit = 1000,
        ValueLengthLimit = 100 * 1024,
        MultipartBodyLengthLimit = 100 << 20,
    };

    /// <exception cref="DatasetteException">413: longer than <c>max_post_body_bytes</c>.</exception>
    public static async Task<byte[]> ReadAsync(ViewContext v)
    {
        var limit = v.App.Settings.MaxPostBodyBytes;
        if (limit > 0 && v.Http.Request.ContentLength > limit)
        {
            throw TooLarge(limit);
        }
        if (v.Http.Request.ContentLength is { } length and <= SmallBody)
        {
            var exact = new byte[length];
            var count = await v.Http.Request.Body.ReadAtLeastAsync(exact, exact.Length, throwOnEndOfStream: false, v.Ct);
            return count == exact.Length ? exact : exact[..count];
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
            return ForeignJson.ParseDocument(body);
        }
        catch (JsonException e)
        {
            throw new DatasetteException(400, $"Invalid JSON: {e.Message}");
        }
    }

    /// <summary>The fields of a form, in either encoding that browsers know; files are left out.</summary>
    /// <exception cref="DatasetteException">400: the body is no form, or one without end.</exception>
    public static async Task<QueryArgs> ReadFormAsync(ViewContext v)
    {
        if (!v.Http.Request.HasFormContentType)
        {
            throw new DatasetteException(400, "A form is expected: send it as application/x-www-form-urlencoded or multipart/form-data");
        }
        if (v.Http.Request.ContentType!.StartsWith("application/x-www-form-urlencoded", StringComparison.OrdinalIgnoreCase))
        {
            return QueryArgs.Parse(System.Text.Encoding.UTF8.GetString(await ReadAsync(v)));
        }
        try
        {
            var form = await v.Http.Request.ReadFormAsync(FormLimits, v.Ct);
            return QueryArgs.FromPairs(form.SelectMany(field => field.Value.Select(value => KeyValuePair.Create(field.Key, value ?? ""))));
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            throw new DatasetteException(400, $"The form cannot be read: {e.Message}");
        }
    }

    private static DatasetteException TooLarge(int limit) =>
        new(StatusCodes.Status413PayloadTooLarge, $"Request body exceeded maximum size of {limit} bytes");
}
