using System.CommandLine;

namespace Datasette.Cli;

/// <summary>
/// What the parser cannot do by itself: options that take exactly two or three values, and a command that need not be named. Their values are
/// joined into one by a character that no argument can hold.
/// </summary>
internal static class ArgumentPairs
{
    private const char Separator = '\0';

    private static readonly Dictionary<string, Dictionary<string, int>> Counts = new(StringComparer.Ordinal)
    {
        ["serve"] = new(StringComparer.Ordinal) { ["-s"] = 2, ["--setting"] = 2 },
        ["create-token"] = new(StringComparer.Ordinal)
        {
            ["-d"] = 2,
            ["--database"] = 2,
            ["-r"] = 3,
            ["--resource"] = 3,
        },
    };

    public static IReadOnlyList<string> Prepare(RootCommand root, string[] args)
    {
        var tokens = new List<string>(args);
        if (args is ["--help"])
        {
            return tokens;
        }
        if (args.Length == 0 || root.Subcommands.All(command => command.Name != args[0]))
        {
            tokens.Insert(0, "serve");
        }
        return Counts.TryGetValue(tokens[0], out var counts) ? Join(tokens, counts) : tokens;
    }

    public static string[] Split(string joined) => joined.Split(Separator);

    private static List<string> Join(List<string> tokens, Dictionary<string, int> counts)
    {
        var result = new List<string>();
        for (var i = 0; i < tokens.Count; i++)
        {
            var equals = tokens[i].StartsWith("--", StringComparison.Ordinal) ? tokens[i].IndexOf('=', StringComparison.Ordinal) : -1;
            var name = equals < 0 ? tokens[i] : tokens[i][..equals];
            if (tokens[i] == "--")
            {
                result.AddRange(tokens.Skip(i));
                break;
            }
            if (!counts.TryGetValue(name, out var count))
            {
                result.Add(tokens[i]);
                continue;
            }
            var values = new List<string>();
            if (equals >= 0)
            {
                values.Add(tokens[i][(equals + 1)..]);
            }
            while (values.Count < count)
            {
                if (++i >= tokens.Count)
                {
                    throw new StartupException($"Option '{name}' requires {count} arguments.", ExitCodes.WrongUsage);
                }
                values.Add(tokens[i]);
            }
            result.Add(name);
            result.Add(string.Join(Separator, values));
        }
        return result;
    }
}
