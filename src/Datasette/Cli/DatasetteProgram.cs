using Datasette.Plugins;

namespace Datasette.Cli;

/// <summary>The program <c>datasette</c>, with the plugins that it was built with.</summary>
public static class DatasetteProgram
{
    /// <summary>Runs one command line to its end. Writes to the console; ends on SIGINT and SIGTERM.</summary>
    /// <param name="args">The arguments, without the program's name.</param>
    /// <param name="plugins">The plugins, in the order in which their hooks are called; the built-in ones follow.</param>
    /// <returns>The exit code: 0 done, 1 failed, 2 wrong usage, 3 cannot listen.</returns>
    public static Task<int> RunAsync(string[] args, params DatasettePlugin[] plugins) => DatasetteCommand.RunAsync(args, plugins);
}
