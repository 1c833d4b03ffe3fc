using Litestream.Cli;
using Litestream.Cli.Commands;
using Litestream.Replicas;
using Litestream.S3;
using Xunit;

namespace Litestream.Tests.Cli;

/// <summary>One command line, run in this process.</summary>
internal sealed record CliRun(int Exit, string Out, string Error)
{
    public static Task<CliRun> Of(params string[] args) => With(new Dictionary<string, string>(), args);

    public static async Task<CliRun> With(IReadOnlyDictionary<string, string> environment, params string[] args)
    {
        SQLitePCL.Batteries_V2.Init();
        var services = new CliServices
        {
            Stores = new ObjectStoreFactory(S3ObjectStore.Backend),
            Environment = name => environment.GetValueOrDefault(name),
        };
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        var exit = await LitestreamCommand.RunAsync(args, services, output, error, TestContext.Current.CancellationToken);
        return new CliRun(exit, output.ToString(), error.ToString());
    }
}
