using Microsoft.Extensions.Hosting;

namespace Litestream;

/// <summary>Ties the store to an app's life: starts with it, and makes the last sync when it stops.</summary>
internal sealed class LitestreamHostedService(LitestreamStore store) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken) => store.StartAsync(cancellationToken);

    public Task StopAsync(CancellationToken cancellationToken) => store.StopAsync(cancellationToken);
}
