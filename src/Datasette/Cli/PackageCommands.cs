using System.CommandLine;
using Datasette.Plugins;

namespace Datasette.Cli;

/// <summary>Commands of the original that act on Python packages and hosting: present, and telling what to do instead.</summary>
internal static class PackageCommands
{
    public static IEnumerable<Command> Create(IReadOnlyList<DatasettePlugin> plugins)
    {
        yield return Install(plugins);
        yield return Refusing(
            "uninstall",
            "Remove plugins",
            "Plugins are compiled into this program, or stand in the folder of --plugins-dir: take them out of there. To leave a compiled one out, start with DATASETTE_LOAD_PLUGINS set to the names of those you want, or empty for none."
        );
        yield return Refusing(
            "publish",
            "Publish databases on a hosting service",
            "publish is not available: copy this single program and your databases to the machine and run: datasette serve FILES -h 0.0.0.0"
        );
        yield return Refusing(
            "package",
            "Package databases into a container image",
            "package is not available: this program is one file without further needs; put it and your databases into any base image and run: datasette serve FILES -h 0.0.0.0"
        );
    }

    private static Command Install(IReadOnlyList<DatasettePlugin> plugins)
    {
        var packages = new Argument<string[]>("packages") { Arity = ArgumentArity.OneOrMore, Description = "Names of plugins" };
        var upgrade = new Option<bool>("--upgrade", "-U") { Description = "Accepted, without effect" };
        var command = new Command("install", "Say how a plugin gets into this program") { packages, upgrade };
        command.SetAction(parsed =>
        {
            var missing = (parsed.GetValue(packages) ?? []).Where(name => plugins.All(plugin => plugin.Name != name)).ToList();
            foreach (var name in (parsed.GetValue(packages) ?? []).Except(missing))
            {
                Console.Out.WriteLine(
                    $"{name} is built in; there is nothing to install. Configure it under \"plugins\" in the metadata or configuration file."
                );
            }
            if (missing.Count > 0)
            {
                throw new StartupException(
                    $"{string.Join(", ", missing)} cannot be installed from here. Plugins are written in C# (samples/HelloPlugin): compile them into a program of your own, or put their assemblies into the folder of --plugins-dir; docs/guides/plugins.md says how."
                );
            }
            return 0;
        });
        return command;
    }

    private static Command Refusing(string name, string description, string instead)
    {
        var rest = new Argument<string[]>("arguments") { Arity = ArgumentArity.ZeroOrMore, Description = "Not used" };
        var command = new Command(name, description + " (not available; says what to do instead)") { rest };
        command.TreatUnmatchedTokensAsErrors = false;
        command.SetAction(int (_) => throw new StartupException(instead));
        return command;
    }
}
