using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Datasette.Configuration;
using Datasette.Hosting;
using Datasette.Plugins;

namespace Datasette.Cli;

/// <summary><c>datasette serve</c>: options to an instance that listens, or to one answer with <c>--get</c>.</summary>
internal sealed class ServeCommand
{
    private readonly Argument<string[]> files = new("files")
    {
        Arity = ArgumentArity.ZeroOrMore,
        Description = "Database files, or one folder with databases and configuration",
    };
    private readonly Option<string[]> immutables = new("--immutable", "-i")
    {
        Description = "Database file that nobody changes; repeatable",
    };
    private readonly Option<string> host = new("--host", "-h")
    {
        DefaultValueFactory = _ => "127.0.0.1",
        Description = "Address to listen on (0.0.0.0: all)",
    };
    private readonly Option<int> port = new("--port", "-p")
    {
        DefaultValueFactory = _ => 8001,
        CustomParser = given => (int)Numbers.Whole(given, "'-p' / '--port'", 0, 65535),
        Description = "Port to listen on; 0 takes any free one",
    };
    private readonly Option<string?> uds = new("--uds") { Description = "Listen on this Unix socket instead" };
    private readonly Option<bool> reload = new("--reload")
    {
        Description = "Start again when configuration, metadata or immutable files change; send no cache headers",
    };
    private readonly Option<bool> cors = new("--cors") { Description = "Let pages of other sites read the answers" };
    private readonly Option<string[]> extensions = new("--load-extension")
    {
        Description = "SQLite extension PATH[:ENTRYPOINT]; repeatable",
    };
    private readonly Option<string?> inspectFile = new("--inspect-file") { Description = "Row counts made by datasette inspect" };
    private readonly Option<string?> metadata = new("--metadata", "-m") { Description = "JSON or YAML file that describes the databases" };
    private readonly Option<string?> config = new("--config", "-c")
    {
        Description = "JSON or YAML file with settings, permissions, plugins",
    };
    private readonly Option<string[]> settings = new("--setting", "-s")
    {
        Description = "NAME VALUE: a setting or a dotted path into the configuration; repeatable",
    };
    private readonly Option<string?> templateDir = new("--template-dir") { Description = "Folder with Liquid templates and custom pages" };
    private readonly Option<string?> pluginsDir = new("--plugins-dir")
    {
        Description = "Folder with assemblies of plugins (not in the native program)",
    };
    private readonly Option<string[]> statics = new("--static") { Description = "MOUNT:DIR, a folder served as it is; repeatable" };
    private readonly Option<bool> memory = new("--memory") { Description = "Add the in-memory database _memory" };
    private readonly Option<string?> secret = new("--secret")
    {
        Description = "Secret that signs cookies and tokens (or DATASETTE_SECRET)",
    };
    private readonly Option<bool> root = new("--root") { Description = "Print a link that signs in as root, and let root do everything" };
    private readonly Option<bool> defaultDeny = new("--default-deny")
    {
        Description = "Nothing is allowed unless the configuration says so",
    };
    private readonly Option<string?> get = new("--get") { Description = "Print the answer to this path and exit" };
    private readonly Option<bool> headers = new("--headers") { Description = "With --get: print the headers, too" };
    private readonly Option<string?> token = new("--token") { Description = "With --get: send this API token" };
    private readonly Option<string?> actor = new("--actor") { Description = "With --get: act as this JSON actor" };
    private readonly Option<string?> versionNote = new("--version-note") { Description = "Text shown on /-/versions" };
    private readonly Option<bool> helpSettings = new("--help-settings") { Description = "List all settings and exit" };
    private readonly Option<bool> pdb = new("--pdb") { Hidden = true };
    private readonly Option<bool> open = new("--open", "-o") { Description = "Open the browser" };
    private readonly Option<bool> create = new("--create") { Description = "Make database files that are missing" };
    private readonly Option<bool> crossDb = new("--crossdb") { Description = "Let queries on _memory use all databases" };
    private readonly Option<bool> noLock = new("--nolock") { Description = "Readers ignore locks" };
    private readonly Option<string?> sslKey = new("--ssl-keyfile") { Description = "PEM key for HTTPS" };
    private readonly Option<string?> sslCert = new("--ssl-certfile") { Description = "PEM certificate for HTTPS" };
    private readonly Option<string?> @internal = new("--internal") { Description = "Keep the host's own database in this file" };
    private readonly IReadOnlyList<DatasettePlugin> plugins;

