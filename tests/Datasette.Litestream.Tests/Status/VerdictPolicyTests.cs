using Datasette.Litestream.Status;
using Litestream.Ltx;
using Litestream.Replication;

namespace Datasette.Litestream.Tests.Status;

public sealed class VerdictPolicyTests
{
    private static readonly DateTimeOffset Now = Samples.Now;

    private static Verdict Decide(params DatabaseStatus[] statuses) =>
        VerdictPolicy.Decide(
            [.. statuses.Select(status => (Path.GetFileNameWithoutExtension(status.Path), (DatabaseStatus?)status))],
            [],
            Now
        );

    private static DatabaseStatus With(Func<ReplicaStatus, ReplicaStatus> change) =>
        Samples.Elements with
        {
            Replicas = [change(Samples.Elements.Replicas[0])],
        };

    [Fact]
    public void EverythingStored_IsSafe()
    {
        var verdict = Decide(Samples.Earthquakes, Samples.Elements);

        Assert.Equal(("Safe", Tone.Ok), (verdict.Word, verdict.Tone));
        Assert.Equal("Every commit is in a replica; the newest file arrived 2 s ago.", verdict.Sentence);
        Assert.Contains("3 of 3 replicas in sync.", verdict.Detail);
        Assert.Contains("elements has copies on a disk of this machine only.", verdict.Detail);
    }

    [Fact]
    public void OneReplicaFailsButAnotherHasAll_IsSafeBut()
    {
        var verdict = Decide(Samples.Earthquakes with { Replicas = [Samples.Failing.Replicas[0], Samples.Earthquakes.Replicas[1]] });

        Assert.Equal(("Safe, but", Tone.Warn), (verdict.Word, verdict.Tone));
        Assert.Equal("s3 of earthquakes is failing since 14:03:40 UTC.", verdict.Sentence);
        Assert.Contains("Every commit is in another replica", verdict.Detail);
        Assert.DoesNotContain("is failing", verdict.Detail);
    }

    [Fact]
    public void StoreWithoutAnythingConfirmed_DoesNotCountAsAPlaceElsewhere()
    {
        var empty = Samples.Failing.Replicas[0] with { Txid = Txid.None };

        var verdict = Decide(Samples.Earthquakes with { Replicas = [empty, Samples.Earthquakes.Replicas[1]] });

        Assert.Equal("Safe, but", verdict.Word);
        Assert.Contains("earthquakes has copies on a disk of this machine only.", verdict.Detail);
    }

    [Fact]
    public void OldestCommitWaitsLong_IsNotSafeNamingDatabaseAndSpan()
    {
        var verdict = Decide(Samples.Failing, Samples.Elements);

        Assert.Equal(("Not safe", Tone.Bad), (verdict.Word, verdict.Tone));
        Assert.Equal("The last 28 min 20 s of earthquakes are in no replica.", verdict.Sentence);
        Assert.Contains("s3 of earthquakes is failing", verdict.Detail);
    }

    [Fact]
    public void YoungCommitOnItsWay_IsStillSafe() =>
        Assert.Equal(
            Tone.Ok,
            Decide(
                With(replica =>
                    replica with
                    {
                        State = ReplicationState.CatchingUp,
                        PendingTransactions = 1,
                        OldestPending = Now.AddSeconds(-1),
                    }
                )
            ).Tone
        );

    [Fact]
    public void YoungCommitAtAFailingReplica_IsNotSafe() =>
        Assert.Equal(
            Tone.Bad,
            Decide(
                With(replica =>
                    replica with
                    {
                        State = ReplicationState.Failing,
                        PendingTransactions = 1,
                        OldestPending = Now.AddSeconds(-1),
                    }
                )
            ).Tone
        );

    [Fact]
    public void NothingConfirmedYet_IsNotSafe()
    {
        var verdict = Decide(With(replica => replica with { Txid = Txid.None, State = ReplicationState.CatchingUp, LastUpload = null }));

        Assert.Equal(Tone.Bad, verdict.Tone);
        Assert.Equal("The first copy of elements is not stored yet.", verdict.Sentence);
    }

    [Theory]
    [InlineData(ReplicationState.Blocked)]
    [InlineData(ReplicationState.Failing)]
    [InlineData(ReplicationState.Stopped)]
    public void SourceCannotBeRead_IsNotSafe(ReplicationState state)
    {
        var verdict = Decide(Samples.Elements with { State = state, Cause = "locked by pid 7" });

        Assert.Equal(Tone.Bad, verdict.Tone);
        Assert.Contains("elements since 14:32:08 UTC may be in no replica", verdict.Sentence);
    }

    [Fact]
    public void DatabaseThatTheEngineDoesNotKnow_IsNotSafe() =>
        Assert.Equal(Tone.Bad, VerdictPolicy.Decide([("data", null)], [], Now).Tone);

    [Fact]
    public void NoDatabase_IsNeitherSafeNorUnsafe() => Assert.Equal("Nothing is replicated", VerdictPolicy.Decide([], ["fixed"], Now).Word);

    [Fact]
    public void Loss_IsThatOfTheReplicaThatHasComeFurthest()
    {
        var loss = VerdictPolicy.Lost([("earthquakes", Samples.Failing), ("elements", Samples.Elements)]);

        Assert.Equal("28 transactions of earthquakes", loss.Text);
        Assert.Equal(Now.AddSeconds(-1700), loss.Since);
        Assert.Equal("nothing", VerdictPolicy.Lost([("elements", Samples.Elements)]).Text);
        Assert.Equal("all of data", VerdictPolicy.Lost([("data", null)]).Text);
    }
}
