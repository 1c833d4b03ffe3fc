using System.CommandLine;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Litestream.Cli.Commands;

/// <summary><c>litestream version</c>.</summary>
internal static class VersionCommand
{
    /// <summary>The version without the commit.</summary>
    public static string Version { get; } = Informational().Split('+')[0];

    public static Command Create(CliServices services)
    {
        var verbose = CliFlags.Switch("verbose", "Print also runtime, commit and platform.");
        var command = new Command("version", "Prints the version.") { verbose };
        CliRunner.Bind(
            command,
            Usage.Version,
            services,
            (context, _) =>
            {
                context.Out.WriteLine(Version);
                if (!context.Get(verbose))
                    return Task.FromResult(0);
                context.Out.WriteLine($"runtime: {RuntimeInformation.FrameworkDescription}");
                if (Informational().Split('+') is [_, var commit, ..])
                    context.Out.WriteLine($"commit: {commit}");
                context.Out.WriteLine($"platform: {RuntimeInformation.RuntimeIdentifier}");
                context.Out.WriteLine($"replica types: {string.Join(", ", context.Services.Stores.Schemes)}");
                return Task.FromResult(0);
            }
        );
        return command;
    }

    private static string Informational() =>
        typeof(VersionCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0.0.0";
}
