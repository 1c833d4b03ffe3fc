using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.NoEmit;
using Litestream.Ltx;
using Litestream.Sqlite;

namespace Litestream.Benchmarks;

/// <summary>The inner loops: checksum, LTX pages, WAL frames. In process, since generated projects would need their own lock files.</summary>
internal static class MicroBenchmarks
{
    public static int Run(string[] args)
    {
        var config = DefaultConfig
            .Instance.AddJob(Job.ShortRun.WithToolchain(InProcessNoEmitToolchain.Instance))
            .AddDiagnoser(MemoryDiagnoser.Default)
            .WithArtifactsPath(Path.Combine("artifacts", "bench"));
        BenchmarkSwitcher
            .FromTypes([typeof(ChecksumBenchmarks), typeof(LtxBenchmarks), typeof(WalBenchmarks)])
            .Run(args is [] ? ["--filter", "*"] : args, config);
        Console.WriteLine(Machine.Describe());
        return 0;
    }

    /// <summary>A page that compresses about as a table of log lines does.</summary>
    internal static byte[] LogLikePage(int number)
    {
        var page = new byte[4096];
        var random = new Random(number);
        for (var at = 0; at + 64 <= page.Length; at += 64)
        {
            var line =
                $"2026-11-22T12:00:{random.Next(60):00}.{random.Next(1000):000}Z INFO request {random.Next():x8} took {random.Next(900)} ms";
            System.Text.Encoding.ASCII.GetBytes(line.AsSpan(0, Math.Min(64, line.Length)), page.AsSpan(at));
        }

        return page;
    }
}

/// <summary>CRC-64 of one page.</summary>
public class ChecksumBenchmarks
{
    private readonly byte[] _page = MicroBenchmarks.LogLikePage(1);

    /// <summary>As the encoder does for each page.</summary>
    [Benchmark]
    public ulong Page4096() => LtxChecksum.Page(1, _page);
}

/// <summary>Whole LTX files of 1,000 pages in memory; the numbers are per page.</summary>
public class LtxBenchmarks
{
    private const int Pages = 1000;
    private static readonly LtxHeader s_header = new()
    {
        PageSize = 4096,
        Commit = Pages,
        MinTxid = Txid.First,
        MaxTxid = Txid.First,
        NoChecksum = true,
    };

    private readonly byte[][] _pages = [.. Enumerable.Range(0, Pages).Select(MicroBenchmarks.LogLikePage)];
    private readonly byte[] _page = new byte[4096];
    private readonly MemoryStream _file = new();

    /// <summary>Makes the file that is decoded.</summary>
    [GlobalSetup]
    public async Task SetupAsync()
    {
        await EncodeAsync();
    }

    /// <summary>1,000 pages to a stream of memory.</summary>
    [Benchmark(OperationsPerInvoke = Pages)]
    public async Task EncodeAsync()
    {
        _file.SetLength(0);
        await using var encoder = new LtxEncoder(_file, s_header);
        for (var i = 0; i < Pages; i++)
            await encoder.WritePageAsync((uint)(i + 1), _pages[i], CancellationToken.None);
        await encoder.FinishAsync(CancellationToken.None);
    }

    /// <summary>The same back, with everything verified.</summary>
    [Benchmark(OperationsPerInvoke = Pages)]
    public async Task DecodeAsync()
    {
        _file.Position = 0;
        await using var decoder = await LtxDecoder.OpenAsync(_file, _file.Length, CancellationToken.None);
        while (await decoder.ReadPageAsync(_page, CancellationToken.None) != 0) { }
        await decoder.FinishAsync(CancellationToken.None);
    }
}

/// <summary>Frames of a real WAL, each proved by its checksum; the numbers are per frame.</summary>
public class WalBenchmarks
{
    private const int Rows = 10_000;
    private string _folder = "";
    private SQLitePCL.sqlite3? _writer;
    private SourceConnection? _source;

    /// <summary>A WAL of 10,000 frames or more.</summary>
    [GlobalSetup]
    public void Setup()
    {
        SQLitePCL.Batteries_V2.Init();
        _folder = Directory.CreateTempSubdirectory("litestream-bench-").FullName;
        var path = Path.Combine(_folder, "app.db");
        SQLitePCL.raw.sqlite3_open(path, out _writer);
        SQLitePCL.raw.sqlite3_exec(
            _writer,
            "PRAGMA journal_mode = wal; PRAGMA synchronous = off; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t(v BLOB);"
        );
        for (var i = 0; i < Rows; i++)
            SQLitePCL.raw.sqlite3_exec(_writer, "INSERT INTO t VALUES (randomblob(200))");
        _source = SourceConnection.Open(path, TimeSpan.FromSeconds(1));
    }

    /// <summary>Closes and removes the database.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        _source?.Dispose();
        _writer?.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>The first 10,000 frames.</summary>
    [Benchmark(OperationsPerInvoke = Rows)]
    public long Scan()
    {
        var source = _source!;
        using var reader = new WalReader(source.Wal, source.Look(), 0, null);
        while (reader.Frame < Rows && reader.Read()) { }
        return reader.Frame;
    }
}
