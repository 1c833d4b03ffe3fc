using Litestream.Diagnostics;
using Litestream.IO;
using Litestream.Replicas;
using Litestream.S3;
using Testing;
using Testing.Servers;
using Xunit;

namespace Litestream.Tests.Contracts;

/// <summary>A real folder.</summary>
public sealed class FileObjectStoreContract : ObjectStoreContract
{
    private readonly TempFolder _folder = new();

    [Fact]
    public async Task TemporaryFiles_AfterFailuresAndRaces_AreGone()
    {
        await Put_ManyWritersOfOneKey_OneOfThemWinsWhole();
        await IfTag_SixteenWriters_OneWins();
        Assert.DoesNotContain(_folder.Contents(), name => name.EndsWith(".tmp", StringComparison.Ordinal));
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _folder.Dispose();
    }

    protected override Task<ObjectStore> OpenEmptyAsync() =>
        Task.FromResult<ObjectStore>(new FileObjectStore(DurableFiles.System, _folder.Combine("not", "there", "yet")));
}

/// <summary>A folder on the simulated disk: proves that the store touches the disk through its seam alone.</summary>
public sealed class SimulatedDiskObjectStoreContract : ObjectStoreContract
{
    protected override int LargeSize => 1 << 20;

    protected override Task<ObjectStore> OpenEmptyAsync() =>
        Task.FromResult<ObjectStore>(new FileObjectStore(new SimulatedDisk(), "/replica/app"));
}

/// <summary>The store that the engine's own tests use; it must be no kinder than the real ones.</summary>
public sealed class MemoryObjectStoreContract : ObjectStoreContract
{
    protected override Task<ObjectStore> OpenEmptyAsync() => Task.FromResult<ObjectStore>(new MemoryObjectStore());
}

/// <summary>The wrapper that counts changes nothing.</summary>
public sealed class MeteredObjectStoreContract : ObjectStoreContract
{
    protected override Task<ObjectStore> OpenEmptyAsync() =>
        Task.FromResult<ObjectStore>(new MeteredObjectStore(new MemoryObjectStore(), new ReplicaOperationMetrics()));
}

/// <summary>A real S3 server.</summary>
public sealed class S3ObjectStoreContract : ObjectStoreContract
{
    [Fact]
    public async Task List_MoreThanOnePage_ShowsAll()
    {
        var keys = Enumerable.Range(0, 1105).Select(i => $"page/{i:d5}").ToList();
        await Parallel.ForEachAsync(
            keys,
            new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = Cancel },
            async (key, _) => await PutAsync(key, [1])
        );
        Assert.Equal(keys, await KeysAsync("page/", null));
        Assert.Equal(keys.Skip(3), await KeysAsync("page/", "page/00002"));
        await Store.DeleteAsync(keys, Cancel);
        Assert.Empty(await KeysAsync("", null));
    }

    [Fact]
    public async Task Put_LargeContentFails_LeavesNoUploadBehind()
    {
        await Put_ContentFails_LeavesNothing();
        await Cancellation_InTheMiddleOfAPut_LeavesNothing();
        var server = await RadosGateway.GetAsync();
        using var client = server.CreateClient();
        var uploads = await client.ListMultipartUploadsAsync(_bucket, Cancel);
        Assert.Empty(uploads.MultipartUploads ?? []);
    }

    [Fact]
    public async Task Keys_LieBelowThePathOfTheUrl()
    {
        await PutAsync("0000/x", [1]);
        var server = await RadosGateway.GetAsync();
        using var client = server.CreateClient();
        var found = await client.ListObjectsV2Async(new() { BucketName = _bucket }, Cancel);
        Assert.Equal("deep/path/0000/x", Assert.Single(found.S3Objects).Key);
    }

    private string _bucket = "";

    protected override async Task<ObjectStore> OpenEmptyAsync()
    {
        foreach (var program in RadosGateway.Programs)
            Require.Program(program, RadosGateway.Packages);
        var server = await RadosGateway.GetAsync();
        _bucket = await server.CreateBucketAsync();
        return S3ObjectStore.Backend.Open(server.Options(_bucket, "deep//path/"));
    }
}
