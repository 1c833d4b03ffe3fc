using Litestream.Tests.Histories;
using Testing;
using Testing.Oracles;

namespace Litestream.Tests.Restore.V3;

/// <summary>
/// An application beside the genuine Litestream 0.3.13, which is stopped, killed and started again. What the application does comes from a seed; how the
/// program's own clock falls between is the machine's.
/// </summary>
internal sealed class V3History : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private readonly Random _random;
    private readonly TempFolder _folder;
    private readonly RandomApp _app;
    private TestProcess? _program;

    private V3History(int seed, TempFolder folder)
    {
        _random = new Random(seed);
        _folder = folder;
        _app = new RandomApp(Source, _random);
        Note();
        File.WriteAllText(
            folder.Combine("litestream.yml"),
            $"""
            dbs:
              - path: {Source}
                monitor-interval: {_random.Next(5, 40)}ms
                checkpoint-interval: {_random.Next(100, 2000)}ms
                min-checkpoint-page-count: {_random.Next(5, 200)}
                max-checkpoint-page-count: {_random.Next(200, 2000)}
                replicas:
                  - path: {Replica}
                    sync-interval: {_random.Next(5, 60)}ms
                    snapshot-interval: {_random.Next(150, 2000)}ms
            """
        );
    }

    /// <summary>Every state that the application made, as <see cref="LogicalDump"/> hashes, which leave the tables of 0.3.13 out.</summary>
    internal HashSet<string> States { get; } = [];

    internal string Source => _folder.Combine("app.db");

    internal string Replica => _folder.Combine("replica");

    internal static async Task<V3History> RunAsync(int seed, TempFolder folder, int acts, CancellationToken cancellationToken)
    {
        var history = new V3History(seed, folder);
        try
        {
            await history.StartAsync(cancellationToken);
            for (var i = 0; i < acts; i++)
                await history.ActAsync(cancellationToken);
            await history.StopAsync();
            return history;
        }
        catch
        {
            await history.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_program is not null)
            await _program.DisposeAsync();
        _app.Dispose();
    }

    private async Task ActAsync(CancellationToken cancellationToken)
    {
        switch (_random.Next(24))
        {
            case 0:
                await StopAsync();
                for (var i = _random.Next(4); i > 0; i--)
                    Act();
                await StartAsync(cancellationToken);
                break;
            case < 6:
                await Task.Delay(_random.Next(10, 120), cancellationToken);
                break;
            default:
                Act();
                break;
        }
    }

    private void Act()
    {
        _app.Act();
        Note();
    }

    private void Note()
    {
        using var connection = TestDatabase.Open(Source);
        States.Add(LogicalDump.Hash(connection));
    }

    private async Task StartAsync(CancellationToken cancellationToken)
    {
        _program = TestProcess.Start(Litestream03.Program(), ["replicate", "-config", _folder.Combine("litestream.yml")]);
        await _program.WaitForLineAsync(new("replicating to"), s_patience, cancellationToken: cancellationToken);
    }

    private async Task StopAsync()
    {
        if (_random.Next(3) == 0)
            _program!.Kill();
        else
            await _program!.StopAsync(timeout: s_patience);
        await _program.DisposeAsync();
        _program = null;
    }
}
