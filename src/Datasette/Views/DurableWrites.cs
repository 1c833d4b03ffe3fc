using System.Globalization;
using Datasette.Databases;
using Datasette.Plugins;
using Datasette.Responses;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;

namespace Datasette.Views;

/// <summary>
/// The one way of a visitor's write to the database: in turn, with a time limit, and, where the sender or the configuration demands it,
/// answered only when a copy elsewhere holds it.
/// </summary>
internal static class DurableWrites
{
    /// <summary>Asked: <c>committed</c> or <c>replicated</c>, with <c>; wait=SECONDS</c> on wish. Answered: what holds.</summary>
    public const string Header = "Datasette-Durability";

    /// <summary>Answered: the transaction to ask for.</summary>
    public const string TransactionHeader = "Datasette-Txid";

    /// <summary>Writes for a request.</summary>
    /// <param name="v">The request; it is not written for a visitor who has gone before its turn.</param>
    /// <param name="database">Where.</param>
    /// <param name="write">The work, inside its transaction; may be called again.</param>
    /// <param name="turn">Whether it may share a transaction.</param>
    /// <exception cref="DatasetteException">400, 501, 503: refused before anything was written. 503: too busy.</exception>
    public static async Task<T> WriteAsync<T>(
        ViewContext v,
        Database database,
        Func<SqliteConnection, T> write,
        WriteTurn turn = WriteTurn.Grouped
    )
    {
        var receipt = Demand(v, database);
        try
        {
            // A table that is altered may be rebuilt, which takes as long as its size.
            TimeSpan? limit = turn == WriteTurn.Bare ? null : database.WriteTimeLimit;
            var value = await database.WriteAsync(write, new WriteOptions(turn, limit), v.Ct);
            v.State.Receipt = receipt;
            return value;
        }
        catch (DatasetteException e) when (e.RetryAfter is { } pause)
        {
            v.Http.Response.Headers.RetryAfter = Math.Ceiling(pause.TotalSeconds).ToString(CultureInfo.InvariantCulture);
            throw;
        }
    }

    /// <summary>Whether a transaction that was not confirmed in time has arrived meanwhile.</summary>
    public static async Task<IResult> ShowAsync(ViewContext v)
    {
        var database = v.Database;
        await v.EnsureAllowedAsync("view-database", database.Name);
        var copies = Copies(v, database);
        var transaction = v.Segment("transaction");
        var isHeld = copies.IsHeld(transaction) ?? throw new DatasetteException(404, $"No transaction: {transaction}");
        if (!isHeld && Seconds(v.Args["_wait"], "_wait") is { } seconds)
        {
            isHeld = await ArrivesAsync(v, Limit(v, seconds), ct => copies.WaitAsync(transaction, ct)) is null;
        }
        return Respond
            .Json(
                new JsonMap
                {
                    { "ok", true },
                    { "database", database.Name },
                    { "txid", transaction },
                    { "durability", isHeld ? "replicated" : "committed" },
                }
            )
            .With("Cache-Control", "no-store");
    }

    /// <summary>What must happen after the commit; null when nothing.</summary>
    private static WriteReceipt? Demand(ViewContext v, Database database)
    {
        var (isDemanded, seconds) = Parse(v.Http.Request.Headers[Header].ToString());
        if (!isDemanded && !v.App.Writes.IsReplicationDemanded(database.Name))
        {
            return null;
        }
        var copies = Copies(v, database);
        if (copies.Problem is { } problem)
        {
            throw new DatasetteException(503, $"{problem}; nothing was written");
        }
        return new WriteReceipt(v, database, copies, Limit(v, seconds));
    }

    private static DurableCopies Copies(ViewContext v, Database database) =>
        v.App.Hooks.DurableCopiesOf(v.App, database)
        ?? throw new DatasetteException(
            501,
            $"{database.Name} is not replicated; nothing was written. Leave out {Header}, or configure a replica"
        );

    private static (bool IsDemanded, double? Seconds) Parse(string text)
    {
        var parts = text.Split(';', StringSplitOptions.TrimEntries);
        var isDemanded = parts[0] switch
        {
            "" or "committed" => false,
            "replicated" => true,
            _ => throw new DatasetteException(400, $"{Header} must be committed or replicated"),
        };
        double? seconds = null;
        foreach (var part in parts.Skip(1))
        {
            var pair = part.Split('=', 2, StringSplitOptions.TrimEntries);
            seconds = pair is ["wait", var value]
                ? Seconds(value, "wait")
                : throw new DatasetteException(400, $"{Header}: {part} is not known");
        }
        return (isDemanded, seconds);
    }

    private static double? Seconds(string? text, string name) =>
        text is null ? null
        : double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds) ? seconds
        : throw new DatasetteException(400, $"{name} must be a number of seconds");

    private static TimeSpan Limit(ViewContext v, double? seconds) =>
        seconds is { } wish && wish < v.App.Writes.ReplicationTimeout.TotalSeconds
            ? TimeSpan.FromSeconds(wish)
            : v.App.Writes.ReplicationTimeout;

    /// <returns>Null when it has arrived, else why not.</returns>
    private static async Task<string?> ArrivesAsync(ViewContext v, TimeSpan limit, Func<CancellationToken, Task> arrive)
    {
        using var patience = new CancellationTokenSource(limit, v.App.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(v.Ct, patience.Token);
        try
        {
            await arrive(both.Token);
            return null;
        }
        catch (OperationCanceledException) when (!v.Ct.IsCancellationRequested)
        {
            return $"no replica has confirmed it within {limit.TotalSeconds.ToString("0.###", CultureInfo.InvariantCulture)} s";
        }
        catch (DatasetteException e)
        {
            return e.Message;
        }
    }

    /// <summary>
    /// One write that waits for its copy. The wait comes last, when everything else of the request is done: the commit stands, whatever happens here.
    /// </summary>
    private sealed class WriteReceipt(ViewContext v, Database database, DurableCopies copies, TimeSpan limit) : IWriteReceipt
    {
        private string? transaction;

        public async Task CompleteAsync(HttpContext context, IResult answer)
        {
            var headers = context.Response.Headers;
            var why = await ArrivesAsync(v, limit, ArriveAsync);
            headers[Header] = why is null ? "replicated" : "committed";
            headers[TransactionHeader] = transaction;
            if (why is null)
            {
                return;
            }
            headers["Datasette-Durability-Problem"] = Plain(why);
            if (answer is Response { Status: >= 200 and < 300 } response)
            {
                response.Status = StatusCodes.Status202Accepted;
                headers.Location = transaction is null ? default : v.App.UrlOf(database) + "/-/durability/" + transaction;
            }
        }

        private async Task ArriveAsync(CancellationToken ct)
        {
            transaction = await copies.ReceiptAsync(ct);
            await copies.WaitAsync(transaction, ct);
        }

        // A header holds printable ASCII only.
        private static string Plain(string text) => string.Concat(text.Select(c => c is >= ' ' and <= '~' ? c : '?'));
    }
}
