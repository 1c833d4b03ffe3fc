using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace Testing.Oracles;

/// <summary>The genuine program Litestream 0.3.13 of the npm package <c>@flydotio/litestream</c>: writes and restores the layout with generations.</summary>
public static partial class Litestream03
{
    /// <summary>Path of the program; skips the test when it is not here.</summary>
    public static string Program()
    {
        var machine = RuntimeInformation.OSArchitecture == Architecture.Arm64 ? "arm64" : "x64";
        return Require.Oracle($"@flydotio/litestream-linux-{machine}", "litestream");
    }

    /// <summary>Starts <c>litestream replicate</c> and waits until it has begun to watch the database.</summary>
    /// <param name="databasePath">The source.</param>
    /// <param name="replicaUrl">The destination, as 0.3 understands it.</param>
    /// <param name="environment">Credentials.</param>
    public static async Task<TestProcess> ReplicateAsync(
        string databasePath,
        string replicaUrl,
        IReadOnlyDictionary<string, string?>? environment = null
    )
    {
        var process = TestProcess.Start(Program(), ["replicate", databasePath, replicaUrl], environment);
        try
        {
            await process.WaitForLineAsync(ReplicatingTo);
            return process;
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs <c>litestream restore</c> to its end. Look at <see cref="TestProcess.ExitCode"/>.</summary>
    /// <param name="replicaUrl">The replica.</param>
    /// <param name="outputPath">The file to make.</param>
    /// <param name="options">Further options, such as <c>-timestamp</c>.</param>
    /// <param name="environment">Credentials.</param>
    public static Task<TestProcess> RestoreAsync(
        string replicaUrl,
        string outputPath,
        IEnumerable<string>? options = null,
        IReadOnlyDictionary<string, string?>? environment = null
    ) => TestProcess.RunAsync(Program(), ["restore", .. options ?? [], "-o", outputPath, replicaUrl], environment);

    [GeneratedRegex("replicating to")]
    private static partial Regex ReplicatingTo { get; }
}
