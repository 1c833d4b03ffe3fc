using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json.Nodes;
using Datasette.Databases;
using Microsoft.AspNetCore.Http;

namespace Datasette.Responses;

/// <summary>An answer with the statements that made it: a key of JSON, a block at the end of a page.</summary>
internal sealed class TracedResponse(IResult inner, SqlTrace trace) : IResult
{
    private const int Largest = 256 * 1024;

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        var body = response.Body;
        using var memory = new MemoryStream();
        response.Body = memory;
        try
        {
            await inner.ExecuteAsync(httpContext);
            await response.BodyWriter.FlushAsync(httpContext.RequestAborted);
        }
        finally
        {
            response.Body = body;
        }
        var bytes = memory.ToArray();
        if (bytes.Length <= Largest)
        {
            if (inner is CsvResponse)
            {
                // The reader wants to look at it in a browser, below it the statements.
                bytes = Encoding.UTF8.GetBytes(
                    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>CSV debug</title></head><body>"
                        + $"<textarea style=\"width: 90%; height: 70vh\">{HtmlEncoder.Default.Encode(Encoding.UTF8.GetString(bytes))}</textarea></body></html>"
                );
                response.ContentType = Respond.HtmlType;
                response.Headers.ContentSecurityPolicy = "script-src 'none'";
                response.Headers.ContentDisposition = default;
            }
            bytes = Traced(bytes, response.ContentType ?? "");
        }
        response.ContentLength = bytes.Length;
        await response.Body.WriteAsync(bytes, httpContext.RequestAborted);
    }

    private byte[] Traced(byte[] bytes, string type)
    {
        if (type.StartsWith("application/json", StringComparison.Ordinal) && JsonNode.Parse(bytes) is JsonObject map)
        {
            map["_trace"] = JsonNode.Parse(JsonBody.ToBytes(ToJson()).Span);
            return JsonBody.ToBytes(map).ToArray();
        }
        if (type.StartsWith("text/html", StringComparison.Ordinal))
        {
            var page = Encoding.UTF8.GetString(bytes);
            var end = page.LastIndexOf("</body>", StringComparison.Ordinal);
            var block = $"<pre>{HtmlEncoder.Default.Encode(JsonBody.ToText(ToJson(), indent: 2))}</pre>";
            return Encoding.UTF8.GetBytes(end < 0 ? page + block : page.Insert(end, block));
        }
        return bytes;
    }

    private JsonMap ToJson()
    {
        var entries = trace.Entries;
        return new JsonMap
        {
            { "request_duration_ms", trace.Elapsed.TotalMilliseconds },
            { "sum_trace_duration_ms", entries.Sum(entry => entry.Duration.TotalMilliseconds) },
            { "num_traces", entries.Count },
            { "traces", entries.Select(entry => (object)EntryJson(entry)).ToList() },
        };
    }

    private static JsonMap EntryJson(SqlTrace.Entry entry)
    {
        var parameters = new JsonMap();
        foreach (var (name, value) in entry.Parameters ?? new Dictionary<string, object?>())
        {
            parameters.Add(name, value);
        }
        return new JsonMap
        {
            { "type", "sql" },
            { "start", entry.Start.TotalMilliseconds },
            { "end", (entry.Start + entry.Duration).TotalMilliseconds },
            { "duration_ms", entry.Duration.TotalMilliseconds },
            { "database", entry.Database },
            { "sql", entry.Sql.Trim() },
            { "params", parameters },
            { "error", entry.Error },
        };
    }
}
