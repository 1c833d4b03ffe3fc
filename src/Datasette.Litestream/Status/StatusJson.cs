using System.Text.Json.Nodes;

namespace Datasette.Litestream.Status;

/// <summary>The JSON twin of the status page. Pure.</summary>
internal static class StatusJson
{
    /// <summary>The answer when nothing is replicated.</summary>
    public static JsonObject NotRunning() => new() { ["ok"] = true, ["running"] = false };

    /// <summary>The answer.</summary>
    public static JsonObject Of(StatusPage page) =>
        new()
        {
            ["ok"] = true,
            ["running"] = page.ProcessState == "alive",
            ["as_of"] = StatusText.Machine(page.AsOf),
            ["pid"] = page.ProcessId,
            ["status"] = page.ProcessState,
            ["safe"] = page.Verdict.Tone is Tone.Ok || page.Verdict.Word == "Safe, but",
            ["verdict"] = new JsonObject
            {
                ["word"] = page.Verdict.Word,
                ["sentence"] = page.Verdict.Sentence,
                ["detail"] = page.Verdict.Detail,
            },
            ["would_be_lost"] = new JsonObject
            {
                ["text"] = page.Loss.Text,
                ["since"] = Time(page.Loss.Since),
                ["bytes"] = page.Loss.Bytes,
            },
            ["notices"] = new JsonArray([.. page.Notices.Select(notice => (JsonNode)notice)]),
            ["databases"] = new JsonArray([.. page.Databases.Select(Database)]),
            ["config"] = JsonNode.Parse(page.Config),
        };

    private static JsonObject Database(DatabaseLine line)
    {
        var json = new JsonObject { ["name"] = line.Name, ["replicated"] = line.NotReplicated is null };
        if (line.NotReplicated is not null)
        {
            json["reason"] = line.NotReplicated;
            return json;
        }
        json["state"] = line.Word;
        json["since"] = StatusText.Machine(line.Since);
        json["cause"] = line.Cause;
        json["txid"] = line.Txid;
        json["txid_time"] = Time(line.TxidTime);
        json["last_sync"] = Time(line.LastSync);
        json["database_bytes"] = line.DatabaseBytes;
        json["wal_bytes"] = line.WalBytes;
        json["replicas"] = new JsonArray([.. line.Replicas.Select(Replica)]);
        return json;
    }

    private static JsonObject Replica(ReplicaLine line) =>
        new()
        {
            ["name"] = line.Name,
            ["type"] = line.Kind,
            ["location"] = line.Location,
            ["local_disk"] = line.IsLocal,
            ["state"] = line.Word,
            ["since"] = StatusText.Machine(line.Since),
            ["txid"] = line.Txid,
            ["last_upload"] = Time(line.LastUpload),
            ["lag_seconds"] = Math.Round(line.Lag.TotalSeconds, 3),
            ["lag_bytes"] = line.PendingBytes,
            ["lag_transactions"] = line.PendingTransactions,
            ["error"] = line.Cause,
            ["failures"] = line.Failures,
            ["next_retry"] = Time(line.NextRetry),
            ["remark"] = line.Remark,
        };

    private static string? Time(DateTimeOffset? time) => time is { } known ? StatusText.Machine(known) : null;
}
