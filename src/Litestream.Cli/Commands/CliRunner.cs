using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Litestream.Cli.Commands;

/// <summary>Runs one command: failures become one line and an exit code.</summary>
internal static class CliRunner
{
    /// <summary>Gives a command its help text and its work.</summary>
    public static void Bind(Command command, string usage, CliServices services, Func<CliContext, CancellationToken, Task<int>> work)
    {
        BindHelp(command, usage);
        command.SetAction(
            (parsed, cancellationToken) =>
                GuardAsync(
                    parsed.InvocationConfiguration.Output,
                    parsed.InvocationConfiguration.Error,
                    usage,
                    () => work(new CliContext(parsed, services), cancellationToken)
                )
        );
    }

    /// <summary>Gives a command its help text.</summary>
    public static void BindHelp(Command command, string usage)
    {
        foreach (var builtIn in command.Options.OfType<HelpOption>().ToArray())
            command.Options.Remove(builtIn);
        command.Add(new HelpOption("-h", "-help", "--h", "--help") { Action = new PrintUsage(usage) });
    }

    /// <summary>Runs <paramref name="work"/>; failures are printed, exit code 1.</summary>
    public static async Task<int> GuardAsync(TextWriter output, TextWriter error, string usage, Func<Task<int>> work)
    {
        try
        {
            return await work().ConfigureAwait(false);
        }
        catch (FlagException e)
        {
            // As Go's flag package does: the reason, the usage, and the reason again where people look for it.
            output.Write(usage);
            error.WriteLine(e.Message);
            return Fail(error, e.Message, e.Hint);
        }
        catch (CliException e)
        {
            return Fail(error, e);
        }
        catch (LitestreamException e)
        {
            return Fail(error, e.Message, e.Hint);
        }
        catch (OperationCanceledException)
        {
            return Fail(error, "interrupted", null);
        }
        catch (Exception e)
            when (e is IOException or UnauthorizedAccessException or InvalidOperationException or NotSupportedException or ArgumentException
            )
        {
            return Fail(error, e.Message, null);
        }
    }

    /// <summary>Prints a failure; returns 1.</summary>
    public static int Fail(TextWriter error, string message, string? hint)
    {
        error.WriteLine($"Error: {OneLine(message)}");
        if (hint is { Length: > 0 })
            error.WriteLine($"Try: {OneLine(hint)}");
        return 1;
    }

    /// <summary>Prints a failure; returns its exit code.</summary>
    public static int Fail(TextWriter error, CliException failure)
    {
        Fail(error, failure.Message, failure.Hint);
        return failure.ExitCode;
    }

    private static string OneLine(string text) => text.ReplaceLineEndings(" ").Trim();

    private sealed class PrintUsage(string usage) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            parseResult.InvocationConfiguration.Output.Write(usage);
            return 0;
        }
    }
}
