using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Restore;
using Litestream.Tests.Ltx;
using Microsoft.Extensions.Time.Testing;
using Testing;
using Xunit;

namespace Litestream.Tests.Restore;

/// <summary>Files that come over several connections at once.</summary>
public sealed class RestoreDownloadsTests : IAsyncLifetime
{
    private const int Pages = 7000; // of 4 KiB, half of which compresses: four parts

    private readonly FakeTimeProvider _time = new();
    private SampleReplica _replica = null!;
    private byte[] _database = null!;
    private string _key = "";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        var random = new Random(5);
        var pages = Enumerable.Range(1, Pages).ToDictionary(n => (uint)n, _ => LtxSamples.RandomPage(random, 4096));
        _replica = await SampleReplica.CreateAsync(0);
        await _replica.AddAsync(9, 1, 7, pages, Pages, pageSize: 4096);
        pages[2] = LtxSamples.RandomPage(random, 4096);
        await _replica.AddAsync(0, 8, 8, new Dictionary<uint, byte[]> { [2] = pages[2] }, Pages, pageSize: 4096);
        _database = [.. pages.OrderBy(p => p.Key).SelectMany(p => p.Value)];
        _key = SampleReplica.Key(9, 1, 7);
        Assert.InRange(_replica.Store.Read(_key).Length, (3 * RestoreDownloads.PartSize) + 1, 4 * RestoreDownloads.PartSize);
    }

    public ValueTask DisposeAsync() => _replica.DisposeAsync();

    [Fact]
    public async Task LargeFile_ComesInParts_AllAtOnce()
    {
        await using var gate = new GatedStore(_replica.Store, openAtOnce: 5);
        var bytes = await RestoreAsync(gate, parallelism: 8);
        Assert.Equal(_database, bytes);
        Assert.Equal(
            [
                (0L, (long?)RestoreDownloads.PartSize),
                (RestoreDownloads.PartSize, RestoreDownloads.PartSize),
                (2 * RestoreDownloads.PartSize, RestoreDownloads.PartSize),
                (3 * RestoreDownloads.PartSize, null),
            ],
            gate.Opened.Where(o => o.Key == _key).Select(o => (o.Offset, o.Length)).Order()
        );
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [Trait("Scenario", "I29")]
    public async Task PartsAtOnce_NeverMoreThanAsked(int parallelism)
    {
        await using var gate = new GatedStore(_replica.Store, openAtOnce: 0);
        Assert.Equal(_database, await RestoreAsync(gate, parallelism));
        Assert.InRange(gate.MostAtOnce, 1, parallelism);
    }

    [Fact]
    public async Task StoreWithoutRanges_LargeFileComesOverOneConnection()
    {
        _replica.Store.SetCapabilities(_replica.Store.Capabilities with { Ranges = false });
        await using var gate = new GatedStore(_replica.Store, openAtOnce: 0);
        Assert.Equal(_database, await RestoreAsync(gate, 8));
        Assert.Equal([(_key, 0L, (long?)null)], gate.Opened.Where(o => o.Key == _key));
    }

    [Fact]
    [Trait("Scenario", "I15")]
    public async Task ConnectionsDropRepeatedly_EveryPartGoesOnWhereItBroke()
    {
        var seen = 0;
        _replica.Store.Fault = call =>
            call.Operation == "GET" && Interlocked.Increment(ref seen) <= 6 ? StoreFault.Break(1_000_000 + seen) : null;
        Assert.Equal(_database, await RestoreAsync(_replica.Store.Share(), 4, _replica.Store));
        Assert.True(seen > 6);
    }

    [Fact]
    [Trait("Scenario", "J8")]
    public async Task ConnectionsAlwaysDrop_TheNumberOfConnectionsIsBounded()
    {
        var opened = 0;
        _replica.Store.Fault = call =>
        {
            if (call.Operation == "GET")
                Interlocked.Increment(ref opened);
            return call.Operation == "GET" ? StoreFault.Break(100_000) : null;
        };
        using var folder = new TempFolder();
        var exception = await Assert.ThrowsAsync<LitestreamException>(() => RunAsync(_replica.Client, folder.Combine("out.db"), 4));
        Assert.Equal(LitestreamError.Unavailable, exception.Error);
        Assert.InRange(opened, 4, 4 * 4);
        Assert.Empty(folder.Contents());
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1000)]
    [Trait("Scenario", "I12")]
    public async Task FileIsShorterOrLongerThanListed_IsAnError(int difference)
    {
        var content = _replica.Store.Read(_key);
        await using var lying = new GatedStore(_replica.Store, openAtOnce: 0) { ListedSizes = { [_key] = content.Length - difference } };
        await using var client = new ReplicaClient(lying, ReplicaLayout.Folders);
        using var folder = new TempFolder();
        var exception = await Assert.ThrowsAsync<LitestreamException>(() => RunAsync(client, folder.Combine("out.db"), 8));
        Assert.Contains("level 9 file 0000000000000001-0000000000000007.ltx", exception.Message, StringComparison.Ordinal);
        Assert.Empty(folder.Contents());
    }

    private async Task<byte[]> RestoreAsync(ObjectStore store, int parallelism, MemoryObjectStore? faults = null)
    {
        await using var client = faults is null ? new ReplicaClient(store, ReplicaLayout.Folders) : null;
        using var folder = new TempFolder();
        await RunAsync(client ?? _replica.Client, folder.Combine("out.db"), parallelism);
        return await File.ReadAllBytesAsync(folder.Combine("out.db"), Cancel);
    }

    private async Task RunAsync(ReplicaClient client, string output, int parallelism)
    {
        var restore = new DatabaseRestorer(
            Litestream.IO.DurableFiles.System,
            _time,
            Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance
        ).RestoreAsync(client, new RestoreOptions { OutputPath = output, Parallelism = parallelism }, Cancel);
        while (!restore.IsCompleted)
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.WhenAny(restore, Task.Delay(1, Cancel));
        }
        await restore;
    }

    /// <summary>Counts openings; the first ones open only when so many are asked for at once.</summary>
    private sealed class GatedStore(MemoryObjectStore inner, int openAtOnce) : ObjectStore
    {
        private readonly TaskCompletionSource _all = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _open;

        public List<(string Key, long Offset, long? Length)> Opened { get; } = [];

        public Dictionary<string, long> ListedSizes { get; } = [];

        public int MostAtOnce { get; private set; }

        public override StoreCapabilities Capabilities => inner.Capabilities;

        public override string Kind => "gated";

        public override string Location => "gated://";

        protected internal override async IAsyncEnumerable<StoredObject> ListCoreAsync(
            string prefix,
            string? after,
            [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken
        )
        {
            await foreach (var stored in inner.ListAsync(prefix, after, cancellationToken))
                yield return ListedSizes.TryGetValue(stored.Key, out var size) ? stored with { SizeBytes = size } : stored;
        }

        protected internal override async Task<Stream> OpenCoreAsync(
            string key,
            long offset,
            long? length,
            CancellationToken cancellationToken
        )
        {
            lock (Opened)
            {
                Opened.Add((key, offset, length));
                MostAtOnce = Math.Max(MostAtOnce, ++_open);
                if (Opened.Count >= openAtOnce)
                    _all.TrySetResult();
            }
            if (openAtOnce > 0)
                await _all.Task.WaitAsync(TimeSpan.FromSeconds(30), cancellationToken);
            await Task.Yield();
            return new CountedStream(await inner.OpenAsync(key, offset, length, cancellationToken), Closed);
        }

        protected internal override Task<StoredObject> PutCoreAsync(
            string key,
            Stream content,
            PutOptions options,
            CancellationToken cancellationToken
        ) => throw new NotSupportedException();

        protected internal override Task<StoredObject?> HeadCoreAsync(string key, CancellationToken cancellationToken) =>
            inner.HeadAsync(key, cancellationToken);

        protected internal override Task DeleteCoreAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        private void Closed()
        {
            lock (Opened)
                _open--;
        }
    }

    private sealed class CountedStream(Stream inner, Action closed) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count) => inner.Read(buffer, offset, count);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            inner.ReadAsync(buffer, cancellationToken);

        public override void Flush() { }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            inner.Dispose();
            closed();
            base.Dispose(disposing);
        }
    }
}