    private ServeCommand(IReadOnlyList<DatasettePlugin> plugins) => this.plugins = plugins;

    public static Command Create(IReadOnlyList<DatasettePlugin> plugins)
    {
        var serve = new ServeCommand(plugins);
        var command = new Command("serve", "Serve database files on a web server") { serve.files };
        Option[] all =
        [
            serve.immutables,
            serve.host,
            serve.port,
            serve.uds,
            serve.reload,
            serve.cors,
            serve.extensions,
            serve.inspectFile,
            serve.metadata,
            serve.config,
            serve.settings,
            serve.templateDir,
            serve.pluginsDir,
            serve.statics,
            serve.memory,
            serve.secret,
            serve.root,
            serve.defaultDeny,
            serve.get,
            serve.headers,
            serve.token,
            serve.actor,
            serve.versionNote,
            serve.helpSettings,
            serve.pdb,
            serve.open,
            serve.create,
            serve.crossDb,
            serve.noLock,
            serve.sslKey,
            serve.sslCert,
            serve.@internal,
        ];
        foreach (var option in all)
        {
            command.Add(option);
        }
        command.SetAction((parsed, ct) => serve.RunAsync(parsed, ct));
        return command;
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken ct)
    {
        if (parsed.GetValue(helpSettings))
        {
            ListSettings();
            return 0;
        }
        var options = ToOptions(parsed);
        if (parsed.GetValue(get) is { } path)
        {
            return await GetCommand.RunAsync(
                options,
                plugins,
                path,
                parsed.GetValue(headers),
                parsed.GetValue(token),
                parsed.GetValue(actor),
                ct
            );
        }
        if (parsed.GetValue(headers) || parsed.GetValue(token) is not null)
        {
            throw new StartupException("--headers and --token can only be used with --get.");
        }
        if (parsed.GetValue(actor) is not null)
        {
            throw new StartupException("--actor can only be used with --get: it does not sign anybody in.");
        }
        var server = await DatasetteServer.StartAsync(options, plugins, ct);
        Announce(server, options, parsed.GetValue(open));
        if (options.Reload)
        {
            return await ReloadAsync(server, options with { Port = server.Port }, ct);
        }
        await using (server)
        {
            await server.WaitAsync(ct);
        }
        return 0;
    }

