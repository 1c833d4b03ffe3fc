using Litestream.IO;
using Litestream.Replicas;
using Litestream.Restore;
using Microsoft.Extensions.Logging.Abstractions;
using Testing;

namespace Datasette.Litestream.Tests;

/// <summary>What a folder replica holds, found out by restoring it.</summary>
internal static class Restored
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    /// <summary>Restores the newest state and asks it one question.</summary>
    public static async Task<string?> ScalarAsync(string replicaFolder, string sql)
    {
        using var folder = new TempFolder();
        var output = folder.Combine("restored.db");
        await using var client = new ObjectStoreFactory().Open(new ReplicaOptions { Url = ReplicaUrl.Parse(replicaFolder) });
        await new DatabaseRestorer(DurableFiles.System, TimeProvider.System, NullLogger.Instance).RestoreAsync(
            client,
            new RestoreOptions { OutputPath = output, IntegrityCheck = IntegrityCheckMode.Full },
            TestContext.Current.CancellationToken
        );
        using var connection = TestDatabase.Open(output, readOnly: true);
        return connection.Scalar(sql);
    }

    /// <summary>Waits until the restored database gives this answer; fails with the last one when it does not come in time.</summary>
    public static async Task BecomesAsync(string replicaFolder, string sql, string expected)
    {
        var started = TimeProvider.System.GetTimestamp();
        string? last;
        do
        {
            try
            {
                last = await ScalarAsync(replicaFolder, sql);
            }
            catch (global::Litestream.LitestreamException e)
            {
                last = e.Message;
            }
            if (last == expected)
                return;
            await Task.Delay(50, TestContext.Current.CancellationToken);
        } while (TimeProvider.System.GetElapsedTime(started) < s_patience);
        Assert.Fail($"{replicaFolder}: {sql} gave '{last}', not '{expected}', after {s_patience}");
    }

    /// <summary>Waits until something is so.</summary>
    public static async Task UntilAsync(Func<bool> so, string what)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (!so())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < s_patience, $"not within {s_patience}: {what}");
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
    }
}
