using System.Buffers.Binary;
using System.Net;
using System.Text;
using Litestream.Cli;
using Litestream.Cli.Commands;
using Litestream.IO;
using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Restore;
using Litestream.Restore.V3;
using Litestream.S3;
using Litestream.Sqlite;
using Litestream.Tests.Ltx;
using Litestream.Tests.Restore.V3;
using Litestream.Tests.S3;
using Litestream.Tests.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using Testing;

namespace Litestream.Tests.Fuzz;

/// <summary>Every parser of bytes or text that come from outside.</summary>
internal static partial class FuzzTargets
{
    public static IReadOnlyDictionary<string, Func<FuzzTarget>> All { get; } =
        new Dictionary<string, Func<FuzzTarget>>
        {
            ["ltx"] = Ltx,
            ["ltx-unknown-length"] = LtxUnknownLength,
            ["ltx-index"] = LtxIndex,
            ["ltx-merge"] = LtxMerge,
            ["wal"] = Wal,
            ["wal-index"] = WalIndex,
            ["lz4"] = Lz4,
            ["ltx-names"] = LtxNames,
            ["v3-names"] = V3Names,
            ["v3-snapshot"] = V3Snapshot,
            ["v3-wal"] = V3Wal,
            ["s3-list"] = S3List,
            ["url"] = Url,
            ["s3-settings"] = S3SettingsOfUrl,
            ["config"] = Config,
            ["txid-sidecar"] = Sidecar,
            ["texts"] = Texts,
        };

    private static FuzzTarget Ltx() => new("ltx", LtxSeeds(), file => Decode(file, file.Length)) { Mend = LtxForge.Mend };

    private static FuzzTarget LtxUnknownLength() =>
        new("ltx-unknown-length", LtxSeeds(), file => Decode(file, null)) { Mend = LtxForge.Mend };

    private static FuzzTarget LtxIndex() =>
        new(
            "ltx-index",
            LtxSeeds(),
            file =>
            {
                var header = LtxHeader.Read(file);
                var (offset, size) = LtxPageIndex.Locate(file.Length, file.AsSpan(Math.Max(0, file.Length - LtxPageIndex.TailSize)));
                LtxPageIndex.Parse(file.AsSpan((int)offset, (int)size), header, offset);
            }
        )
        {
            ShortRun = 5000,
        };

    private static FuzzTarget LtxMerge()
    {
        var snapshot = LtxSamples.Snapshot();
        return new("ltx-merge", [LtxSamples.Increment(), LtxSamples.Snapshot()], file => Wait(MergeAsync(snapshot, file)))
        {
            Mend = LtxForge.Mend,
        };
    }

    private static FuzzTarget Wal()
    {
        var folder = new TempFolder();
        var path = folder.Combine("x.db-wal");
        AppDomain.CurrentDomain.ProcessExit += (_, _) => folder.Dispose();
        var small = new WalBuilder().Frame(1, 0, 1).Frame(2, 2, 2).Frame(2, 3, 3);
        var end = small.End();
        return new(
            "wal",
            [small.ToArray(), new WalBuilder(1024, bigEndian: true).Frame(1, 1, 5).ToArray()],
            file =>
            {
                File.WriteAllBytes(path, file);
                using var wal = new WalFile(path);
                var header = wal.ReadHeader();
                if (header is not { } h)
                    return;
                if (h.Salt == end.Salt && file.Length % 2 == 0 && file[^2] % 4 == 0)
                {
                    using var known = new WalReader(wal, end, 0, null);
                    PageMap.Read(known, end.PageSize, long.MaxValue, CancellationToken.None);
                }
                // SQLite's own end may say anything too, for instance far more frames than there are.
                var frames = (uint)((file.Length - WalHeader.Size) / (WalFrameHeader.Size + h.PageSize));
                var last = file[0] == file[^1] || frames == 0 ? uint.MaxValue : frames;
                var lies = end with { PageSize = h.PageSize, Salt = h.Salt, BigEndianChecksums = h.BigEndianChecksums, LastFrame = last };
                if (last == frames && wal.ReadFrame(frames, h.PageSize, new byte[h.PageSize]) is { } frame)
                    lies = lies with { LastChecksum = frame.Checksum };
                using var reader = new WalReader(wal, lies, 0, null);
                PageMap.Read(reader, h.PageSize, long.MaxValue, CancellationToken.None);
            }
        )
        {
            Mend = (_, wal) => WalForge.Mend(wal),
            ShortRun = 1000,
        };
    }

