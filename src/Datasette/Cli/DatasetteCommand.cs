using System.CommandLine;
using System.CommandLine.Help;
using Datasette.Plugins;
using Datasette.Responses;

namespace Datasette.Cli;

/// <summary>The tree of <c>datasette</c>: serve without being named, the other commands, those of plugins.</summary>
internal static class DatasetteCommand
{
    public static async Task<int> RunAsync(string[] args, IReadOnlyList<DatasettePlugin> plugins)
    {
        if (args is ["--version"])
        {
            Console.Out.WriteLine($"datasette, version {DatasetteApp.CompatibleVersion} ({ProductInfo.Name} {ProductInfo.Version})");
            return 0;
        }
        try
        {
            var root = Build(plugins);
            var parsed = root.Parse(ArgumentPairs.Prepare(root, args), new ParserConfiguration { ResponseFileTokenReplacer = null });
            if (parsed.Errors.Count > 0)
            {
                throw new StartupException(parsed.Errors[0].Message, ExitCodes.WrongUsage);
            }
            // The host ends gracefully by itself on signals; the parser's own handling would cut that short.
            return await parsed.InvokeAsync(
                new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }
            );
        }
        catch (StartupException e)
        {
            Fail(e.Message);
            return e.ExitCode;
        }
        catch (PluginException e)
        {
            Fail(e.Details);
            return 1;
        }
        catch (DatasetteException e)
        {
            Fail(e.Message);
            return 1;
        }
        catch (OperationCanceledException)
        {
            return 0;
        }
        catch (Exception e)
        {
            // Nobody is helped by a core file.
            Fail($"{e.Message}\nNobody has foreseen this; please report it with what follows.\n{e}");
            return 1;
        }
    }

    private static void Fail(string message)
    {
        Console.Error.WriteLine("Error: " + message);
        Console.Error.Flush();
    }

    private static RootCommand Build(IReadOnlyList<DatasettePlugin> plugins)
    {
        var root = new RootCommand("Serves SQLite databases to the web: pages, JSON, CSV and SQL. Without a command name, serve is meant.");
        root.Options.Clear();
        // Not -h: that is the host.
        root.Options.Add(new HelpOption("--help") { Recursive = true });
        root.Add(ServeCommand.Create(plugins));
        root.Add(InspectCommand.Create());
        root.Add(PluginsCommand.Create(plugins));
        root.Add(CreateTokenCommand.Create());
        foreach (var command in PackageCommands.Create(plugins))
        {
            root.Add(command);
        }
        foreach (
            var command in PluginLoader
                .Select(plugins, Environment.GetEnvironmentVariable(PluginLoader.Variable))
                .SelectMany(plugin => HookCall.Run(plugin, nameof(plugin.RegisterCommands), p => p.RegisterCommands().ToList()))
        )
        {
            root.Add(command);
        }
        return root;
    }
}
