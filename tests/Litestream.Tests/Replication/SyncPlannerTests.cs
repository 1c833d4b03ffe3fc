using Litestream.Ltx;
using Litestream.Replication;
using Litestream.Sqlite;
using Xunit;

namespace Litestream.Tests.Replication;

/// <summary>V1–V9 of the replication specification with the rule of the held lock: every branch.</summary>
public sealed class SyncPlannerTests
{
    private static readonly WalSalt Old = new(1, 2);
    private static readonly WalSalt New = new(3, 4);

    /// <summary>Name, position (salt, frame), end (salt, frame), held, tail is ours, expected.</summary>
    public static TheoryData<string, (bool New, long Frame), (bool New, uint Frame), bool, bool, string> Cases =>
        new()
        {
            // name, position, SQLite's end, held, tail is ours, plan
            { "V8 nothing new, held", (false, 10), (false, 10), true, false, "nothing" },
            { "V8 nothing new, not held but the tail is ours", (false, 10), (false, 10), false, true, "nothing" },
            { "V7 nothing new, not held, tail is not ours", (false, 10), (false, 10), false, false, "full WalOverwritten" },
            { "V8 new frames, held: the tail is not even asked for", (false, 10), (false, 15), true, false, "after 10" },
            { "V8 new frames, not held but the tail is ours", (false, 10), (false, 15), false, true, "after 10" },
            { "V7 new frames, not held, tail is not ours", (false, 10), (false, 15), false, false, "full WalOverwritten" },
            { "V4 end before the position, held", (false, 10), (false, 9), true, true, "full WalShrank" },
            { "V4 end before the position, not held", (false, 10), (false, 9), false, true, "full WalShrank" },
            { "V4 end at no frame, salts equal", (false, 10), (false, 0), true, true, "full WalShrank" },
            { "V5 (B7) nothing was in the WAL, salts equal, not held", (false, 0), (false, 4), false, false, "after 0" },
            { "V5 (B7) nothing was in the WAL, salts equal, held", (false, 0), (false, 4), true, false, "after 0" },
            { "V5 (B7) nothing was and is in the WAL", (false, 0), (false, 0), false, false, "nothing" },
            { "V5 (B8) nothing was in the WAL, salts differ, not held", (false, 0), (true, 4), false, true, "full WalRestartedUnwatched" },
            { "V5 (B8) nothing was in the WAL, salts differ, held", (false, 0), (true, 4), true, true, "after 0" },
            { "V6 one frame, salts equal, not held, tail is ours", (false, 1), (false, 3), false, true, "after 1" },
            { "V6 one frame, salts differ, not held", (false, 1), (true, 3), false, true, "full WalRestartedUnwatched" },
            { "V9 (B11) restarted once, held", (false, 10), (true, 3), true, true, "after 0" },
            {
                "V9 (B12, B36) restarted, not held, even when the old tail is still to be seen",
                (false, 10),
                (true, 3),
                false,
                true,
                "full WalRestartedUnwatched"
            },
            { "V3 (B9) restarted and longer than before, held", (false, 10), (true, 30), true, false, "after 0" },
            { "V3 (B9) emptied while held: everything was copied", (false, 10), (true, 0), true, true, "nothing" },
            { "V3 (B10) emptied while not held", (false, 10), (true, 0), false, true, "full WalRestartedUnwatched" },
        };

    [Theory]
    [MemberData(nameof(Cases))]
    [Trait("Scenario", "B7")]
    [Trait("Scenario", "B8")]
    [Trait("Scenario", "B11")]
    [Trait("Scenario", "B12")]
    public void Plan(string name, (bool New, long Frame) position, (bool New, uint Frame) end, bool held, bool tailIsOurs, string expected)
    {
        var plan = SyncPlanner.Plan(
            Position(position.New ? New : Old, position.Frame),
            End(end.New ? New : Old, end.Frame),
            held,
            () => tailIsOurs
        );
        Assert.True(expected == Text(plan), $"{name}: {Text(plan)}");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void V1_NothingCopiedYet_IsFull(bool held) =>
        Assert.Equal("full FirstSync", Text(SyncPlanner.Plan(null, End(Old, 3), held, () => true)));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void B33_AnotherPageSize_IsFull(bool held) =>
        Assert.Equal(
            "full PageSizeChanged",
            Text(SyncPlanner.Plan(Position(Old, 10), End(Old, 10) with { PageSize = 8192 }, held, () => true))
        );

    [Fact]
    public void PositionAtNoFramesEnd_IsFull() =>
        Assert.Equal(
            "full WalOverwritten",
            Text(SyncPlanner.Plan(Position(Old, 10) with { EndOffset = 12_345 }, End(Old, 20), true, () => true))
        );

    [Theory]
    [InlineData(true, "nothing")]
    [InlineData(false, "full WalRestartedUnwatched")]
    public void WalWithoutSalts_TellsNothingUnlessHeld(bool held, string expected) =>
        Assert.Equal(
            expected,
            Text(SyncPlanner.Plan(Position(WalSalt.None, 0), WalIndexHeader.Empty(4096), held, () => throw new InvalidOperationException()))
        );

    [Fact]
    public void FirstLifeOfAWalThatWasNeverWritten_Held_IsIncremental() =>
        Assert.Equal("after 0", Text(SyncPlanner.Plan(Position(WalSalt.None, 0), End(New, 5), true, () => false)));

    [Fact]
    public void TheTailIsAskedForOnlyWhenItMatters()
    {
        static bool Never() => throw new InvalidOperationException("asked");
        SyncPlanner.Plan(Position(Old, 10), End(Old, 12), true, Never);
        SyncPlanner.Plan(Position(Old, 10), End(New, 12), false, Never);
        SyncPlanner.Plan(Position(Old, 10), End(Old, 2), false, Never);
        SyncPlanner.Plan(Position(Old, 0), End(Old, 2), false, Never);
    }

    [Fact]
    public void Position_FromAHeader_IsItsEndAndNotLessThanTheWalHeader()
    {
        var header = new LtxHeader
        {
            PageSize = 512,
            Commit = 3,
            MinTxid = new Txid(4),
            MaxTxid = new Txid(4),
            WalOffset = 32 + 536,
            WalSize = 2 * 536,
            WalSalt1 = 1,
            WalSalt2 = 2,
        };
        Assert.Equal(3, SyncPosition.From(header).EndFrame);
        Assert.Equal(Old, SyncPosition.From(header).Salt);
        Assert.Equal(0, SyncPosition.From(header with { WalOffset = 0, WalSize = 0 }).EndFrame);
    }

    private static SyncPosition Position(WalSalt salt, long frame) =>
        new(new Txid(7), 4096, 20, salt, WalFrameHeader.EndOf(frame, 4096), DateTimeOffset.UnixEpoch);

    private static WalIndexHeader End(WalSalt salt, uint frame) => new(4096, frame, 20, default, salt, false, 1);

    private static string Text(SyncPlan plan) =>
        plan switch
        {
            SyncPlan.Nothing => "nothing",
            SyncPlan.Incremental i => $"after {i.AfterFrame}",
            SyncPlan.Full f => $"full {f.Reason}",
            _ => "?",
        };
}
