using Litestream.Ltx;
using Litestream.Restore;
using Testing;
using Xunit;

namespace Litestream.Tests.Restore;

public class RestorePlannerTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    [Trait("Scenario", "I1")]
    public void Plan_SnapshotAndIncrements_TakesTheNewestSnapshotAndWhatFollows()
    {
        var files = Files("9:1-3", "9:1-6", "0:1-1", "0:2-2", "0:3-3", "0:4-4", "0:5-5", "0:6-6", "0:7-7", "0:8-8");
        Assert.Equal("9:1-6 0:7-7 0:8-8", Show(RestorePlanner.Plan(files, RestoreTarget.Latest)));
        Assert.Equal("9:1-3 0:4-4 0:5-5", Show(RestorePlanner.Plan(files, At(5))));
        Assert.Equal("0:1-1 0:2-2", Show(RestorePlanner.Plan(files, At(2))));
    }

    [Fact]
    [Trait("Scenario", "I2")]
    public void Plan_SeveralLevels_TakesTheLongestReach()
    {
        Assert.Equal(
            "3:1-4 1:5-8 0:9-9",
            Show(RestorePlanner.Plan(Files("0:1-1", "0:2-2", "1:1-2", "3:1-4", "0:5-5", "1:5-8", "2:3-6", "0:9-9"), RestoreTarget.Latest))
        );
        // Equal reach: the one that starts first, then the higher level.
        Assert.Equal("0:1-1 1:2-3", Show(RestorePlanner.Plan(Files("0:1-1", "0:3-3", "1:2-3"), RestoreTarget.Latest)));
        Assert.Equal("2:1-3", Show(RestorePlanner.Plan(Files("1:1-3", "2:1-3"), RestoreTarget.Latest)));
    }

    [Fact]
    [Trait("Scenario", "I3")]
    public void Plan_HoleInOneLevel_IsFilledByAnother() =>
        Assert.Equal("1:1-4 0:5-5 0:6-6 1:7-9", Show(RestorePlanner.Plan(Files("1:1-4", "1:7-9", "0:5-5", "0:6-6"), RestoreTarget.Latest)));

    [Fact]
    [Trait("Scenario", "I4")]
    public void Plan_OverlapsAndDuplicates_AreSkipped() =>
        Assert.Equal(
            "1:1-4 1:3-6",
            Show(RestorePlanner.Plan(Files("1:1-4", "1:3-6", "0:4-4", "0:5-5", "0:6-6", "0:1-1"), RestoreTarget.Latest))
        );

    [Theory]
    [InlineData("latest", 5, 5)]
    [InlineData("txid 7", 5, 5)]
    [InlineData("time", 5, 5)]
    [Trait("Scenario", "I7")]
    [Trait("Scenario", "hole-and-timestamp")]
    public void Plan_Hole_FailsForEveryKindOfTarget(string kind, ulong first, ulong last)
    {
        var files = Files("0:1-1", "0:2-2", "1:1-4", "0:6-6", "0:7-7", "0:8-8");
        var target = kind switch
        {
            "latest" => RestoreTarget.Latest,
            "txid 7" => At(7),
            _ => new RestoreTarget(Timestamp: SampleReplica.TimeOf(8)),
        };
        var exception = Assert.Throws<LitestreamException>(() => RestorePlanner.Plan(files, target));
        Assert.Equal(LitestreamError.Gap, exception.Error);
        Assert.Equal((new Txid(first), new Txid(last)), (exception.MinTxid!.Value, exception.MaxTxid!.Value));
        Assert.Contains("0000000000000004", exception.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void Plan_HoleBehindTheTarget_IsNoMatter()
    {
        var files = Files("0:1-1", "0:2-2", "0:4-4");
        Assert.Equal("0:1-1 0:2-2", Show(RestorePlanner.Plan(files, At(2))));
        Assert.Equal("0:1-1 0:2-2", Show(RestorePlanner.Plan(files, new RestoreTarget(Timestamp: SampleReplica.TimeOf(3)))));
    }

    [Fact]
    public void Plan_HoleBeforeASnapshot_IsNoMatter() =>
        Assert.Equal("9:1-6 0:7-7", Show(RestorePlanner.Plan(Files("0:1-1", "0:4-4", "9:1-6", "0:7-7"), RestoreTarget.Latest)));

    [Fact]
    public void Plan_FirstFileGone_NamesTheHoleFromTransactionOne()
    {
        var exception = Assert.Throws<LitestreamException>(() => RestorePlanner.Plan(Files("0:3-3", "0:4-4"), RestoreTarget.Latest));
        Assert.Equal(LitestreamError.Gap, exception.Error);
        Assert.Equal((new Txid(1), new Txid(2)), (exception.MinTxid!.Value, exception.MaxTxid!.Value));
    }

    [Fact]
    [Trait("Scenario", "I5")]
    public void Plan_TransactionInsideAMergedFile_NamesItsNeighbours()
    {
        var exception = Assert.Throws<LitestreamException>(() => RestorePlanner.Plan(Files("1:1-4", "1:5-8", "0:7-7", "0:9-9"), At(7)));
        Assert.Equal(LitestreamError.NotFound, exception.Error);
        Assert.Contains("0000000000000004", exception.Hint, StringComparison.Ordinal);
        Assert.Contains("0000000000000008", exception.Hint, StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Scenario", "I5")]
    public void Plan_TransactionBeyondTheEnd_IsNotFound()
    {
        var exception = Assert.Throws<LitestreamException>(() => RestorePlanner.Plan(Files("1:1-4"), At(5)));
        Assert.Equal(LitestreamError.NotFound, exception.Error);
        Assert.Contains("0000000000000004", exception.Hint, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1000, null)] // exactly the first: excluded
    [InlineData(1001, "0:1-1")]
    [InlineData(3000, "0:1-1 0:2-2")]
    [InlineData(3001, "0:1-1 0:2-2 0:3-3")]
    [InlineData(999_999, "0:1-1 0:2-2 0:3-3")]
    [InlineData(-5000, null)]
    [Trait("Scenario", "I8")]
    public void Plan_Time_TakesWhatIsStrictlyBefore(long milliseconds, string? expected)
    {
        var target = new RestoreTarget(Timestamp: SampleReplica.TimeOf(0).AddMilliseconds(milliseconds));
        var files = Files("0:1-1", "0:2-2", "0:3-3");
        if (expected is null)
            Assert.Equal(LitestreamError.NotFound, Assert.Throws<LitestreamException>(() => RestorePlanner.Plan(files, target)).Error);
        else
            Assert.Equal(expected, Show(RestorePlanner.Plan(files, target)));
    }

    [Fact]
    public void Plan_ClockWentBack_IsNoHole()
    {
        // Transaction 3 is stamped before transaction 2: at a time between them 2 is excluded though 3 is not.
        List<LtxFileInfo> files =
        [
            .. Files("0:1-1", "0:2-2"),
            Files("0:3-3")[0] with
            {
                Timestamp = SampleReplica.TimeOf(1).AddMilliseconds(5),
            },
        ];
        Assert.Equal("0:1-1", Show(RestorePlanner.Plan(files, new RestoreTarget(Timestamp: SampleReplica.TimeOf(2)))));
    }

    [Fact]
    public void Plan_NamesThatCannotBe_AreSkipped()
    {
        var files = Files("0:1-1", "0:2-2", "0:a-9", "9:2-2");
        Assert.Equal("0:1-1 0:2-2", Show(RestorePlanner.Plan(files, RestoreTarget.Latest)));
    }

    [Fact]
    [Trait("Scenario", "I9")]
    public void Points_RandomReplicas_AreExactlyWhatPlanCanReach()
    {
        for (var seed = 1; seed <= 300; seed++)
        {
            var random = new Random(seed);
            var files = new List<LtxFileInfo>();
            for (var i = random.Next(1, 14); i > 0; i--)
            {
                var level = random.Next(4) == 0 ? 9 : random.Next(4);
                var min = level == 9 ? 1 : random.Next(1, 10);
                files.Add(File(level, (ulong)min, (ulong)random.Next(min, 12)));
            }
            var points = RestorePlanner.Points(files).Select(p => p.Txid.Value).ToList();
            for (ulong txid = 1; txid <= 12; txid++)
            {
                var plan = Record.Exception(() => RestorePlanner.Plan(files, At(txid)));
                Assert.True(plan is null == points.Contains(txid), $"seed {seed} transaction {txid}: {plan?.Message}");
                if (plan is null)
                    AssertWhole(RestorePlanner.Plan(files, At(txid)), txid);
            }
        }
    }

    [Fact]
    [Trait("Scenario", "I6")]
    public async Task Plan_EmptyReplica_IsNotFound()
    {
        await using var replica = await SampleReplica.CreateAsync(0);
        var exception = await Assert.ThrowsAsync<LitestreamException>(() =>
            RestorePlanner.PlanAsync(replica.Client, RestoreTarget.Latest, Cancel)
        );
        Assert.Equal(LitestreamError.NotFound, exception.Error);
        Assert.DoesNotContain("0.3", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Plan_OnlyBackupsOfLitestream03_PlansThem()
    {
        await using var replica = await SampleReplica.CreateAsync(0);
        replica.Store.Write("generations/0123456789abcdef/snapshots/00000000.snapshot.lz4", [1]);
        var plan = await RestorePlanner.PlanAsync(replica.Client, RestoreTarget.Latest, Cancel);
        Assert.Equal((0, true, "0123456789abcdef"), (plan.Files.Count, plan.Txid.IsNone, plan.OldBackup?.Generation));
        // A transaction is never theirs.
        var exception = await Assert.ThrowsAsync<LitestreamException>(() => RestorePlanner.PlanAsync(replica.Client, At(1), Cancel));
        Assert.Equal(LitestreamError.NotFound, exception.Error);
    }

    [Fact]
    public async Task Plan_StrayNamesUnderGenerations_AreNoBackups()
    {
        await using var replica = await SampleReplica.CreateAsync(2);
        replica.Store.Write("generations/notes.txt", [1]);
        replica.Store.Write("generations/0123456789abcdef/wal/x", [1]);
        Assert.Equal(new Txid(2), (await RestorePlanner.PlanAsync(replica.Client, RestoreTarget.Latest, Cancel)).Txid);
    }

    [Fact]
    public void Plan_NoFileStartsAtTheBeginning_IsNotAnEmptyReplica() =>
        Assert.Equal(
            LitestreamError.Gap,
            Assert.Throws<LitestreamException>(() => RestorePlanner.Plan(Files("9:2-4"), RestoreTarget.Latest)).Error
        );

    [Fact]
    public async Task Plan_TransactionAndTime_IsRefused()
    {
        await using var replica = await SampleReplica.CreateAsync(2);
        foreach (var target in new[] { new RestoreTarget(new Txid(1), SampleReplica.TimeOf(1)), new RestoreTarget(Txid.None) })
        {
            var exception = await Assert.ThrowsAsync<LitestreamException>(() => RestorePlanner.PlanAsync(replica.Client, target, Cancel));
            Assert.Equal(LitestreamError.InvalidConfiguration, exception.Error);
        }
    }

    [Fact]
    public async Task Plan_CompactionWhileListing_IsNoHole()
    {
        await using var replica = await SampleReplica.CreateAsync(6);
        var moved = false;
        replica.Store.Fault = call =>
        {
            // Level 1 has been listed empty; before level 0 is listed again, 1 to 4 move from level 0 to level 1.
            if (call.Operation == "LIST" && call.Key == "ltx/2/" && !moved)
            {
                moved = true;
                replica.CompactAsync(1, 1, 4, removeSources: true).GetAwaiter().GetResult();
            }
            return null;
        };
        var plan = await RestorePlanner.PlanAsync(replica.Client, RestoreTarget.Latest, Cancel);
        Assert.Equal(new Txid(6), plan.Txid);
    }

    [Fact]
    public async Task Plan_Printed_ListsStateAndFiles()
    {
        await using var replica = await SampleReplica.CreateAsync(2);
        var plan = await RestorePlanner.PlanAsync(replica.Client, new RestoreTarget(Timestamp: SampleReplica.TimeOf(9)), Cancel);
        Assert.Equal(
            $"""
            transaction 0000000000000002 of 2027-01-15T08:00:02.000Z: 2 files, {plan.SizeBytes} bytes
              0  0000000000000001-0000000000000001.ltx  {plan.Files[0].SizeBytes}  2027-01-15T08:00:01.000Z
              0  0000000000000002-0000000000000002.ltx  {plan.Files[1].SizeBytes}  2027-01-15T08:00:02.000Z
            """,
            plan.ToString()
        );
        var points = await RestorePlanner.ListPointsAsync(replica.Client, Litestream.Replicas.TimestampAccuracy.Exact, Cancel);
        Assert.Equal(
            [
                new(new Txid(1), SampleReplica.TimeOf(1), plan.Files[0].SizeBytes),
                new(new Txid(2), SampleReplica.TimeOf(2), plan.Files[1].SizeBytes),
            ],
            points
        );
    }

    private static void AssertWhole(RestorePlan plan, ulong txid)
    {
        ulong reach = 0;
        foreach (var file in plan.Files)
        {
            Assert.True(file.MinTxid.Value <= reach + 1 && file.MaxTxid.Value > reach);
            reach = file.MaxTxid.Value;
        }
        Assert.Equal(txid, reach);
    }

    private static RestoreTarget At(ulong txid) => new(new Txid(txid));

    private static LtxFileInfo File(int level, ulong min, ulong max) =>
        new(level, new Txid(min), new Txid(max), 100, SampleReplica.TimeOf(max));

    private static List<LtxFileInfo> Files(params string[] texts) =>
        [
            .. texts.Select(t =>
            {
                var parts = t.Split(':', '-');
                return File(int.Parse(parts[0], null), Convert.ToUInt64(parts[1], 16), Convert.ToUInt64(parts[2], 16));
            }),
        ];

    private static string Show(RestorePlan plan) =>
        string.Join(' ', plan.Files.Select(f => $"{f.Level}:{f.MinTxid.Value:x}-{f.MaxTxid.Value:x}"));
}
