using Litestream.IO;
using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Restore;
using Litestream.Tests.Ltx;
using Microsoft.Extensions.Logging.Abstractions;
using Testing;
using Xunit;

namespace Litestream.Tests.Restore;

/// <summary>A replica in memory with a known database behind each transaction.</summary>
internal sealed class SampleReplica : IAsyncDisposable
{
    public const int PageSize = 512;

    private readonly Dictionary<ulong, byte[]> _states = [];

    private SampleReplica(TimeProvider? time)
    {
        Store = new MemoryObjectStore(time);
        Client = new ReplicaClient(Store, ReplicaLayout.Folders);
    }

    public MemoryObjectStore Store { get; }

    public ReplicaClient Client { get; }

    public static DateTimeOffset TimeOf(ulong txid) => DateTimeOffset.FromUnixTimeMilliseconds(1_800_000_000_000 + (long)txid * 1000);

    /// <summary>Level-0 files from 1 to <paramref name="count"/>; the first holds <paramref name="pages"/> pages, the others one or two.</summary>
    public static async Task<SampleReplica> CreateAsync(int count, uint pages = 5, TimeProvider? time = null, int seed = 1)
    {
        var replica = new SampleReplica(time);
        var random = new Random(seed);
        var database = new SortedDictionary<uint, byte[]>();
        for (ulong txid = 1; txid <= (ulong)count; txid++)
        {
            var changed = new SortedDictionary<uint, byte[]>();
            for (uint n = 1; n <= pages; n++)
            {
                if (txid == 1 || n == txid % pages + 1)
                    database[n] = changed[n] = LtxSamples.RandomPage(random, PageSize);
            }
            await replica.AddAsync(0, txid, txid, changed, pages);
            replica._states[txid] = [.. database.Values.SelectMany(p => p)];
        }
        return replica;
    }

    public byte[] State(ulong txid) => _states[txid];

    public static string Key(int level, ulong min, ulong max) => ReplicaLayout.Folders.Key(level, new Txid(min), new Txid(max));

    public async Task AddAsync(
        int level,
        ulong min,
        ulong max,
        IReadOnlyDictionary<uint, byte[]> pages,
        uint commit,
        int pageSize = PageSize
    )
    {
        var header = new LtxHeader
        {
            PageSize = pageSize,
            Commit = commit,
            MinTxid = new Txid(min),
            MaxTxid = new Txid(max),
            Timestamp = TimeOf(max),
            NoChecksum = true,
        };
        Store.Write(Key(level, min, max), await LtxSamples.EncodeAsync(header, pages), TimeOf(max));
    }

    /// <summary>Merges the level-0 files of a range into one of another level.</summary>
    public async Task CompactAsync(int level, ulong min, ulong max, bool removeSources)
    {
        var output = new MemoryStream();
        var decoders = new List<LtxDecoder>();
        for (var txid = min; txid <= max; txid++)
            decoders.Add(
                await LtxDecoder.OpenAsync(new MemoryStream(Store.Read(Key(0, txid, txid))), null, TestContext.Current.CancellationToken)
            );
        await LtxMerger.MergeAsync(decoders, output, legacyPageFrames: false, TestContext.Current.CancellationToken);
        Store.Write(Key(level, min, max), output.ToArray(), TimeOf(max));
        for (var txid = min; removeSources && txid <= max; txid++)
            Store.Remove(Key(0, txid, txid));
    }

    public Task<RestoreResult> RestoreAsync(
        string output,
        RestoreTarget? target = null,
        DurableFiles? files = null,
        TimeProvider? time = null,
        IntegrityCheckMode check = IntegrityCheckMode.None,
        CancellationToken? cancel = null
    ) =>
        new DatabaseRestorer(files ?? DurableFiles.System, time ?? TimeProvider.System, NullLogger.Instance).RestoreAsync(
            Client,
            new RestoreOptions
            {
                OutputPath = output,
                Target = target ?? RestoreTarget.Latest,
                IntegrityCheck = check,
            },
            cancel ?? TestContext.Current.CancellationToken
        );

    public ValueTask DisposeAsync() => Client.DisposeAsync();
}
