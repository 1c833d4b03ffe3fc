using System.CommandLine;
using Datasette.Hosting;
using Datasette.Plugins;
using Datasette.Responses;

namespace Datasette.Cli;

/// <summary><c>datasette plugins</c>: which plugins take part.</summary>
internal static class PluginsCommand
{
    public static Command Create(IReadOnlyList<DatasettePlugin> plugins)
    {
        var all = new Option<bool>("--all") { Description = "The built-in ones, too" };
        var requirements = new Option<bool>("--requirements") { Description = "Lines of name==version" };
        var folder = new Option<string?>("--plugins-dir") { Description = "Those in this folder, too (not in the native program)" };
        var command = new Command("plugins", "List the plugins of this program") { all, requirements, folder };
        command.SetAction(parsed =>
        {
            var chosen = PluginLoader
                .All(plugins, Environment.GetEnvironmentVariable(PluginLoader.Variable), parsed.GetValue(folder))
                .Concat(DatasetteFactory.BuiltIn(new InstanceRights()));
            if (parsed.GetValue(requirements))
            {
                foreach (
                    var plugin in chosen.Where(plugin =>
                        plugin.Version is not null && (parsed.GetValue(all) || !PluginList.IsBuiltIn(plugin))
                    )
                )
                {
                    Console.Out.WriteLine($"{plugin.Name}=={plugin.Version}");
                }
                return 0;
            }
            Console.Out.WriteLine(JsonBody.ToText(PluginList.Of(chosen, parsed.GetValue(all)), indent: 4));
            return 0;
        });
        return command;
    }
}