    private static FuzzTarget WalIndex()
    {
        var seed = new byte[WalIndexHeader.Size];
        BinaryPrimitives.WriteUInt32LittleEndian(seed, 3007000);
        seed[12] = 1;
        BinaryPrimitives.WriteUInt16LittleEndian(seed.AsSpan(14), 4096);
        return new("wal-index", [seed], bytes => _ = WalIndexHeader.Read(bytes).EndOffset) { ShortRun = 5000 };
    }

    private static FuzzTarget Lz4() =>
        new(
            "lz4",
            [.. Lz4Seeds()],
            frame =>
            {
                if (Lz4Frame.Measure(frame, 512, out var length, out _) is null && length > 0)
                    Lz4Frame.Read(frame.AsSpan(0, length), new byte[512]);
                Wait(DrainAsync(new Lz4FrameStream(new MemoryStream(frame), frame.Length)));
            }
        )
        {
            Mend = Lz4Forge,
            Allowed = Lz4Allowed,
        };

    private static FuzzTarget V3Snapshot() =>
        new("v3-snapshot", [V3Sample.Database(1, 2), V3Sample.Database()], bytes => V3Restore(bytes, null))
        {
            Mend = (random, database) => random.Next(8) == 0 ? database : V3Sample.Compress(database),
            Allowed = Lz4Allowed,
        };

    private static FuzzTarget V3Wal() =>
        new(
            "v3-wal",
            [
                new WalBuilder().Frame(2, 3, 1).Frame(3, 3, 2).ToArray(),
                new WalBuilder().Frame(2, 0, 1).Frame(3, 3, 2).Frame(1, 2, V3Sample.Database()).ToArray(),
            ],
            bytes => V3Restore(null, bytes)
        )
        {
            Mend = (random, wal) => V3Sample.Compress(random.Next(3) == 0 ? wal : WalForge.Mend(wal)),
            Allowed = Lz4Allowed,
        };

    private static FuzzTarget S3List() =>
        new(
            "s3-list",
            [
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult><Name>bucket</Name><Prefix>p/0000/</Prefix><KeyCount>2</KeyCount><IsTruncated>false</IsTruncated><Contents><Key>p/0000/0000000000000001-0000000000000001.ltx</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;x&quot;</ETag><Size>700</Size></Contents><Contents><Key>p/0000/y</Key><Size>1</Size></Contents></ListBucketResult>"u8.ToArray(),
                "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken><Contents><Key>p/0000/a</Key><Size>9</Size></Contents></ListBucketResult>"u8.ToArray(),
                "<Error><Code>SlowDown</Code><Message>m</Message></Error>"u8.ToArray(),
            ],
            answer =>
            {
                using var server = new FixedAnswer(answer);
                var store = new S3ObjectStore(S3ServerErrorsTests.Options("http://host:9000"), server);
                Wait(ListAsync(store));
            }
        )
        {
            Measured = false,
            ShortRun = 300,
        };

    private static FuzzTarget Config()
    {
        var source = new ConfigSource(new ObjectStoreFactory(S3ObjectStore.Backend)) { Environment = _ => "x" };
        return new(
            "config",
            [
                "dbs:\n  - path: /a/b.db\n    replicas:\n      - url: s3://bucket/x\n        sync-interval: 1s\n      - path: /r\n"u8.ToArray(),
                "x-a: &a {path: /r}\nstrict: false\ndbs:\n  - path: ${HOME}/x.db\n    replica: *a\n  - {path: /y, replica: {<<: *a}}\naddr: \":9090\"\n"u8.ToArray(),
                "levels: [{interval: 30s}, {interval: 5m}]\nsnapshot: {interval: 24h, retention: 48h}\nlogging:\n  level: debug\n"u8.ToArray(),
                "a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: [[[[[[[[[[*b]]]]]]]]]]\n---\nother: 1\n"u8.ToArray(),
            ],
            bytes => LitestreamConfig.Parse("c.yml", Encoding.UTF8.GetString(bytes), source)
        )
        {
            // Text becomes objects: of each value its place, its name and its text.
            Allowed = size => (400L * size) + (4 * FuzzTarget.FourPages),
            ShortRun = 1000,
        };
    }

    private static FuzzTarget Sidecar()
    {
        var folder = new TempFolder();
        var sidecar = new TxidSidecar(DurableFiles.System, folder.Combine("x.db"));
        AppDomain.CurrentDomain.ProcessExit += (_, _) => folder.Dispose();
        return new(
            "txid-sidecar",
            ["000000000000000a\n"u8.ToArray(), "00000000000000FF\r\n \n"u8.ToArray()],
            bytes =>
            {
                File.WriteAllBytes(sidecar.Path, bytes);
                sidecar.Read();
            }
        )
        {
            ShortRun = 1000,
        };
    }

