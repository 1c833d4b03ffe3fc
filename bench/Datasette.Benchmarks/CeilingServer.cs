using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;

namespace Datasette.Benchmarks;

/// <summary>What nothing that does this work in .NET can be much faster than: Kestrel, one statement, the JSON written straight from the reader.</summary>
internal static class CeilingServer
{
    public const string Verb = "ceiling";
    private const string PageSql = $"select {HostDatabases.Columns} from items order by id limit 101";
    private const string RowSql = $"select {HostDatabases.Columns} from items where id = $id";

    public static async Task RunAsync(string database, int port)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
        await using var app = builder.Build();
        var source = $"Data Source={database};Mode=ReadOnly";
        app.Run(context =>
            context.Request.Path == "/data/items.json"
                ? AnswerAsync(context, source, PageSql, null)
                : AnswerAsync(context, source, RowSql, 5000)
        );
        await app.StartAsync();
        Console.WriteLine("listening");
        await Console.In.ReadToEndAsync();
        await app.StopAsync();
    }

    private static async Task AnswerAsync(HttpContext context, string source, string sql, long? id)
    {
        await using var connection = new SqliteConnection(source);
        connection.Open();
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        if (id is not null)
        {
            command.Parameters.AddWithValue("$id", id);
        }

        context.Response.ContentType = "application/json; charset=utf-8";
        await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteBoolean("ok", true);
        Write(json, command, id is null ? 100 : 1);
        json.WriteBoolean("truncated", false);
        json.WriteEndObject();
        await json.FlushAsync();
    }

    private static void Write(Utf8JsonWriter json, SqliteCommand command, int rows)
    {
        using var reader = command.ExecuteReader();
        var names = Enumerable.Range(0, reader.FieldCount).Select(i => JsonEncodedText.Encode(reader.GetName(i))).ToArray();
        json.WriteStartArray("rows");
        for (var row = 0; row < rows && reader.Read(); row++)
        {
            json.WriteStartObject();
            for (var i = 0; i < names.Length; i++)
            {
                switch (reader.GetValue(i))
                {
                    case long number:
                        json.WriteNumber(names[i], number);
                        break;
                    case double number:
                        json.WriteNumber(names[i], number);
                        break;
                    case string text:
                        json.WriteString(names[i], text);
                        break;
                    default:
                        json.WriteNull(names[i]);
                        break;
                }
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteString("next", "100");
        json.WriteString("next_url", "http://127.0.0.1/data/items.json?_next=100");
    }
}
