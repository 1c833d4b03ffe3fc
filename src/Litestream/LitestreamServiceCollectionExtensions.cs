using Litestream.Replicas;
using Litestream.Replication;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Litestream;

/// <summary>Adds replication to an app.</summary>
public static class LitestreamServiceCollectionExtensions
{
    /// <summary>Replicates SQLite databases for as long as the app runs. The <see cref="LitestreamStore"/> is a singleton of the app.</summary>
    /// <param name="services">The app's services.</param>
    /// <param name="configure">Names the databases and their replicas.</param>
    public static IServiceCollection AddLitestream(this IServiceCollection services, Action<LitestreamBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configure);
        var builder = new LitestreamBuilder();
        configure(builder);
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(p => new LitestreamStore(
            builder.Options,
            new ObjectStoreFactory(builder.Backends),
            p.GetRequiredService<TimeProvider>(),
            p.GetService<ILoggerFactory>()
        ));
        services.AddSingleton<IHostedService, LitestreamHostedService>();
        services.TryAddSingleton<LitestreamHealthCheck>();
        return services;
    }
}

/// <summary>Collects what <c>AddLitestream</c> needs. Used once, on one thread.</summary>
public sealed class LitestreamBuilder
{
    private readonly List<ObjectStoreBackend> _backends = [];

    /// <summary>The settings so far.</summary>
    public LitestreamOptions Options { get; set; } = new();

    /// <summary>The kinds of replica besides folders.</summary>
    internal IReadOnlyList<ObjectStoreBackend> Backends => _backends;

    /// <summary>Replicates a database to one or more places.</summary>
    /// <param name="path">The database file; it need not exist yet.</param>
    /// <param name="replicas">URLs such as <c>s3://bucket/app</c> or <c>file:///backups/app</c>, or a folder's path.</param>
    public LitestreamBuilder AddDatabase(string path, params IEnumerable<string> replicas) =>
        AddDatabase(
            new DatabaseOptions { Path = path, Replicas = [.. replicas.Select(r => new ReplicaOptions { Url = ReplicaUrl.Parse(r) })] }
        );

    /// <summary>Replicates a database with all its settings.</summary>
    public LitestreamBuilder AddDatabase(DatabaseOptions database)
    {
        Options = Options with { Databases = [.. Options.Databases, database] };
        return this;
    }

    /// <summary>Makes one more kind of replica known; packages such as Litestream.S3 call it.</summary>
    public LitestreamBuilder AddBackend(ObjectStoreBackend backend)
    {
        _backends.Add(backend);
        return this;
    }
}
