using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Datasette.Plugins;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Datasette.Hosting;

/// <summary>An instance that listens. Started whole or not at all; stopping answers running requests, then tells plugins, then closes databases.</summary>
internal sealed class DatasetteServer : IAsyncDisposable
{
    /// <summary>How long running requests may take after the stop was asked for.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(10);
    private readonly WebApplication web;
    private readonly ILogger log;
    private bool stopped;

    private DatasetteServer(WebApplication web, DatasetteApp app, string url, int port)
    {
        this.web = web;
        App = app;
        Url = url;
        Port = port;
        log = app.Loggers.CreateLogger("Datasette");
    }

    public DatasetteApp App { get; }

    /// <summary>Where it listens, without a slash at the end.</summary>
    public string Url { get; }

    /// <summary>The real port; 0 on a Unix socket.</summary>
    public int Port { get; }

    public static async Task<DatasetteServer> StartAsync(
        ServeOptions options,
        IReadOnlyList<DatasettePlugin> plugins,
        CancellationToken ct,
        TimeProvider? time = null,
        Action<ILoggingBuilder>? logging = null
    )
    {
        var web = Build(options, logging ?? HostLogging.ToStandardError);
        var loggers = web.Services.GetRequiredService<ILoggerFactory>();
        DatasetteApp? app = null;
        try
        {
            app = await DatasetteFactory.StartAsync(options, plugins, loggers, time ?? TimeProvider.System, ct);
            app.RootEnabled = options.Root;
            app.Stop = web.Lifetime.StopApplication;
            var handler = new RequestHandler(app, new DatasetteRoutes(app));
            web.Run(handler.HandleAsync);
            await ListenAsync(web, options, ct);
            var (url, port) = Address(web, options);
            return new DatasetteServer(web, app, url, port);
        }
        catch (Exception e)
        {
            if (app is not null)
            {
                await DatasetteFactory.StopAsync(app, loggers.CreateLogger("Datasette"), CancellationToken.None);
            }
            await web.DisposeAsync();
            if (e is PluginException failed)
            {
                throw new StartupException(failed.Details, innerException: failed);
            }
            throw;
        }
    }

    /// <summary>Returns when SIGINT, SIGTERM or <see cref="IDatasette.RequestStop"/> asked for the stop; then everything is closed.</summary>
    public async Task WaitAsync(CancellationToken ct)
    {
        await web.WaitForShutdownAsync(ct);
        await DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (stopped)
        {
            return;
        }
        stopped = true;
        await web.StopAsync(CancellationToken.None);
        await DatasetteFactory.StopAsync(App, log, CancellationToken.None);
        await web.DisposeAsync();
    }

    private static WebApplication Build(ServeOptions options, Action<ILoggingBuilder> logging)
    {
        // No arguments, no content root: nothing in the working folder or the environment may change how the host listens.
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { Args = [], ApplicationName = "Datasette" });
        builder.Configuration.Sources.Clear();
        builder.Logging.ClearProviders();
        logging(builder.Logging);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = Grace);
        builder.Services.Configure<ConsoleLifetimeOptions>(console => console.SuppressStatusMessages = true);
        var certificate = Certificate(options);
        if (certificate is not null)
        {
            builder.WebHost.UseKestrelHttpsConfiguration();
        }
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            // The host's own limit applies where a body is read (max_post_body_bytes).
            kestrel.Limits.MaxRequestBodySize = null;
            // SQL travels in addresses; beyond this the answer is 414.
            kestrel.Limits.MaxRequestLineSize = 64 * 1024;
            kestrel.Limits.MaxRequestHeadersTotalSize = 96 * 1024;
            if (options.Uds is { } socket)
            {
                RequireFolder(socket);
                kestrel.ListenUnixSocket(socket);
            }
            else
            {
                foreach (var address in Resolve(options.Host))
                {
                    kestrel.Listen(address, options.Port, listen => UseTls(listen, certificate));
                }
            }
        });
        return builder.Build();
    }

    private static void UseTls(ListenOptions listen, X509Certificate2? certificate)
    {
        if (certificate is not null)
        {
            listen.UseHttps(certificate);
        }
    }

    private static X509Certificate2? Certificate(ServeOptions options)
    {
        if (options.SslCertFile is not { } file)
        {
            // Whoever gives a key does not want to be heard by others.
            return options.SslKeyFile is null
                ? null
                : throw new StartupException("--ssl-keyfile needs the certificate as well: give it with --ssl-certfile.", 2);
        }
        try
        {
            return X509Certificate2.CreateFromPemFile(file, options.SslKeyFile);
        }
        catch (CryptographicException e)
        {
            var key = options.SslKeyFile is { } own ? $" with the key {own} of --ssl-keyfile" : "";
            throw new StartupException($"The certificate {file} of --ssl-certfile{key} cannot be used: {e.Message}", innerException: e);
        }
    }

    private static void RequireFolder(string socket)
    {
        if (Path.GetDirectoryName(Path.GetFullPath(socket)) is { } folder && !Directory.Exists(folder))
        {
            throw new StartupException($"Cannot listen on the socket {socket}: the folder {folder} does not exist. Make it first.");
        }
    }

    private static IPAddress[] Resolve(string host)
    {
        if (IPAddress.TryParse(host, out var address))
        {
            return [address];
        }
        try
        {
            // One family is enough, and with port 0 two would get two ports.
            var all = Dns.GetHostAddresses(host);
            return [all.FirstOrDefault(a => a.AddressFamily == AddressFamily.InterNetwork) ?? all[0]];
        }
        catch (Exception e) when (e is SocketException or IndexOutOfRangeException or ArgumentException)
        {
            throw new StartupException($"The host '{host}' of -h/--host is not known: {e.Message}.", innerException: e);
        }
    }

    private static async Task ListenAsync(WebApplication web, ServeOptions options, CancellationToken ct)
    {
        var where = options.Uds is { } socket ? $"socket {socket}" : $"port {options.Port} on {options.Host}";
        try
        {
            await web.StartAsync(ct);
        }
        catch (IOException e) when (e.InnerException is Microsoft.AspNetCore.Connections.AddressInUseException)
        {
            throw new StartupException(
                $"The {where} is in use by another program. Choose another one with -p, or -p 0 for any free port.",
                3,
                e
            );
        }
        catch (Exception e) when (e is SocketException or IOException or UnauthorizedAccessException)
        {
            throw new StartupException($"Cannot listen on {where}: {e.Message}.", 3, e);
        }
    }

    private static (string Url, int Port) Address(WebApplication web, ServeOptions options)
    {
        if (options.Uds is { } socket)
        {
            return ("unix:" + socket, 0);
        }
        var addresses = web.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
        var port = new Uri(addresses.First()).Port;
        var host = options.Host.Contains(':', StringComparison.Ordinal) ? $"[{options.Host}]" : options.Host;
        return ($"{(options.SslCertFile is null ? "http" : "https")}://{host}:{port}", port);
    }
}
