using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;

namespace Testing.Oracles;

/// <summary>A statement that the genuine Litestream (or the shell around it) refused.</summary>
public sealed class OracleException(string message) : Exception(message);

/// <summary>
/// Genuine Litestream 0.5.17 as a reader of replicas: the SQLite extension of the npm package <c>litestream-vfs</c> in Debian's shell.
/// One long-lived process answers many questions; one question at a time.
/// </summary>
public sealed partial class Litestream05 : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);
    private readonly TestProcess _shell;
    private readonly TempFolder _folder;
    private int _questions;

    private Litestream05(TestProcess shell, TempFolder folder)
    {
        _shell = shell;
        _folder = folder;
    }

    /// <summary>Skips the test when the extension or the shell is not here.</summary>
    public static void RequireIt()
    {
        _ = Extension();
        _ = Require.Program("sqlite3");
    }

    /// <summary>Opens a replica for reading at its newest state.</summary>
    /// <param name="replicaUrl"><c>file:///folder</c> (the folder that holds <c>ltx/</c>) or <c>s3://bucket/path?endpoint=...&amp;region=...</c>.</param>
    /// <param name="environment">Credentials (<c>LITESTREAM_ACCESS_KEY_ID</c>, <c>LITESTREAM_SECRET_ACCESS_KEY</c>) and other variables.</param>
    /// <exception cref="OracleException">It cannot be opened. A replica without files is one: the extension would wait for the first for ever.</exception>
    public static async Task<Litestream05> OpenAsync(string replicaUrl, IReadOnlyDictionary<string, string?>? environment = null)
    {
        var extension = Extension();
        var program = Require.Program("sqlite3");
        var folder = new TempFolder();
        var variables = new Dictionary<string, string?>(environment ?? new Dictionary<string, string?>())
        {
            ["LITESTREAM_REPLICA_URL"] = replicaUrl,
            ["AWS_CA_BUNDLE"] = null, // with it 0.5.17 cannot start with any S3 replica
        };
        // One stream for answers and errors, so that their order is kept.
        var shell = TestProcess.Start(
            "/bin/sh",
            ["-c", "exec \"$0\" \"$@\" 2>&1", program, "-batch", "-init", "/dev/null", ":memory:"],
            variables,
            folder.Path
        );
        var oracle = new Litestream05(shell, folder);
        try
        {
            await oracle.QueryAsync(
                $".load {extension}\n.open file:oracle.db?vfs=litestream\n.mode list\nSELECT count(*) FROM sqlite_schema;"
            );
            return oracle;
        }
        catch (Exception e)
        {
            await oracle.DisposeAsync();
            if (e is TimeoutException)
                throw new OracleException($"Litestream 0.5.17 found no readable replica at {replicaUrl} within {s_patience}: {e.Message}");
            throw;
        }
    }

    /// <summary>The contents of a replica at the given times (null: newest), each comparable to <see cref="CanonicalDump.Of(string)"/>.</summary>
    public static async Task<IReadOnlyList<string>> DumpAsync(
        string replicaUrl,
        IEnumerable<DateTimeOffset?> times,
        IReadOnlyDictionary<string, string?>? environment = null
    )
    {
        await using var oracle = await OpenAsync(replicaUrl, environment);
        var dumps = new List<string>();
        foreach (var time in times)
        {
            await oracle.SetTimeAsync(time);
            dumps.Add(await oracle.DumpAsync());
        }

        return dumps;
    }

    /// <summary>The newest content of a replica.</summary>
    public static async Task<string> DumpLatestAsync(string replicaUrl, IReadOnlyDictionary<string, string?>? environment = null) =>
        (await DumpAsync(replicaUrl, [null], environment))[0];

    /// <summary>Moves to the newest state strictly before a time; null: to the newest of all.</summary>
    public Task SetTimeAsync(DateTimeOffset? time)
    {
        var text = time?.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fffffff'Z'", CultureInfo.InvariantCulture) ?? "LATEST";
        return QueryAsync($"SELECT litestream_set_time('{text}');");
    }

    /// <summary>The transaction that is being read.</summary>
    public async Task<ulong> TxidAsync() =>
        ulong.Parse((await QueryAsync("SELECT litestream_txid();"))[0], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    /// <summary>The content being read, as <see cref="CanonicalDump"/>.</summary>
    public async Task<string> DumpAsync()
    {
        var text = new StringBuilder();
        foreach (var line in await QueryAsync(CanonicalDump.SchemaSql))
            text.Append(line).Append('\n');
        var statements = await QueryAsync(CanonicalDump.TablesSql);
        if (statements.Count == 0)
            return text.ToString();
        foreach (var line in await QueryAsync(string.Join('\n', statements)))
            text.Append(line).Append('\n');
        return text.ToString();
    }

    /// <summary><c>ok</c> when the structure of the database being read is whole.</summary>
    public async Task<string> IntegrityCheckAsync() => string.Join('\n', await QueryAsync("PRAGMA integrity_check(5);"));

    /// <summary>Runs SQL; the rows as lines, columns parted by <c>|</c>. Values with line feeds take more lines.</summary>
    /// <exception cref="OracleException">A statement failed.</exception>
    public async Task<IReadOnlyList<string>> QueryAsync(string sql)
    {
        var marker = $"-- answered {++_questions} --";
        var before = _shell.LineCount;
        await _shell.WriteLineAsync($"{sql}\n.print {marker}");
        await _shell.WaitForLineAsync(new Regex($"^{Regex.Escape(marker)}$"), s_patience, from: before);
        var lines = _shell.TakeLines();
        var answer = lines.TakeWhile(line => line != marker).Where(line => line.Length > 0).ToList();
        return answer.Find(line => ErrorLine.IsMatch(line)) is { } error ? throw new OracleException($"{error}\n{sql}") : answer;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _shell.DisposeAsync();
        _folder.Dispose();
    }

    private static string Extension()
    {
        var machine = RuntimeInformation.OSArchitecture == Architecture.Arm64 ? "arm64" : "amd64";
        return Require.Oracle($"litestream-vfs-linux-{machine}", "litestream-vfs.so");
    }

    [GeneratedRegex("^((Runtime|Parse) error near line \\d+:|Error:|Error |unable to open database )")]
    private static partial Regex ErrorLine { get; }
}
