using Litestream.Replicas;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Litestream.Tests.Replicas;

public class ResumableStreamTests
{
    private static readonly byte[] s_content = [.. Enumerable.Range(0, 1000).Select(i => (byte)(i * 7))];

    private readonly FakeTimeProvider _time = new();
    private readonly List<Connection> _connections = [];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    [Trait("Scenario", "J1")]
    public async Task Read_HealthyConnection_GivesTheBytesOverOneConnection()
    {
        Assert.Equal(s_content, await ReadAsync(s_content.Length));
        Assert.Single(_connections);
        Assert.True(_connections[0].IsClosed);
    }

    [Fact]
    [Trait("Scenario", "J2")]
    public async Task Read_ErrorMidStream_GoesOnWhereItBroke()
    {
        Assert.Equal(s_content, await ReadAsync(s_content.Length, new Plan(BreakAt: 123), new Plan(BreakAt: 400)));
        Assert.Equal([0L, 123, 400], _connections.Select(c => c.Offset));
        Assert.All(_connections, c => Assert.True(c.IsClosed));
    }

    [Fact]
    [Trait("Scenario", "J3")]
    public async Task Read_CleanEarlyEndOfKnownLength_GoesOn()
    {
        Assert.Equal(s_content, await ReadAsync(s_content.Length, new Plan(EndAt: 500)));
        Assert.Equal([0L, 500], _connections.Select(c => c.Offset));
    }

    [Fact]
    [Trait("Scenario", "J7")]
    public async Task Read_EarlyEndOfUnknownLength_IsTheEnd() =>
        Assert.Equal(s_content[..500], await ReadAsync(null, new Plan(EndAt: 500)));

    [Fact]
    [Trait("Scenario", "J4")]
    public async Task Read_FirstOpeningFails_IsTriedAgain() =>
        Assert.Equal(
            s_content,
            await ReadAsync(s_content.Length, new Plan(OpenFails: new LitestreamException(LitestreamError.Unavailable, "no")))
        );

    [Fact]
    [Trait("Scenario", "J6")]
    public async Task Read_ReopeningFailsToo_CountsAgainstTheSameBudget()
    {
        Assert.Equal(
            s_content,
            await ReadAsync(s_content.Length, new Plan(BreakAt: 1), new Plan(OpenFails: new IOException("no")), new Plan(BreakAt: 2))
        );
        Assert.Equal(3, _connections.Count);
    }

    [Fact]
    [Trait("Scenario", "J5")]
    public async Task Read_AlwaysFailing_StopsAfterThreeRetries()
    {
        var plans = Enumerable.Repeat(new Plan(BreakAt: 0), 10).ToArray();
        var exception = await Assert.ThrowsAsync<LitestreamException>(() => ReadAsync(s_content.Length, plans));
        Assert.Equal((LitestreamError.Unavailable, true), (exception.Error, exception.IsTransient));
        Assert.Equal(4, _connections.Count);
        Assert.All(_connections, c => Assert.True(c.IsClosed));
    }

    [Fact]
    [Trait("Scenario", "J8")]
    public async Task Read_ProgressBetweenFailures_DoesNotRefillTheBudget()
    {
        var plans = Enumerable.Range(1, 20).Select(i => new Plan(BreakAt: i * 10)).ToArray();
        await Assert.ThrowsAsync<LitestreamException>(() => ReadAsync(s_content.Length, plans));
        Assert.Equal(4, _connections.Count);
    }

    [Theory]
    [InlineData(LitestreamError.NotFound)]
    [InlineData(LitestreamError.AccessDenied)]
    public async Task Read_FinalFailure_IsNotTriedAgain(LitestreamError error)
    {
        var failure = new LitestreamException(error, "final");
        Assert.Same(
            failure,
            await Assert.ThrowsAsync<LitestreamException>(() => ReadAsync(s_content.Length, new Plan(OpenFails: failure)))
        );
        Assert.Empty(_connections);
    }

    [Fact]
    [Trait("Scenario", "J9")]
    public async Task Read_Retries_WaitLongerEachTime()
    {
        await using var stream = Open(s_content.Length, Enumerable.Repeat(new Plan(BreakAt: 0), 3).ToArray());
        var read = stream.ReadAsync(new byte[10], Cancel).AsTask();
        foreach (var pause in new[] { 250, 500, 1000 })
        {
            var opened = _connections.Count;
            _time.Advance(TimeSpan.FromMilliseconds(pause - 1));
            Assert.Equal(opened, _connections.Count);
            _time.Advance(TimeSpan.FromMilliseconds(1));
            await Until(() => _connections.Count == opened + 1);
        }
        Assert.Equal(10, await read);
        Assert.Equal(3, stream.Retries);
    }

    [Fact]
    [Trait("Scenario", "J9")]
    public async Task Read_CancelledWhileWaiting_EndsTheWait()
    {
        using var cancel = new CancellationTokenSource();
        await using var stream = Open(s_content.Length, new Plan(BreakAt: 0));
        var read = stream.ReadAsync(new byte[10], cancel.Token).AsTask();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read);
        Assert.Single(_connections);
    }

    private async Task<byte[]> ReadAsync(long? length, params Plan[] plans)
    {
        await using var stream = Open(length, plans);
        using var copy = new MemoryStream();
        var reading = stream.CopyToAsync(copy, 64, Cancel);
        while (!reading.IsCompleted)
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
        }
        await reading;
        return copy.ToArray();
    }

    private ResumableStream Open(long? length, params Plan[] plans)
    {
        var left = new Queue<Plan>(plans);
        return new ResumableStream(
            (offset, _) =>
            {
                Assert.All(_connections, c => Assert.True(c.IsClosed, "two connections at once"));
                var plan = left.TryDequeue(out var next) ? next : new Plan();
                if (plan.OpenFails is not null)
                    throw plan.OpenFails;
                var connection = new Connection(offset, plan);
                _connections.Add(connection);
                return Task.FromResult<Stream>(connection);
            },
            length,
            _time,
            "object"
        );
    }

    private static async Task Until(Func<bool> condition)
    {
        for (var i = 0; i < 10_000 && !condition(); i++)
            await Task.Yield();
        Assert.True(condition());
    }

    private sealed record Plan(int? BreakAt = null, int? EndAt = null, Exception? OpenFails = null);

    private sealed class Connection(long offset, Plan plan) : MemoryStream
    {
        private int _at = (int)offset;

        public long Offset => offset;

        public bool IsClosed { get; private set; }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_at >= plan.BreakAt)
                throw new IOException("connection reset");
            var end = Math.Min(plan.BreakAt ?? s_content.Length, plan.EndAt ?? s_content.Length);
            var count = Math.Min(buffer.Length, end - _at);
            s_content.AsSpan(_at, count).CopyTo(buffer.Span);
            _at += count;
            return ValueTask.FromResult(count);
        }

        protected override void Dispose(bool disposing)
        {
            IsClosed = true;
            base.Dispose(disposing);
        }
    }
}
