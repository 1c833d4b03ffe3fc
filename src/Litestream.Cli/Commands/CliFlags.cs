using System.CommandLine;
using Litestream.Cli.Configuration;

namespace Litestream.Cli.Commands;

/// <summary>Flags in the manner of Go: <c>-x v</c>, <c>-x=v</c>, <c>--x</c>, all of them before the other arguments.</summary>
internal static class CliFlags
{
    /// <summary>A flag with a value.</summary>
    public static Option<string?> Text(string name, string description) => new($"-{name}", $"--{name}") { Description = description };

    /// <summary>A flag that is there or not (<c>-x=false</c> is "not").</summary>
    public static Option<bool> Switch(string name, string description) => new($"-{name}", $"--{name}") { Description = description };

    public static Option<string?> Config() => Text("config", "Path of the configuration file.");

    public static Option<bool> NoExpandEnv() => Switch("no-expand-env", "Leave $NAME in the configuration file as it is.");

    public static Option<bool> Json() => Switch("json", "Print JSON.");

    /// <summary>The one argument of commands that read a replica.</summary>
    public static Argument<string?> Source() => new("DB_PATH or REPLICA_URL") { Arity = ArgumentArity.ZeroOrOne };

    /// <summary>True when the arguments ask for help before anything else.</summary>
    public static bool AsksForHelp(string argument) => argument is "-h" or "-help" or "--h" or "--help";

    /// <summary>Checks the arguments of one command as Go's flag package reads them.</summary>
    /// <param name="command">The command.</param>
    /// <param name="arguments">What follows its name.</param>
    /// <returns>True when help was asked for.</returns>
    /// <exception cref="FlagException">A flag is unknown, lacks its value, or stands behind the other arguments.</exception>
    public static bool Check(Command command, IReadOnlyList<string> arguments)
    {
        var i = 0;
        for (; i < arguments.Count && arguments[i] is ['-', _, ..] and not "--"; i++)
        {
            var flag = arguments[i];
            if (AsksForHelp(flag))
                return true;
            var body = flag.StartsWith("--", StringComparison.Ordinal) ? flag[2..] : flag[1..];
            if (body[0] is '-' or '=')
                throw new FlagException($"bad flag syntax: {flag}");
            var equals = body.IndexOf('=', StringComparison.Ordinal);
            var name = equals < 0 ? body : body[..equals];
            var option = Find(command, name) ?? throw NotDefined(command, name);
            if (option.ValueType == typeof(bool))
                CheckSwitch(name, equals < 0 ? "true" : body[(equals + 1)..]);
            else if (equals < 0 && ++i >= arguments.Count)
                throw new FlagException($"flag needs an argument: -{name}");
        }
        if (i < arguments.Count && arguments[i] != "--")
            CheckRest(command, [.. arguments.Skip(i)]);
        return false;
    }

    /// <summary>The error for a flag that the command does not have.</summary>
    public static FlagException NotDefined(Command command, string name)
    {
        var near = Nearest.Find(name, command.Options.Select(o => o.Name.TrimStart('-')));
        return new FlagException($"flag provided but not defined: -{name}") { Hint = near is null ? null : $"-{near}" };
    }

    private static Option? Find(Command command, string name) => command.Options.FirstOrDefault(o => o.Name == "-" + name);

    private static void CheckSwitch(string name, string value)
    {
        if (!ConfigValues.TryBool(value, out _))
            throw new FlagException($"invalid boolean value \"{value}\" for -{name}: parse error");
    }

    // Behind the first other argument a flag is no flag any more, in Go and so in every script written for Litestream. It is never taken for a URL here.
    private static void CheckRest(Command command, string[] rest)
    {
        if (command.Arguments.Count == 0 || rest.Length > command.Arguments[0].Arity.MaximumNumberOfValues)
            throw new CliException("too many arguments");
        if (rest.FirstOrDefault(a => a is ['-', _, ..]) is { } flag)
            throw new CliException($"flag {flag} stands behind the arguments")
            {
                Hint = $"litestream {command.Name} {flag} {string.Join(' ', rest.Except([flag]))}",
            };
    }
}

/// <summary>A failure of the command line that one line explains.</summary>
internal class CliException(string message, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>What to do, printed as <c>Try: ...</c>; null for none.</summary>
    public string? Hint { get; init; }

    /// <summary>True when it says no more than that a replica holds no backup.</summary>
    public bool IsNoBackup { get; init; }

    /// <summary>What the program returns; 1 unless a child's code is handed on.</summary>
    public int ExitCode { get; init; } = 1;
}

/// <summary>A flag or its value is wrong: the usage is printed too.</summary>
internal sealed class FlagException(string message) : CliException(message);
