using Litestream.IO;
using Litestream.Replicas;

namespace Litestream.Cli.Commands;

/// <summary>What the commands take from outside. Tests put other things here.</summary>
internal sealed record CliServices
{
    public required ObjectStoreFactory Stores { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;

    public DurableFiles Files { get; init; } = DurableFiles.System;

    public Func<string, string?> Environment { get; init; } = System.Environment.GetEnvironmentVariable;

    public string DefaultConfigPath { get; init; } = LitestreamConfig.DefaultPath;
}