    /// <summary>Starts again whenever a file of the configuration changes. One that cannot be started with is told of, and waited for.</summary>
    private async Task<int> ReloadAsync(DatasetteServer? server, ServeOptions options, CancellationToken ct)
    {
        while (true)
        {
            using var changed = CancellationTokenSource.CreateLinkedTokenSource(ct);
            var change = ReloadWatch.ChangedAsync(options, ReloadWatch.Stamp(options), changed.Token);
            var end = server?.WaitAsync(ct) ?? Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, changed.Token);
            var first = await Task.WhenAny(end, change);
            await changed.CancelAsync();
            if (server is not null)
            {
                await server.DisposeAsync();
            }
            if (first == end)
            {
                return 0;
            }
            Console.Error.WriteLine("A file of the configuration has changed: starting again");
            try
            {
                server = await DatasetteServer.StartAsync(options, plugins, ct);
                Announce(server, options, browse: false);
            }
            catch (StartupException e)
            {
                server = null;
                Console.Error.WriteLine($"Error: {e.Message} Waiting for the next change.");
            }
        }
    }

    private static void Announce(DatasetteServer server, ServeOptions options, bool browse)
    {
        var start = server.Url + server.App.UrlPath("/");
        if (options.Root)
        {
            // Standard output holds nothing else, so that a script can take the link from there.
            start = $"{server.Url}{server.App.UrlPath("/-/auth-token")}?token={server.App.RootToken}";
            Console.Out.WriteLine(start);
            Console.Out.Flush();
        }
        Console.Error.WriteLine($"Datasette for .NET is listening on {server.Url}{server.App.UrlPath("/")} (Ctrl+C stops it)");
        Console.Error.Flush();
        if (browse)
        {
            Browser.Open(options.Root ? start : server.Url + Browser.FirstPage(server.App));
        }
    }

    private ServeOptions ToOptions(ParseResult parsed)
    {
        var given = parsed.GetValue(files) ?? [];
        if (given.FirstOrDefault(file => file.StartsWith('-') && file.Length > 1 && !File.Exists(file)) is { } unknown)
        {
            throw new StartupException($"No such option: {unknown}. See: datasette serve --help", ExitCodes.WrongUsage);
        }
        return new ServeOptions
        {
            Files = given,
            Immutables = (parsed.GetValue(immutables) ?? []).Select(file => ExistingFile(file, "'-i' / '--immutable'")!).ToList(),
            Host = parsed.GetValue(host)!,
            Port = parsed.GetValue(port),
            Uds = parsed.GetValue(uds),
            Reload = parsed.GetValue(reload),
            Cors = parsed.GetValue(cors),
            Extensions = (parsed.GetValue(extensions) ?? []).Select(Extension).ToList(),
            InspectFile = ExistingFile(parsed.GetValue(inspectFile), "'--inspect-file'"),
            MetadataFile = ExistingFile(parsed.GetValue(metadata), "'-m' / '--metadata'"),
            ConfigFile = ExistingFile(parsed.GetValue(config), "'-c' / '--config'"),
            Settings = (parsed.GetValue(settings) ?? []).Select(ArgumentPairs.Split).Select(pair => (pair[0], pair[1])).ToList(),
            TemplateFolder = ExistingFolder(parsed.GetValue(templateDir), "'--template-dir'"),
            StaticMounts = (parsed.GetValue(statics) ?? []).Select(Mount).ToList(),
            Memory = parsed.GetValue(memory),
            CrossDb = parsed.GetValue(crossDb),
            NoLock = parsed.GetValue(noLock),
            Create = parsed.GetValue(create),
            // An empty one, as of a variable that is not set, would let everybody sign.
            Secret = NotEmpty(parsed.GetValue(secret)) ?? NotEmpty(Environment.GetEnvironmentVariable("DATASETTE_SECRET")),
            Root = parsed.GetValue(root),
            DefaultDeny = parsed.GetValue(defaultDeny),
            VersionNote = parsed.GetValue(versionNote),
            InternalPath = parsed.GetValue(@internal),
            SslKeyFile = ExistingFile(
                parsed.GetValue(sslKey) ?? Environment.GetEnvironmentVariable("DATASETTE_SSL_KEYFILE"),
                "'--ssl-keyfile'"
            ),
            SslCertFile = ExistingFile(
                parsed.GetValue(sslCert) ?? Environment.GetEnvironmentVariable("DATASETTE_SSL_CERTFILE"),
                "'--ssl-certfile'"
            ),
            PluginsDir = parsed.GetValue(pluginsDir),
            LoadPlugins = Environment.GetEnvironmentVariable(PluginLoader.Variable),
        };
    }

    private static string? NotEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;

    private static string? ExistingFile(string? path, string option) =>
        path is null || File.Exists(path) ? path
        : Directory.Exists(path)
            ? throw new StartupException($"Invalid value for {option}: File '{path}' is a directory.", ExitCodes.WrongUsage)
        : throw new StartupException($"Invalid value for {option}: Path '{path}' does not exist.", ExitCodes.WrongUsage);

    private static string? ExistingFolder(string? path, string option) =>
        path is null || Directory.Exists(path) ? path
        : File.Exists(path) ? throw new StartupException($"Invalid value for {option}: Directory '{path}' is a file.", ExitCodes.WrongUsage)
        : throw new StartupException($"Invalid value for {option}: Directory '{path}' does not exist.", ExitCodes.WrongUsage);

    private static KeyValuePair<string, string> Mount(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        if (colon < 1)
        {
            throw new StartupException(
                $"Invalid value for '--static': '{text}' should be of format mountpoint:directory.",
                ExitCodes.WrongUsage
            );
        }
        var folder = text[(colon + 1)..];
        if (!Directory.Exists(folder))
        {
            throw new StartupException($"Invalid value for '--static': '{folder}' is not a valid directory path.", ExitCodes.WrongUsage);
        }
        return new(text[..colon].Trim('/'), folder);
    }

    private static (string Path, string? EntryPoint) Extension(string text)
    {
        var colon = text.LastIndexOf(':');
        return colon > 1 && !File.Exists(text) ? (text[..colon], text[(colon + 1)..]) : (text, null);
    }

    private static void ListSettings()
    {
        Console.Out.WriteLine("Settings:");
        foreach (var setting in DatasetteSettings.All)
        {
            var value = setting.Default is bool flag
                ? (flag ? "True" : "False")
                : Convert.ToString(setting.Default, CultureInfo.InvariantCulture);
            Console.Out.WriteLine($"  {setting.Name, -30} {setting.Help} (default={value})");
        }
    }
}
