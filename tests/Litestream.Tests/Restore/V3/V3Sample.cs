using System.Buffers.Binary;
using System.Globalization;
using Litestream.IO;
using Litestream.Replicas;
using Litestream.Restore;
using Litestream.Sqlite;
using Litestream.Tests.Ltx;
using Litestream.Tests.Sqlite;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Testing;
using Xunit;

namespace Litestream.Tests.Restore.V3;

/// <summary>A backup in the layout of Litestream 0.3, made by hand: pages that are filled with one byte, one object a second.</summary>
internal sealed class V3Sample : IAsyncDisposable
{
    internal const string A = "0123456789abcdef";
    internal const string B = "00000000000000b0";
    internal const int PageSize = 512;
    internal const int FrameSize = 24 + PageSize;

    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));
    private readonly TempFolder _folder = new();
    private uint _lives;

    internal V3Sample()
    {
        Store = new MemoryObjectStore(_time);
        Client = new ReplicaClient(Store, ReplicaLayout.Folders);
    }

    internal MemoryObjectStore Store { get; }

    internal ReplicaClient Client { get; }

    internal DateTimeOffset Now => _time.GetUtcNow();

    internal string Output => Path.Combine(_folder.Path, "out", "restored.db");

    /// <summary>A database: page 1 with a header, each other page filled with one byte.</summary>
    internal static byte[] Database(params byte[] fills)
    {
        var bytes = new byte[(fills.Length + 1) * PageSize];
        "SQLite format 3\0"u8.CopyTo(bytes);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(16), PageSize);
        bytes[18] = bytes[19] = 2;
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(28), (uint)fills.Length + 1);
        for (var i = 0; i < fills.Length; i++)
            bytes.AsSpan((i + 1) * PageSize, PageSize).Fill(fills[i]);
        return bytes;
    }

    /// <summary>A new life of the WAL.</summary>
    internal WalBuilder Wal(int pageSize = PageSize) => new(pageSize, salt: new WalSalt(1000 + ++_lives, _lives * 77));

    internal static string SnapshotKey(string generation, uint index) => $"generations/{generation}/snapshots/{index:x8}.snapshot.lz4";

    internal static string SegmentKey(string generation, uint index, long offset) =>
        string.Create(CultureInfo.InvariantCulture, $"generations/{generation}/wal/{index:x8}_{offset:x8}.wal.lz4");

    internal static byte[] Compress(byte[] content) => Lz4FrameTests.Build(content, 7, false, false, false, true, false, 4 << 20);

    internal void Snapshot(string generation, uint index, byte[] database) => Put(SnapshotKey(generation, index), Compress(database));

    /// <summary>The whole WAL in segments that end behind the frames named; the last one ends with the WAL.</summary>
    internal void Segments(string generation, uint index, WalBuilder wal, params int[] ends)
    {
        var bytes = wal.ToArray();
        var at = 0;
        foreach (var end in ends.Select(frames => 32 + (frames * FrameSize)).Append(bytes.Length))
        {
            Put(SegmentKey(generation, index, at), Compress(bytes[at..end]));
            at = end;
        }
    }

    /// <summary>Puts an object; the clock goes on by a second before.</summary>
    internal void Put(string key, byte[] content)
    {
        _time.Advance(TimeSpan.FromSeconds(1));
        Store.Write(key, content);
    }

    internal async Task<byte[]> RestoreAsync(RestoreTarget? target = null, ILogger? log = null, DurableFiles? files = null)
    {
        if (File.Exists(Output))
            File.Delete(Output);
        var restorer = new DatabaseRestorer(files ?? DurableFiles.System, TimeProvider.System, log ?? NullLogger.Instance);
        var options = new RestoreOptions { OutputPath = Output, Target = target ?? RestoreTarget.Latest };
        var result = await restorer.RestoreAsync(Client, options, TestContext.Current.CancellationToken);
        var bytes = await File.ReadAllBytesAsync(Output, TestContext.Current.CancellationToken);
        Assert.Equal(bytes.Length, result.SizeBytes);
        return bytes;
    }

    /// <summary>A restore that must fail; nothing may be left behind.</summary>
    internal async Task<LitestreamException> FailAsync(RestoreTarget? target = null)
    {
        var failure = await Assert.ThrowsAsync<LitestreamException>(() => RestoreAsync(target));
        if (Directory.Exists(Path.GetDirectoryName(Output)))
            Assert.Empty(Directory.GetFileSystemEntries(Path.GetDirectoryName(Output)!));
        return failure;
    }

    public async ValueTask DisposeAsync()
    {
        await Client.DisposeAsync();
        _folder.Dispose();
    }
}
