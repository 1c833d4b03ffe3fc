using System.Runtime.InteropServices;

namespace Litestream.Cli.Commands;

/// <summary>SIGINT and SIGTERM while <c>replicate</c> runs: the first asks to stop, the second to stop at once.</summary>
internal sealed class StopSignals : IDisposable
{
    private readonly CancellationTokenSource _first;
    private readonly CancellationTokenSource _second = new();
    private readonly List<PosixSignalRegistration> _registrations = [];
    private int _count;

    public StopSignals(CancellationToken cancellationToken)
    {
        _first = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        foreach (var signal in new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM })
            _registrations.Add(PosixSignalRegistration.Create(signal, Handle));
    }

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Stop => _first.Token;

    /// <summary>Cancelled by the second signal.</summary>
    public CancellationToken AtOnce => _second.Token;

    /// <summary>The last signal.</summary>
    public PosixSignal Last { get; private set; } = PosixSignal.SIGTERM;

    /// <summary>Raised for every signal, on a thread of the system.</summary>
    public event Action<PosixSignal>? Received;

    public void Dispose()
    {
        foreach (var registration in _registrations)
            registration.Dispose();
        _first.Dispose();
        _second.Dispose();
    }

    private void Handle(PosixSignalContext context)
    {
        context.Cancel = true;
        Last = context.Signal;
        Received?.Invoke(context.Signal);
        (Interlocked.Increment(ref _count) == 1 ? _first : _second).Cancel();
    }
}
