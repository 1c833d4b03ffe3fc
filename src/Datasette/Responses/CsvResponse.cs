using System.Buffers;
using System.Text;
using Datasette.Databases;
using Datasette.Tables;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;

namespace Datasette.Responses;

/// <summary>Rows as CSV, sent while they are read: memory stays the same however many there are.</summary>
internal sealed class CsvResponse(IReadOnlyList<string>? header, IAsyncEnumerable<object?[]> rows, long maxBytes) : Response
{
    private static readonly SearchValues<char> NeedQuotes = SearchValues.Create("\",\r\n");

    protected override async Task WriteAsync(HttpContext context)
    {
        var writer = context.Response.BodyWriter;
        long sent = 0;
        try
        {
            if (header is not null)
            {
                sent += Write(writer, header);
            }
            await foreach (var row in rows.WithCancellation(context.RequestAborted))
            {
                sent += Write(writer, row);
                if (maxBytes > 0 && sent > maxBytes)
                {
                    throw new DatasetteException(500, $"CSV contains more than {maxBytes >> 20} MB");
                }
                if (writer.UnflushedBytes > 64 * 1024)
                {
                    await writer.FlushAsync(context.RequestAborted);
                }
            }
        }
        catch (Exception e) when (e is DatasetteException or SqliteException or QueryInterruptedException)
        {
            // The status has gone out long ago; what is wrong is told where the reader is looking.
            var message = e is SqliteException sqlite ? SqlErrors.Message(sqlite) : e.Message;
            writer.Write(Encoding.UTF8.GetBytes(message + "\r\n"));
        }
        await writer.FlushAsync(context.RequestAborted);
    }

    private static long Write(System.IO.Pipelines.PipeWriter writer, IReadOnlyList<object?> cells)
    {
        var line = new StringBuilder();
        for (var i = 0; i < cells.Count; i++)
        {
            line.Append(i > 0 ? "," : "").Append(Cell(cells[i]));
        }
        // A row of one empty cell would be an empty line, which readers skip.
        if (cells.Count == 1 && line.Length == 0)
        {
            line.Append("\"\"");
        }
        return Encoding.UTF8.GetBytes(line.Append("\r\n").ToString(), writer);
    }

    private static string Cell(object? value)
    {
        var text = value switch
        {
            null => "",
            string s => s,
            _ => PageToken.Text(value),
        };
        return text.AsSpan().IndexOfAny(NeedQuotes) < 0 ? text : "\"" + text.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";
    }
}
