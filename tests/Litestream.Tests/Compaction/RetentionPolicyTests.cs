using Litestream.Compaction;
using Litestream.Ltx;
using Litestream.Replicas;
using Testing;
using Xunit;

namespace Litestream.Tests.Compaction;

/// <summary>What may go: replication-engine §10.2 and §21 H.</summary>
public sealed class RetentionPolicyTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 2, 0, 0, 0, TimeSpan.Zero);
    private static readonly RetentionPolicy Day = new(TimeSpan.FromHours(24), TimeSpan.FromMinutes(5));

    [Fact]
    public async Task H1_OldSnapshotsGo_TheNewestAndTheCarrierOfTheOldestPointStay()
    {
        var listing = await ListingAsync(Snapshot(2, 0), Snapshot(20, 20), Snapshot(40, 40));
        Assert.Empty(Day.Plan(listing, At(41)).Delete);
        // At hour 45 the snapshot of hour 20 is older than a day and carries hour 21 and later; that of hour 0 carries nothing promised.
        Assert.Equal([2UL], Day.Plan(listing, At(45)).Delete.Select(f => f.MaxTxid.Value));
        Assert.Equal([2UL, 20UL], Day.Plan(listing, At(1000)).Delete.Select(f => f.MaxTxid.Value));
    }

    [Fact]
    public async Task H2_NoEarlierSnapshot_NothingGoes()
    {
        var listing = await ListingAsync(Snapshot(2, 0), File(1, 3, 10, 1), File(2, 3, 10, 1));
        Assert.Empty(Day.Plan(listing, At(23)).Delete);
        Assert.Empty(Day.Plan(await ListingAsync(File(1, 3, 10, 1), File(1, 11, 12, 2)), At(1000)).Delete);
    }

    [Fact]
    public async Task H4_LevelFilesUpToTheFloorGo_OneStays()
    {
        var listing = await ListingAsync(
            Snapshot(2, 0),
            Snapshot(20, 20),
            File(1, 3, 10, 10),
            File(1, 11, 20, 20),
            File(1, 21, 30, 30),
            File(2, 3, 20, 20)
        );
        var gone = Day.Plan(listing, At(45)).Delete.Select(f => (f.Level, f.MaxTxid.Value));
        Assert.Equal([(9, 2UL), (1, 10UL), (1, 20UL)], gone);
    }

    [Fact]
    public async Task H5_H7_SingleTransactionsGoInOrder_MergedAndOld_NeverTheNewest()
    {
        var listing = await ListingAsync(
            File(0, 2, 2, 0),
            File(0, 3, 3, 0.01),
            File(0, 4, 4, 0.5),
            File(0, 5, 5, 0.02),
            File(1, 2, 5, 0.5)
        );
        var plan = Day.Plan(listing, At(0.2));
        Assert.Equal([2UL, 3UL], plan.Delete.Select(f => f.MaxTxid.Value)); // 4 is too recent, so 5 stays as well
        Assert.Equal(At(0.5) + TimeSpan.FromMinutes(5), plan.Next);
        Assert.Equal([2UL, 3UL, 4UL], Day.Plan(listing, At(5)).Delete.Select(f => f.MaxTxid.Value));
    }

    [Fact]
    public async Task H6_NothingMerged_NothingGoes()
    {
        var listing = await ListingAsync(File(0, 2, 2, 0), File(0, 3, 3, 0));
        Assert.Empty(Day.Plan(listing, At(100)).Delete);
        listing = await ListingAsync(File(0, 2, 2, 0), File(0, 3, 3, 0), File(0, 4, 4, 0), File(1, 2, 2, 0));
        Assert.Equal([2UL], Day.Plan(listing, At(100)).Delete.Select(f => f.MaxTxid.Value));
    }

    [Fact]
    public async Task H9_ZeroL0Retention_KeepsEverySingleTransaction()
    {
        var listing = await ListingAsync(File(0, 2, 2, 0), File(0, 3, 3, 0), File(1, 2, 3, 0));
        Assert.Empty((Day with { L0Retention = TimeSpan.Zero }).Plan(listing, At(1000)).Delete);
    }

    [Fact]
    public async Task H13_ClockBeforeTheFiles_NothingGoes()
    {
        var listing = await ListingAsync(Snapshot(2, 0), Snapshot(20, 20), File(0, 2, 2, 0), File(0, 3, 3, 0), File(1, 2, 3, 0));
        Assert.Empty(Day.Plan(listing, At(-500)).Delete);
    }

    [Fact]
    public async Task TimesInAnyOrder_WhatIsNotDueNowIsDueLater()
    {
        for (var seed = 1; seed <= 2000; seed++)
        {
            var random = new Random(seed);
            var files = new List<LtxFileInfo>();
            for (ulong txid = 2; txid < 2 + (ulong)random.Next(1, 8); txid++)
            {
                files.Add(File(random.Next(2), txid, txid, random.NextDouble() * 100));
                if (random.Next(2) == 0)
                    files.Add(Snapshot(txid, random.NextDouble() * 100));
            }
            var now = At(random.NextDouble() * 150);
            var listing = await ListingAsync([.. files]);
            var plan = Day.Plan(listing, now);
            listing.Remove(plan.Delete);
            var (again, due) = Day.Plan(listing, now);
            Assert.True(again.Count == 0 && (due is null || due > now), $"seed {seed}: {again.Count} to be deleted, next {due}, now {now}");
        }
    }

    [Fact]
    public async Task RandomHistories_EveryPromisedPointStaysRestorable()
    {
        for (var seed = 1; seed <= 300; seed++)
        {
            var random = new Random(seed);
            var files = new List<LtxFileInfo>();
            var hour = 0.0;
            ulong txid = 2;
            files.Add(Snapshot(2, 0));
            for (var i = 0; i < 60; i++)
            {
                hour += random.NextDouble() * 3;
                var count = (ulong)random.Next(1, 5);
                files.Add(File(1, txid + 1, txid + count, hour));
                txid += count;
                if (random.Next(5) == 0)
                    files.Add(Snapshot(txid, hour));
            }
            var now = At(hour + random.NextDouble() * 40);
            var listing = await ListingAsync([.. files]);
            var plan = Day.Plan(listing, now);
            var left = files.Except(plan.Delete).ToList();
            foreach (var point in files.Where(f => f.Timestamp >= now - TimeSpan.FromHours(24)))
                Assert.True(
                    Reaches(left, point.MaxTxid),
                    $"seed {seed}: {point} cannot be restored after {string.Join(", ", plan.Delete)}"
                );
        }
    }

    private static bool Reaches(List<LtxFileInfo> files, Txid target)
    {
        var reach = files.Where(f => f.Level == 9 && f.MaxTxid <= target).Select(f => f.MaxTxid).DefaultIfEmpty().Max();
        foreach (var file in files.Where(f => f.Level < 9 && f.MaxTxid <= target).OrderBy(f => f.MinTxid))
            if (file.MinTxid.Previous() <= reach && file.MaxTxid > reach)
                reach = file.MaxTxid;
        return reach == target;
    }

    private static DateTimeOffset At(double hours) => Start.AddHours(hours);

    private static LtxFileInfo Snapshot(ulong max, double hours) => File(9, 1, max, hours);

    private static LtxFileInfo File(int level, ulong min, ulong max, double hours) =>
        new(level, new Txid(min), new Txid(max), 100, At(hours));

    private static async Task<ReplicaListing> ListingAsync(params LtxFileInfo[] files)
    {
        await using var client = new ReplicaClient(new MemoryObjectStore(), ReplicaLayout.Folders);
        var listing = new ReplicaListing(client, TimeProvider.System);
        await listing.LoadAsync(TestContext.Current.CancellationToken);
        foreach (var file in files)
            listing.Add(file);
        return listing;
    }
}
