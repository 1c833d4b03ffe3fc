using Datasette.Plugins;

namespace Datasette.Tests.Plugins;

/// <summary>Copies that arrive when the test says so. Receipts are numbers from 1.</summary>
internal sealed class FakeCopies : DurableCopies
{
    private readonly TaskCompletionSource arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int last;

    public string? Why { get; init; }

    /// <summary>Thrown by every wait.</summary>
    public Exception? Failure { get; init; }

    public int Receipts => last;

    public override string? Problem => Why;

    public void Arrive() => arrived.TrySetResult();

    public override ValueTask<string> ReceiptAsync(CancellationToken cancellationToken) =>
        ValueTask.FromResult(Interlocked.Increment(ref last).ToString(System.Globalization.CultureInfo.InvariantCulture));

    public override Task WaitAsync(string transaction, CancellationToken cancellationToken) =>
        Failure is { } failure ? Task.FromException(failure) : arrived.Task.WaitAsync(cancellationToken);

    public override bool? IsHeld(string transaction) =>
        int.TryParse(transaction, out var number) ? arrived.Task.IsCompleted && number <= last : null;
}
