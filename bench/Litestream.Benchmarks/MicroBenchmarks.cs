using System.Globalization;
using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.NoEmit;
using Litestream.Ltx;
using Litestream.Sqlite;

namespace Litestream.Benchmarks;

/// <summary>The inner loops: checksum, LTX pages, WAL frames. In process, since generated projects would need their own lock files.</summary>
internal static class MicroBenchmarks
{
    /// <summary>Bytes of a page, of which every benchmark gives its time.</summary>
    internal const int PageSize = 4096;

    public static int Run(string[] args)
    {
        var job = Job.Default.WithToolchain(InProcessNoEmitToolchain.Instance).WithWarmupCount(3).WithIterationCount(5);
        var config = ManualConfig
            .CreateEmpty()
            .AddJob(job)
            .AddDiagnoser(MemoryDiagnoser.Default)
            .AddColumnProvider(DefaultColumnProviders.Instance)
            .AddLogger(NullLogger.Instance)
            .WithArtifactsPath(Path.Combine("artifacts", "bench", "micro"));
        var summaries = BenchmarkSwitcher
            .FromTypes([typeof(ChecksumBenchmarks), typeof(LtxBenchmarks), typeof(WalBenchmarks)])
            .Run(args is [] ? ["--filter", "*"] : args, config);
        if (!summaries.SelectMany(s => s.Reports).Any())
        {
            Console.Error.WriteLine($"micro: nothing measured for '{string.Join(' ', args)}'; give --filter '*Ltx*' or no arguments");
            return 2;
        }
        Console.WriteLine(Machine.Describe());
        Console.WriteLine();
        Console.WriteLine("| a page of 4,096 bytes | median | a core | allocated |");
        Console.WriteLine("|---|---:|---:|---:|");
        foreach (var report in summaries.SelectMany(s => s.Reports))
            Console.WriteLine(Row(report));
        return 0;
    }

    private static string Row(BenchmarkReport report)
    {
        var name = report.BenchmarkCase.Descriptor.WorkloadMethodDisplayInfo.Trim('\'');
        if (report.ResultStatistics is not { } statistics)
            return $"| {name} | failed | | |";
        // Files are opened and closed once a thousand pages: what is left of that a page is a fraction of a byte.
        var allocated = report.GcStats.GetBytesAllocatedPerOperation(report.BenchmarkCase) ?? 0;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"| {name} | {statistics.Median:N0} ns | {PageSize / statistics.Median:N2} GB/s | {allocated} B |"
        );
    }

    /// <summary>Pages of a database as applications have them.</summary>
    internal static byte[][] SamplePages(int count)
    {
        var path = Path.Combine(Path.GetTempPath(), $"litestream-bench-{Guid.NewGuid():N}.db");
        SampleDatabase.Make(path, count * (long)PageSize);
        using (var file = File.OpenRead(path))
        {
            var pages = new byte[count][];
            for (var i = 0; i < count; i++)
                file.ReadExactly(pages[i] = new byte[PageSize]);
            File.Delete(path);
            return pages;
        }
    }
}

/// <summary>CRC-64 of one page.</summary>
public class ChecksumBenchmarks
{
    private readonly byte[] _page = MicroBenchmarks.SamplePages(2)[1];

    /// <summary>As the encoder does for each page.</summary>
    [Benchmark(Description = "CRC-64")]
    public ulong Page4096() => LtxChecksum.Page(1, _page);
}

/// <summary>Whole LTX files of 1,000 pages in memory; the numbers are per page.</summary>
public class LtxBenchmarks
{
    private const int Pages = 1000;
    private static readonly LtxHeader s_header = new()
    {
        PageSize = MicroBenchmarks.PageSize,
        Commit = Pages,
        MinTxid = Txid.First,
        MaxTxid = Txid.First,
        NoChecksum = true,
    };

    private readonly byte[][] _pages = MicroBenchmarks.SamplePages(Pages);
    private readonly byte[] _page = new byte[MicroBenchmarks.PageSize];
    private readonly MemoryStream _output = new();
    private byte[] _snapshot = [];
    private byte[] _increment = [];

    /// <summary>Makes the files that are read.</summary>
    [GlobalSetup]
    public async Task SetupAsync()
    {
        await EncodeAsync();
        _snapshot = _output.ToArray();
        _output.SetLength(0);
        // The half that a later transaction changed.
        var second = new Txid(2);
        await using var encoder = new LtxEncoder(_output, s_header with { MinTxid = second, MaxTxid = second });
        for (var i = 0; i < Pages; i += 2)
            await encoder.WritePageAsync((uint)(i + 1), _pages[(i + 7) % Pages], CancellationToken.None);
        await encoder.FinishAsync(CancellationToken.None);
        _increment = _output.ToArray();
    }

    /// <summary>1,000 pages to a stream of memory.</summary>
    [Benchmark(OperationsPerInvoke = Pages, Description = "LTX encode")]
    public async Task EncodeAsync()
    {
        _output.SetLength(0);
        await using var encoder = new LtxEncoder(_output, s_header);
        for (var i = 0; i < Pages; i++)
            await encoder.WritePageAsync((uint)(i + 1), _pages[i], CancellationToken.None);
        await encoder.FinishAsync(CancellationToken.None);
    }

    /// <summary>The same back, with everything verified.</summary>
    [Benchmark(OperationsPerInvoke = Pages, Description = "LTX decode")]
    public async Task DecodeAsync()
    {
        await using var decoder = await LtxDecoder.OpenAsync(new MemoryStream(_snapshot), _snapshot.Length, CancellationToken.None);
        while (await decoder.ReadPageAsync(_page, CancellationToken.None) != 0) { }
        await decoder.FinishAsync(CancellationToken.None);
    }

    /// <summary>A snapshot and an increment of half its pages into one file: 1,500 pages read, 1,000 written.</summary>
    [Benchmark(OperationsPerInvoke = Pages * 3 / 2, Description = "merge, a page read")]
    public async Task MergeAsync()
    {
        _output.SetLength(0);
        await using var first = await LtxDecoder.OpenAsync(new MemoryStream(_snapshot), _snapshot.Length, CancellationToken.None);
        await using var second = await LtxDecoder.OpenAsync(new MemoryStream(_increment), _increment.Length, CancellationToken.None);
        await LtxMerger.MergeAsync([first, second], _output, legacyPageFrames: false, CancellationToken.None);
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
    [Benchmark(OperationsPerInvoke = Rows, Description = "WAL scan")]
    public long Scan()
    {
        var source = _source!;
        using var reader = new WalReader(source.Wal, source.Look(), 0, null);
        while (reader.Frame < Rows && reader.Read()) { }
        return reader.Frame;
    }
}
