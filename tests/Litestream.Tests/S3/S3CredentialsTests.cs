using Litestream.Replicas;
using Litestream.S3;
using Testing;
using Xunit;

namespace Litestream.Tests.S3;

/// <summary>The default chain of AWS, which reads the environment of this process: so these tests stand alone.</summary>
[CollectionDefinition(nameof(S3CredentialsTests), DisableParallelization = true)]
[Collection(nameof(S3CredentialsTests))]
public sealed class S3CredentialsTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly Dictionary<string, string?> _before = [];

    public S3CredentialsTests()
    {
        Set("AWS_EC2_METADATA_DISABLED", "true");
        Set("AWS_SHARED_CREDENTIALS_FILE", _folder.Combine("credentials"));
        Set("AWS_CONFIG_FILE", _folder.Combine("config"));
        foreach (var name in (string[])["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"])
            Set(name, null);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        foreach (var (name, value) in _before)
            Environment.SetEnvironmentVariable(name, value);
        _folder.Dispose();
    }

    [Fact]
    public async Task NoCredentialsAnywhere_IsAccessDeniedBeforeAnyRequest_AndHealsWhenTheyAppear()
    {
        await using var store = Open(out var sent);
        var e = await Assert.ThrowsAsync<LitestreamException>(() => store.HeadAsync("k", Cancel));
        Assert.Equal(LitestreamError.AccessDenied, e.Error);
        Assert.True(e.IsTransient);
        Assert.NotNull(e.Hint);
        Assert.Empty(sent);
        Set("AWS_ACCESS_KEY_ID", "FROMENVIRONMENT");
        Set("AWS_SECRET_ACCESS_KEY", "very-secret-secret");
        Assert.Null(await store.HeadAsync("k", Cancel));
        Assert.Contains("Credential=FROMENVIRONMENT/", Assert.Single(sent), StringComparison.Ordinal);
    }

    private static S3ObjectStore Open(out List<string> sent)
    {
        sent = [];
        var options = S3Options.Create(new ReplicaOptions { Url = ReplicaUrl.Parse("s3://bucket/p?endpoint=http://host") }, _ => null);
        return new S3ObjectStore(options, new MissingObjects(sent));
    }

    private void Set(string name, string? value)
    {
        _before.TryAdd(name, Environment.GetEnvironmentVariable(name));
        Environment.SetEnvironmentVariable(name, value);
    }

    private sealed class MissingObjects(List<string> sent) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            sent.Add(request.Headers.GetValues("Authorization").Single());
            return Task.FromResult(
                new HttpResponseMessage(System.Net.HttpStatusCode.NotFound) { Content = new ByteArrayContent([]), RequestMessage = request }
            );
        }
    }
}
