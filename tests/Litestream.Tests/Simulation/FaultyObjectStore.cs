using System.Runtime.CompilerServices;
using Litestream.Replicas;
using Testing;

namespace Litestream.Tests.Simulation;

/// <summary>Another store, whose calls fail before or after their effect as told.</summary>
internal sealed class FaultyObjectStore(ObjectStore inner, Func<StoreCall, StoreFault?> fault) : ObjectStore
{
    private int _calls;

    /// <summary>Deletes the file behind the last one as well.</summary>
    internal bool IsGreedy { get; init; }

    public override StoreCapabilities Capabilities => inner.Capabilities;

    public override string Kind => inner.Kind;

    public override string Location => inner.Location;

    public override async ValueTask DisposeAsync()
    {
        await inner.DisposeAsync();
        await base.DisposeAsync();
    }

    protected internal override async IAsyncEnumerable<StoredObject> ListCoreAsync(
        string prefix,
        string? after,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        var answer = Begin("LIST", prefix);
        await foreach (var stored in inner.ListAsync(prefix, after, cancellationToken))
            yield return stored;
        End(answer);
    }

    protected internal override async Task<Stream> OpenCoreAsync(string key, long offset, long? length, CancellationToken cancellationToken)
    {
        End(Begin("GET", key));
        return await inner.OpenAsync(key, offset, length, cancellationToken);
    }

    protected internal override async Task<StoredObject> PutCoreAsync(
        string key,
        Stream content,
        PutOptions options,
        CancellationToken cancellationToken
    )
    {
        var answer = Begin("PUT", key);
        var stored = await inner.PutAsync(key, content, options, cancellationToken);
        End(answer);
        return stored;
    }

    protected internal override async Task<StoredObject?> HeadCoreAsync(string key, CancellationToken cancellationToken)
    {
        End(Begin("HEAD", key));
        return await inner.HeadAsync(key, cancellationToken);
    }

    protected internal override async Task DeleteCoreAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken)
    {
        var answer = Begin("DELETE", keys.First());
        if (IsGreedy)
            keys = await WithOneMoreAsync(keys, cancellationToken);
        await inner.DeleteAsync(keys, cancellationToken);
        End(answer);
    }

    private async Task<IReadOnlyCollection<string>> WithOneMoreAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken)
    {
        var last = keys.Max(StringComparer.Ordinal)!;
        await foreach (var next in inner.ListAsync(last[..(last.LastIndexOf('/') + 1)], last, cancellationToken))
            return [.. keys, next.Key];
        return keys;
    }

    private StoreFault? Begin(string operation, string key)
    {
        var answer = fault(new StoreCall(operation, key, _calls++));
        return answer is { Exception: { } exception, AfterEffect: false } ? throw exception : answer;
    }

    private static void End(StoreFault? answer)
    {
        if (answer is { Exception: { } exception })
            throw exception;
    }
}
