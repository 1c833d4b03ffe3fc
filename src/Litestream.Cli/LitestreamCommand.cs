using System.CommandLine;
using Litestream.Cli.Commands;
using Litestream.Cli.Configuration;
using Litestream.Replicas;
using Litestream.S3;

namespace Litestream.Cli;

/// <summary>
/// The <c>litestream</c> command: <c>replicate</c>, <c>restore</c>, <c>databases</c>, <c>ltx</c>, <c>points</c>, <c>generations</c>,
/// <c>snapshots</c>, <c>wal</c>, <c>version</c>.
/// </summary>
/// <remarks>The app must have chosen its native SQLite before (<c>SQLitePCL.Batteries_V2.Init()</c>).</remarks>
public static class LitestreamCommand
{
    /// <summary>Runs a command line on the console of this process.</summary>
    /// <param name="args">What follows the program's name.</param>
    /// <returns>0 for success or help that was asked for, 1 for everything else.</returns>
    public static Task<int> RunAsync(string[] args) =>
        RunAsync(args, DefaultServices(), Console.Out, Console.Error, CancellationToken.None);

    /// <summary>Makes the tree of commands, to be mounted below another program's.</summary>
    /// <param name="name">Name of its top. Default: <c>litestream</c>.</param>
    public static Command Create(string name = "litestream") => Create(DefaultServices(), name);

    internal static Command Create(CliServices services, string name = "litestream")
    {
        var top = new Command(name, "Replicates SQLite databases to a folder or to object storage.")
        {
            ReplicateCommand.Create(services),
            RestoreCommand.Create(services),
            DatabasesCommand.Create(services),
            LtxCommand.Create(services),
            PointsCommand.Create(services),
            LtxCommand.CreateDeprecated(services),
            OldBackupCommands.CreateGenerations(services),
            OldBackupCommands.CreateSnapshots(services),
            VersionCommand.Create(services),
        };
        foreach (var later in LaterCommands.Create(services))
            top.Add(later);
        top.TreatUnmatchedTokensAsErrors = false;
        CliRunner.BindHelp(top, Usage.Top);
        top.SetAction(parsed =>
        {
            if (parsed.UnmatchedTokens is [var unknown, ..])
                return Unknown(top, unknown, parsed.InvocationConfiguration.Error);
            parsed.InvocationConfiguration.Output.Write(Usage.Top);
            return 1;
        });
        return top;
    }

    internal static async Task<int> RunAsync(
        IReadOnlyList<string> args,
        CliServices services,
        TextWriter output,
        TextWriter error,
        CancellationToken cancellationToken
    )
    {
        var top = Create(services);
        if (args is ["help", ..])
            args = args.Count == 1 ? ["-h"] : [args[1], "-h"];
        if (args.Count == 0 || CliFlags.AsksForHelp(args[0]))
        {
            output.Write(Usage.Top);
            return args.Count == 0 ? 1 : 0;
        }
        if (top.Subcommands.FirstOrDefault(c => c.Name == args[0]) is not { } command)
            return Unknown(top, args[0], error);
        var usage = Usage.Of(command.Name);
        if (LaterCommands.Contains(command.Name) && !args.Skip(1).Any(CliFlags.AsksForHelp))
            return CliRunner.Fail(error, LaterCommands.Later(command.Name));
        return await CliRunner
            .GuardAsync(
                output,
                error,
                usage,
                async () =>
                {
                    string[] rest = [.. args.Skip(1)];
                    if (CliFlags.Check(command, rest))
                    {
                        output.Write(usage);
                        return 0;
                    }
                    var parsed = top.Parse(args, new ParserConfiguration { EnablePosixBundling = false, ResponseFileTokenReplacer = null });
                    if (parsed.Errors is [var first, ..])
                        throw new FlagException(first.Message);
                    var configuration = new InvocationConfiguration
                    {
                        Output = output,
                        Error = error,
                        EnableDefaultExceptionHandler = false,
                        ProcessTerminationTimeout = null,
                    };
                    return await parsed.InvokeAsync(configuration, cancellationToken).ConfigureAwait(false);
                }
            )
            .ConfigureAwait(false);
    }

    private static int Unknown(Command top, string name, TextWriter error)
    {
        if (name is ['-', ..])
            return CliRunner.Fail(error, $"flag provided but not defined: {name}", "litestream help");
        var near = Nearest.Find(name, top.Subcommands.Where(c => !c.Hidden).Select(c => c.Name));
        return CliRunner.Fail(error, $"litestream {name}: unknown command", near is null ? null : $"litestream {near}");
    }

    private static CliServices DefaultServices() => new() { Stores = new ObjectStoreFactory(S3ObjectStore.Backend) };
}
