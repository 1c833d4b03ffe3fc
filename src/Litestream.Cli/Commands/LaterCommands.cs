using System.CommandLine;

namespace Litestream.Cli.Commands;

/// <summary>Commands of Litestream that this version knows by name only.</summary>
internal static class LaterCommands
{
    private static readonly string[] s_names = ["status", "reset", "info", "list", "register", "unregister", "start", "stop", "sync"];

    public static IEnumerable<Command> Create(CliServices services)
    {
        foreach (var name in s_names)
        {
            var command = new Command(name, "Comes with a later version.") { Hidden = true, TreatUnmatchedTokensAsErrors = false };
            CliRunner.Bind(command, Usage.Of(name), services, (_, _) => throw Later(name));
            yield return command;
        }
    }

    /// <summary>True for the name of such a command.</summary>
    public static bool Contains(string name) => s_names.Contains(name);

    /// <summary>The answer to every use of it.</summary>
    public static CliException Later(string name) =>
        new($"litestream {name}: this command comes with a later version")
        {
            Hint = name is "status" or "list" or "info" ? "litestream databases" : "litestream help for the commands that are there",
        };
}