    private static List<byte[]> LtxSeeds() =>
        [
            LtxSamples.Snapshot(),
            LtxSamples.LegacySnapshot(),
            LtxSamples.Increment(),
            LtxForge.File(65536, 3, legacy: false),
            LtxForge.File(1024, 40, legacy: true),
        ];

    private static IEnumerable<byte[]> Lz4Seeds()
    {
        var page = LtxSamples.RandomPage(new Random(7), 512);
        yield return Lz4FrameTests.Build(page, 4, true, true, true, true, false, 200);
        yield return Lz4FrameTests.Build(page, 7, false, false, false, true, false, 4 << 20);
        yield return Lz4FrameTests.Build(new byte[300_000], 7, true, false, false, false, false, 70_000);
        yield return Lz4FrameTests.Build(page, 5, false, true, false, false, true, 300);
    }

    // The check byte of the descriptor, which else stops three of four inputs.
    private static byte[] Lz4Forge(Random random, byte[] frame)
    {
        if (frame.Length < 16)
            return frame;
        var at = (frame[4] & 0x08) != 0 ? 14 : 6;
        frame[at] = (byte)(XxHash32.Hash(frame.AsSpan(4, at - 4)) >> 8);
        return frame;
    }

    // Rented buffers are powers of two: twice what is asked for.
    private static long Lz4Allowed(int size) => (2 * (size + Math.Min((4 << 20) + 65536, 255L * size))) + FuzzTarget.FourPages;

    private static void Decode(byte[] file, long? length) => Wait(DecodeAsync(file, length));

    private static async Task<bool> DecodeAsync(byte[] file, long? length)
    {
        // As small a buffer as a reader may have, so that the bound is the parser's and not the buffer's.
        await using var decoder = await LtxDecoder.OpenAsync(new MemoryStream(file), length, 0, "fuzz", CancellationToken.None);
        var page = new byte[decoder.Header.PageSize];
        while (await decoder.ReadPageAsync(page, CancellationToken.None) != 0) { }
        await decoder.FinishAsync(CancellationToken.None);
        return true;
    }

    private static async Task<bool> MergeAsync(byte[] first, byte[] second)
    {
        await using var a = await LtxDecoder.OpenAsync(new MemoryStream(first), first.Length, CancellationToken.None);
        await using var b = await LtxDecoder.OpenAsync(new MemoryStream(second), second.Length, CancellationToken.None);
        using var pages = LtxMerger.Open([a, b]);
        while (await pages.MoveNextAsync(CancellationToken.None)) { }
        return true;
    }

    private static async Task<bool> DrainAsync(Stream stream)
    {
        await using (stream)
        {
            var buffer = new byte[4096];
            while (await stream.ReadAsync(buffer) > 0) { }
        }
        return true;
    }

    private static async Task<bool> ListAsync(S3ObjectStore store)
    {
        await using (store)
            await foreach (var found in store.ListAsync("0000/", null, CancellationToken.None))
                if (found.SizeBytes < 0 || !found.Key.StartsWith("0000/", StringComparison.Ordinal))
                    throw new InvalidOperationException($"listed {found}");
        return true;
    }

    private static readonly byte[] s_snapshot = V3Sample.Compress(V3Sample.Database(1, 2));
    private static readonly byte[] s_segment = V3Sample.Compress(new WalBuilder().Frame(2, 3, 1).ToArray());

    private static void V3Restore(byte[]? snapshot, byte[]? segment)
    {
        var (first, wal) = (snapshot ?? s_snapshot, segment ?? s_segment);
        var plan = new V3Plan(new V3Snapshot(V3Sample.A, 0, first.Length, default), [new V3Segment(V3Sample.A, 0, 0, wal.Length, default)]);
        var store = new MemoryObjectStore();
        store.Write(plan.Snapshot.Key, first);
        store.Write(plan.Segments[0].Key, wal);
        var restorer = new V3Restorer(store, 1, TimeProvider.System, NullLogger.Instance);
        Wait(restorer.WriteAsync(plan, new NowhereStream(), CancellationToken.None));
    }

    // Everything here completes at once, on this thread: its memory can be told.
    private static T Wait<T>(Task<T> task) => task.GetAwaiter().GetResult();

    private sealed class FixedAnswer(byte[] answer) : HttpMessageHandler
    {
        private int _answers;

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (++_answers > 5000)
                throw new InvalidOperationException("a listing without end");
            var content = new ByteArrayContent(answer);
            content.Headers.ContentType = new("application/xml");
            return Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK) { Content = content, RequestMessage = request });
        }
    }
}
