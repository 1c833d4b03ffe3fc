using System.Text;
using System.Text.Json;
using Datasette.Configuration;
using Datasette.Databases;
using Datasette.Plugins;
using Datasette.Responses;
using Datasette.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;

namespace Datasette.Views;

/// <summary>Runs a stored query that was sent as a form or as JSON, and tells how it went.</summary>
internal static class StoredWriteView
{
    public static async Task<IResult> PostAsync(ViewContext v, Database database, StoredQuery query)
    {
        if (!database.IsMutable)
        {
            throw new DatasetteException(403, "Database is immutable");
        }
        var guards = query.IsTrusted ? default : await EnsureUntrustedAsync(v, database, query);
        var body = await ReadAsync(v);
        var wantsJson = v.Http.Request.Headers.Accept == "application/json" || v.Args.Has("_json") || body.Any(pair => pair.Key == "_json");
        try
        {
            var message = await RunAsync(v, database, query, body, guards);
            return PageHeaders.Cached(v, Answer(v, database, query, wantsJson, message, null));
        }
        catch (Exception e) when (e is SqliteException or DatasetteException { Status: 400 })
        {
            var problem = query.Text("on_error_message") ?? (e is SqliteException sql ? SqlErrors.Message(sql) : e.Message);
            return Answer(v, database, query, wantsJson, null, problem);
        }
    }

    /// <summary>What nobody who configures the instance has vouched for may do no more than its user.</summary>
    private static async Task<(WriteGuard? Main, WriteGuard? After)> EnsureUntrustedAsync(
        ViewContext v,
        Database database,
        StoredQuery query
    )
    {
        var action = query.IsWrite ? "execute-write-sql" : "execute-sql";
        if (!await v.AllowedAsync(action, database.Name))
        {
            throw new DatasetteException(403, $"Permission denied: need {action}");
        }
        var analysis = await WriteAnalysis.OfAsync(v, database, query.Sql);
        if (query.IsWrite)
        {
            analysis.EnsureAllowed();
        }
        else if (analysis.IsWrite)
        {
            throw new DatasetteException(403, "Permission denied: the query was stored as one that only reads");
        }
        var after = query.Text("on_success_message_sql") is { } sql ? await MessageAnalysisAsync(v, database, sql) : null;
        return (await analysis.GuardAsync(v), after is null ? null : await after.GuardAsync(v));
    }

    /// <summary>What tells of the success only reads, and only what the user of the query may see.</summary>
    public static async Task<WriteAnalysis> MessageAnalysisAsync(ViewContext v, Database database, string sql)
    {
        var analysis = await WriteAnalysis.OfAsync(v, database, sql);
        if (analysis.IsWrite)
        {
            throw new DatasetteException(403, "on_success_message_sql must only read");
        }
        analysis.EnsureAllowed();
        return analysis;
    }

    private static async Task<string> RunAsync(
        ViewContext v,
        Database database,
        StoredQuery query,
        List<KeyValuePair<string, string>> body,
        (WriteGuard? Main, WriteGuard? After) guards
    )
    {
        var given = body.Where(pair => pair.Key is not ("csrftoken" or "_json")).ToLookup(pair => pair.Key, pair => pair.Value);
        var after = query.Text("on_success_message_sql");
        var values = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach (var name in SqlParameters.Names(query.Sql).Concat(query.Parameters).Concat(SqlParameters.Names(after ?? "")).Distinct())
        {
            if (MagicParameters.IsMagic(name))
            {
                values[name] = await MagicParameters.ValueAsync(v, name);
            }
            else if (given.Contains(name))
            {
                values[name] = given[name].First();
            }
        }
        return await DurableWrites.WriteAsync(
            v,
            database,
            connection =>
            {
                var outcome = Guarded(guards.Main, connection, () => SqlWriter.Run(connection, query.Sql, values));
                return after is null
                    ? query.Text("on_success_message") ?? outcome.Message
                    : Guarded(guards.After, connection, () => SqlStatement.Scalar(connection, after, values))?.ToString() ?? "";
            },
            WriteTurn.Alone
        );
    }

    private static T Guarded<T>(WriteGuard? guard, SqliteConnection connection, Func<T> work) =>
        guard is null ? work() : guard.Run(connection, work);

    private static Response Answer(ViewContext v, Database database, StoredQuery query, bool wantsJson, string? message, string? problem)
    {
        var redirect = query.Text(problem is null ? "on_success_redirect" : "on_error_redirect");
        if (!query.IsTrusted && redirect is not null && !Respond.IsLocal(redirect))
        {
            // Only who configures the instance may send its visitors elsewhere.
            redirect = null;
        }
        if (wantsJson)
        {
            return problem is null
                ? Respond.Json(
                    new JsonMap
                    {
                        { "ok", true },
                        { "message", message },
                        { "redirect", redirect },
                    }
                )
                : ErrorResponse.Json(400, [problem], new JsonMap { { "redirect", redirect } });
        }
        v.App.AddMessage(v.Http, problem ?? message!, problem is null ? MessageKind.Info : MessageKind.Error);
        return Respond.RedirectTo(redirect ?? v.App.UrlOf(database, query.Name));
    }

    /// <summary>A form, or an object of JSON: then whatever it holds becomes text, as it would from a form.</summary>
    private static async Task<List<KeyValuePair<string, string>>> ReadAsync(ViewContext v)
    {
        if (v.Http.Request.ContentType?.StartsWith("multipart/form-data", StringComparison.OrdinalIgnoreCase) == true)
        {
            return (await RequestBody.ReadFormAsync(v)).Pairs.ToList();
        }
        var text = Encoding.UTF8.GetString(await RequestBody.ReadAsync(v)).Trim();
        if (!text.StartsWith('{') || !text.EndsWith('}'))
        {
            return QueryArgs.Parse(text).Pairs.ToList();
        }
        try
        {
            using var json = ForeignJson.ParseDocument(Encoding.UTF8.GetBytes(text));
            return json.RootElement.EnumerateObject().Select(pair => KeyValuePair.Create(pair.Name, Text(pair.Value))).ToList();
        }
        catch (JsonException e)
        {
            throw new DatasetteException(400, $"Invalid JSON: {e.Message}");
        }
    }

    private static string Text(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.String => value.GetString()!,
            JsonValueKind.True => "True",
            JsonValueKind.False => "False",
            JsonValueKind.Null => "None",
            JsonValueKind.Number => value.TryGetInt64(out var whole)
                ? whole.ToString(System.Globalization.CultureInfo.InvariantCulture)
                : SqlText.Real(value.GetDouble()),
            _ => CellValues.JsonText(value),
        };
}
