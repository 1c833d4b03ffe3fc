using System.Buffers.Binary;
using System.Net;
using System.Text;
using Litestream.Cli;
using Litestream.Cli.Commands;
using Litestream.IO;
using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Restore;
using Litestream.S3;
using Litestream.Sqlite;
using Litestream.Tests.S3;
using Testing;
using Xunit;

namespace Litestream.Tests.Fuzz;

/// <summary>Inputs that have broken something, here or in Litestream 0.5.17: each one a typed error.</summary>
public sealed class HostileInputTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>The genuine 0.5.17 panics: slice bounds out of range.</summary>
    [Fact]
    public async Task FileThatBreaks0517_CutInItsIndex_IsCorrupt()
    {
        var file = LtxForge.File(1024, 40, legacy: false);
        for (var length = file.Length - 1; length > file.Length - 300; length--)
            await RefusedAsync(file[..length]);
    }

    /// <summary>The genuine 0.5.17 asks the system for what the file says that it needs.</summary>
    [Theory]
    [InlineData(0x7fffffffu)]
    [InlineData(0xffffffffu)]
    [InlineData(0x40000000u)]
    public async Task FileThatBreaks0517_336BytesThatAskForGigabytes_IsCorruptAndAllocatesNothing(uint size)
    {
        var file = LtxForge.File(512, 20, legacy: false)[..336];
        BinaryPrimitives.WriteUInt32BigEndian(file.AsSpan(LtxHeader.Size + LtxPageHeader.Size), size);
        await RefusedAsync(file);
        // The same of the index and of the database.
        var whole = LtxForge.File(512, 2, legacy: false);
        BinaryPrimitives.WriteUInt64BigEndian(whole.AsSpan(whole.Length - LtxPageIndex.TailSize), (ulong)size << 20);
        await RefusedAsync(whole);
        whole = LtxForge.File(512, 2, legacy: false);
        BinaryPrimitives.WriteUInt32BigEndian(whole.AsSpan(12), size);
        await RefusedAsync(whole);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task FileThatBreaks0517_OneFlippedByteInAPage_IsCorrupt(bool legacy)
    {
        var file = LtxForge.File(4096, 1, legacy);
        var refused = 0;
        for (var at = LtxHeader.Size + 10; at < file.Length - 60; at++)
        {
            var flipped = file.ToArray();
            flipped[at] ^= 0x40;
            try
            {
                await DecodeAsync(flipped);
            }
            catch (LitestreamException e)
            {
                Assert.Equal(LitestreamError.Corrupt, e.Error);
                refused++;
            }
        }
        // LZ4 can say the same in two ways; nearly every byte is content.
        Assert.InRange(refused, (file.Length - 80 - LtxHeader.Size) * 9 / 10, file.Length);
    }

    [Theory]
    [InlineData("cut-in-index")]
    [InlineData("huge-page-size-prefix")]
    [InlineData("huge-index-size")]
    [InlineData("huge-commit")]
    [InlineData("flip-page-data")]
    [InlineData("flip-page-data-late")]
    public async Task GenuineFileThatBreaks0517_IsCorrupt(string name)
    {
        var refused = 0;
        foreach (
            var path in Directory.GetFiles(Fixtures.PathOf("litestream", "errors", name, "replica"), "*.ltx", SearchOption.AllDirectories)
        )
        {
            try
            {
                await DecodeAsync(await File.ReadAllBytesAsync(path, Cancel));
            }
            catch (LitestreamException e)
            {
                Assert.Equal(LitestreamError.Corrupt, e.Error);
                refused++;
            }
        }
        Assert.InRange(refused, 1, 2);
    }

    [Fact]
    public async Task S3Listing_KeyOutsideThePrefix_IsPassedOver()
    {
        var found = await ListAsync(_ =>
            "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>x</Key><Size>1</Size></Contents><Contents><Size>1</Size></Contents><Contents><Key>p/0000/k</Key><Size>1</Size></Contents></ListBucketResult>"
        );
        Assert.Equal(["0000/k"], found.Select(f => f.Key));
    }

    [Theory]
    [InlineData(
        "<NextContinuationToken>same</NextContinuationToken><Contents><Key>p/0000/k</Key><Size>1</Size></Contents>",
        "again and again"
    )]
    [InlineData("<Contents><Key>p/0000/k</Key><Size>1</Size></Contents>", "more is to come")]
    [InlineData("<NextContinuationToken>$N</NextContinuationToken>", "again and again")]
    [InlineData(
        "<NextContinuationToken>$N</NextContinuationToken><Contents><Key>p/0000/k</Key><Size>1</Size></Contents>",
        "again and again"
    )]
    public async Task S3Listing_WithoutEnd_IsAnErrorAndNotHalfAListing(string page, string reason)
    {
        var failure = await Assert.ThrowsAsync<LitestreamException>(() =>
            ListAsync(n =>
                $"<ListBucketResult><IsTruncated>true</IsTruncated>{page.Replace("$N", $"t{n}", StringComparison.Ordinal)}</ListBucketResult>"
            )
        );
        Assert.Equal(LitestreamError.Unavailable, failure.Error);
        Assert.Contains(reason, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task S3Listing_NegativeSize_IsAnError()
    {
        var failure = await Assert.ThrowsAsync<LitestreamException>(() =>
            ListAsync(_ => "<ListBucketResult><Contents><Key>p/0000/k</Key><Size>-1</Size></Contents></ListBucketResult>")
        );
        Assert.Contains("-1 bytes", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("file:///a%00b")]
    [InlineData("s3://b/a%00b")]
    [InlineData("sftp://u%00:p@h/x")]
    [InlineData("s3://b/x?region=%00")]
    public void Url_ZeroByteBehindAnEscape_IsAnError(string url) =>
        Assert.Equal(LitestreamError.InvalidConfiguration, Assert.Throws<LitestreamException>(() => ReplicaUrl.Parse(url)).Error);

    [Fact]
    public void Config_AliasesThatStandForBillions_AreAnError()
    {
        var text = new StringBuilder("a0: &a0 [x, x, x, x, x, x, x, x]\n");
        for (var i = 1; i < 12; i++)
            text.Append($"a{i}: &a{i} [").AppendJoin(", ", Enumerable.Repeat($"*a{i - 1}", 8)).Append("]\n");
        var failure = Refused(text.ToString());
        Assert.Contains("with what the aliases stand for", failure.Message, StringComparison.Ordinal);
        Assert.Contains("c.yml:6", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[")]
    [InlineData("{a: ")]
    [InlineData("- ")]
    [InlineData("&a ")]
    [InlineData("? ")]
    public void Config_DeepNesting_IsAnErrorAndNoOverflow(string open) => Refused("dbs: " + string.Concat(Enumerable.Repeat(open, 20_000)));

    [Fact]
    public void Config_ManyKeysInOneGroup_TakesNoQuadraticTime()
    {
        var text = new StringBuilder("strict: false\n");
        for (var i = 0; i < 40_000; i++)
            text.Append($"k{i}: 1\n");
        LitestreamConfig.Parse("c.yml", text.ToString(), new ConfigSource(new ObjectStoreFactory()));
    }

    [Fact]
    public void Time_LongerAgoThanTimeItself_IsAnError() =>
        Assert.Throws<CliException>(() => RestoreTime.Parse("99999999h ago", TimeProvider.System));

    [Theory]
    [InlineData(0)]
    [InlineData(47)]
    [InlineData(48)]
    public void WalIndex_NoHeader_IsAnError(int length) =>
        Assert.Equal(LitestreamError.Database, Assert.Throws<LitestreamException>(() => WalIndexHeader.Read(new byte[length])).Error);

    [Fact]
    public void Sidecar_LongerThanOneCanBe_IsNotRead()
    {
        using var folder = new TempFolder();
        var sidecar = new TxidSidecar(DurableFiles.System, folder.Combine("x.db"));
        using (var file = File.Create(sidecar.Path))
            file.SetLength(8L << 30);
        Assert.Equal(LitestreamError.Corrupt, Assert.Throws<LitestreamException>(() => sidecar.Read()).Error);
    }

    private static LitestreamException Refused(string config) =>
        Assert.Throws<LitestreamException>(() => LitestreamConfig.Parse("c.yml", config, new ConfigSource(new ObjectStoreFactory())));

    private static async Task RefusedAsync(byte[] file)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        var failure = await Assert.ThrowsAsync<LitestreamException>(() => DecodeAsync(file));
        Assert.Equal(LitestreamError.Corrupt, failure.Error);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, file.Length + FuzzTarget.FourPages);
    }

    private static async Task DecodeAsync(byte[] file)
    {
        await using var decoder = await LtxDecoder.OpenAsync(new MemoryStream(file), file.Length, Cancel);
        await decoder.FinishAsync(Cancel);
    }

    private static async Task<List<StoredObject>> ListAsync(Func<int, string> answer)
    {
        using var server = new Pages(answer);
        await using var store = new S3ObjectStore(S3ServerErrorsTests.Options("http://host:9000"), server);
        var found = new List<StoredObject>();
        await foreach (var stored in store.ListAsync("0000/", null, Cancel))
            found.Add(stored);
        return found;
    }

    private sealed class Pages(Func<int, string> answer) : HttpMessageHandler
    {
        private int _requests;

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(
                new HttpResponseMessage(HttpStatusCode.OK)
                {
                    Content = new StringContent(answer(++_requests), Encoding.UTF8, "application/xml"),
                    RequestMessage = request,
                }
            );
    }
}
