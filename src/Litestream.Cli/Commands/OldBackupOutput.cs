using System.Globalization;
using System.Text.Json;
using Litestream.Replicas;
using Litestream.Restore.V3;

namespace Litestream.Cli.Commands;

/// <summary>What <c>restore</c> says of a backup of Litestream 0.3.</summary>
internal static class OldBackupOutput
{
    /// <summary>Prints the objects that a restore would read; returns the exit code.</summary>
    public static int WritePlan(CliContext context, RestoreRequest request, ReplicaOptions replica, V3Plan plan, bool json)
    {
        if (json)
            WriteJson(context, request, replica, plan);
        else
            WriteText(context, request, replica, plan);
        return 0;
    }

    /// <summary>Names the state in a JSON object.</summary>
    public static void WriteState(Utf8JsonWriter json, V3Plan plan)
    {
        json.WriteString("generation", plan.Generation);
        json.WriteString("index", Hex(plan.Index));
    }

    private static void WriteText(CliContext context, RestoreRequest request, ReplicaOptions replica, V3Plan plan)
    {
        context.Out.WriteLine($"source: {request.Sources.Shown}");
        context.Out.WriteLine($"target: {request.OutputPath}");
        context.Out.WriteLine($"replica: {replica.Url.Scheme}");
        context.Out.WriteLine($"generation: {plan.Generation}");
        context.Out.WriteLine($"index range: {Hex(plan.Snapshot.Index)}-{Hex(plan.Index)}");
        context.Out.WriteLine();
        var table = new TextTable("type", "file", "size", "timestamp");
        table.Add("snapshot", plan.Snapshot.Key, Number(plan.Snapshot.SizeBytes), TextTable.Time(plan.Snapshot.Timestamp));
        foreach (var segment in plan.Segments)
            table.Add("wal", segment.Key, Number(segment.SizeBytes), TextTable.Time(segment.Timestamp));
        table.Write(context.Out);
    }

    private static void WriteJson(CliContext context, RestoreRequest request, ReplicaOptions replica, V3Plan plan) =>
        JsonOutput.Write(
            context.Out,
            json =>
            {
                json.WriteStartObject();
                json.WriteString("source", request.Sources.Shown);
                json.WriteString("target_path", request.OutputPath);
                json.WriteString("replica", replica.Url.Scheme);
                WriteState(json, plan);
                json.WriteStartArray("files");
                WriteFile(json, "snapshot", plan.Snapshot.Key, plan.Snapshot.SizeBytes, plan.Snapshot.Timestamp);
                foreach (var segment in plan.Segments)
                    WriteFile(json, "wal", segment.Key, segment.SizeBytes, segment.Timestamp);
                json.WriteEndArray();
                json.WriteEndObject();
            }
        );

    private static void WriteFile(Utf8JsonWriter json, string type, string key, long size, DateTimeOffset time)
    {
        json.WriteStartObject();
        json.WriteString("type", type);
        json.WriteString("name", key);
        json.WriteNumber("size", size);
        json.WriteString("timestamp", TextTable.PreciseTime(time));
        json.WriteEndObject();
    }

    private static string Hex(uint index) => index.ToString("x8", CultureInfo.InvariantCulture);

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}
