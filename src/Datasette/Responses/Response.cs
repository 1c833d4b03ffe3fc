using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Datasette.Responses;

/// <summary>One answer: status, headers, body. Everything a view found out is in it before the first byte is sent.</summary>
internal abstract class Response : IResult
{
    private readonly List<KeyValuePair<string, string>> headers = [];

    public int Status { get; set; } = StatusCodes.Status200OK;

    public string ContentType { get; init; } = "text/plain; charset=utf-8";

    /// <summary>The answer says itself what a browser may do with it, as a page of the user's own does.</summary>
    public bool HasOwnPolicy { get; set; }

    public Response With(string name, string? value)
    {
        if (value is not null)
        {
            headers.Add(new(name, value));
        }
        return this;
    }

    /// <summary>Whether a header was given.</summary>
    public bool Has(string name) => headers.Exists(header => string.Equals(header.Key, name, StringComparison.OrdinalIgnoreCase));

    /// <summary>Takes over the headers of an answer that this one stands for.</summary>
    public Response WithHeadersOf(Response other)
    {
        headers.AddRange(other.headers);
        return this;
    }

    public Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        response.StatusCode = Status;
        response.ContentType = ContentType;
        foreach (var (name, value) in headers)
        {
            response.Headers.Append(name, Printable(value));
        }
        return WriteAsync(httpContext);
    }

    /// <summary>A header holds printable ASCII: of what a visitor sent as it is, in an address that is given back, the rest is written as addresses do.</summary>
    private static string Printable(string value)
    {
        if (!value.AsSpan().ContainsAnyExceptInRange(' ', '~'))
        {
            return value;
        }
        var text = new StringBuilder();
        foreach (var letter in Encoding.UTF8.GetBytes(value))
        {
            _ = letter is >= (byte)' ' and <= (byte)'~'
                ? text.Append((char)letter)
                : text.Append(CultureInfo.InvariantCulture, $"%{letter:X2}");
        }
        return text.ToString();
    }

    protected abstract Task WriteAsync(HttpContext context);
}

/// <summary>Bytes that are already there.</summary>
internal sealed class BytesResponse(ReadOnlyMemory<byte> body) : Response
{
    public ReadOnlyMemory<byte> Body => body;

    protected override async Task WriteAsync(HttpContext context)
    {
        if (Status != StatusCodes.Status304NotModified)
        {
            context.Response.ContentLength = body.Length;
            if (!body.IsEmpty)
            {
                await context.Response.Body.WriteAsync(body, context.RequestAborted);
            }
        }
    }
}
