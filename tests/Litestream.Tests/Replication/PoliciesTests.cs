using Litestream.Replicas;
using Litestream.Replication;
using Litestream.Sqlite;
using Xunit;

namespace Litestream.Tests.Replication;

/// <summary>The pure parts of the engine that decide about time, names and settings.</summary>
public sealed class PoliciesTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
    private static readonly CheckpointPolicy Policy = new(1000, TimeSpan.FromMinutes(1));

    [Theory]
    [InlineData(1000, 1, 0, 1, true)] // C1
    [InlineData(999, 1, 0, 1, false)]
    [InlineData(1000, 1, 1000, 1, false)] // nothing came since the last cycle (C7, trap 4)
    [InlineData(1001, 1, 1000, 1, true)]
    [InlineData(1000, 2, 1000, 1, true)] // the same length in another life
    public void Checkpoint_IsDueBySize(int frames, int life, int lastFrames, int lastLife, bool due) =>
        Assert.Equal(due, Policy.IsDueBySize(End(frames, life), End(lastFrames, lastLife)));

    [Theory]
    [InlineData(5, 0, 60, true)] // C4
    [InlineData(5, 0, 59, false)]
    [InlineData(5, 5, 3600, false)] // C5
    [InlineData(0, 5, 3600, false)] // C6: nothing is in the WAL
    public void Checkpoint_IsDueBySilence(int frames, int lastFrames, int seconds, bool due)
    {
        Assert.Equal(due, Policy.IsDueBySilence(End(frames, 1), End(lastFrames, 1), TimeSpan.FromSeconds(seconds)));
        var never = Policy with { Interval = TimeSpan.Zero };
        Assert.False(never.IsDueBySilence(End(frames, 1), End(lastFrames, 1), TimeSpan.FromSeconds(seconds)));
    }

    [Theory]
    [InlineData(null, null, null, 8000, 16000)]
    [InlineData(500, null, null, 500, 1000)]
    [InlineData(500, 100, 0, 100, 200)] // C3: 0 is the default backstop; v0.3's RESTART threshold is one more limit
    [InlineData(500, 10_000, null, 500, 1000)]
    [InlineData(null, 0, -1, 8000, 0)] // negative: never
    [InlineData(null, null, 121_359, 8000, 121_359)]
    [Trait("Scenario", "C3")]
    public void Checkpoint_ThresholdsOfLitestream_InThisScheme(int? min, int? max, int? truncate, int limit, long truncatePages)
    {
        var policy = CheckpointPolicy.Of(
            new DatabaseOptions
            {
                Path = "/a",
                MinCheckpointPageCount = min,
                MaxCheckpointPageCount = max,
                TruncatePageN = truncate,
            }
        );
        Assert.Equal((limit, truncatePages), (policy.FrameLimit, policy.TruncatePages));
        Assert.Equal(truncatePages > 0, policy.IsLong(truncatePages * 65536L + 1, 65536)); // 64-bit arithmetic
        Assert.False(policy.IsLong(truncatePages * 4096L, 4096));
    }

    [Theory]
    [InlineData(0, 0, 1000)] // nothing is known of the rate
    [InlineData(200, 400, 500)] // 800 frames are left: 2 s at this rate, a quarter of it
    [InlineData(999, 1_000_000, 5)] // never less than the least pause
    [InlineData(5000, 100, 5)] // over the limit
    [InlineData(0, 0.001, 1000)]
    public void NextLook_MeetsTheLimitClosely(int frames, double rate, int milliseconds) =>
        Assert.Equal(milliseconds, Policy.NextLook(End(frames, 1), rate, TimeSpan.FromSeconds(1)).TotalMilliseconds, 3);

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(3, 4)]
    [InlineData(9, 256)]
    [InlineData(10, 300)]
    [InlineData(1000, 300)]
    public void Backoff_DoublesUpToFiveMinutes(int failures, int seconds)
    {
        Assert.Equal(TimeSpan.FromSeconds(seconds), new BackoffPolicy(TimeSpan.FromSeconds(1)).After(failures));
        Assert.Equal(TimeSpan.FromSeconds(seconds), new BackoffPolicy(TimeSpan.Zero).After(failures));
        Assert.True(new BackoffPolicy(TimeSpan.FromHours(1)).After(failures) == TimeSpan.FromMinutes(5));
    }

    [Fact]
    public void Clock_RateIsThatOfTheLastStretch_AlsoOverARestart()
    {
        var clock = new DatabaseClock();
        clock.See(End(100, 1), Start);
        clock.See(End(300, 1), Start.AddSeconds(2));
        Assert.Equal(100, clock.FramesPerSecond);
        clock.See(End(300, 1), Start.AddSeconds(9)); // nothing new: neither rate nor time change
        Assert.Equal((100, Start.AddSeconds(2)), (clock.FramesPerSecond, clock.LastNews));
        clock.See(End(50, 2), Start.AddSeconds(3));
        Assert.Equal((50, Start.AddSeconds(3)), (clock.FramesPerSecond, clock.LastNews));
        clock.See(End(20, 2), Start.AddSeconds(4));
        Assert.Equal(0, clock.FramesPerSecond);
    }

    [Fact]
    public void Clock_CyclesInVain_WaitLongerEachTime_AndACompleteOneResets()
    {
        var clock = new DatabaseClock();
        var pauses = new List<double>();
        for (var i = 0; i < 12; i++)
        {
            clock.CycleDone(CheckpointOutcome.ReaderBlocks, End(9, 1), Start);
            pauses.Add((clock.NextCycle - Start).TotalMilliseconds);
        }
        Assert.Equal([20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10_000, 10_000, 10_000], pauses);
        Assert.Null(clock.LastCheckpoint);
        clock.CycleDone(CheckpointOutcome.Complete, End(9, 1), Start.AddMinutes(1));
        Assert.Equal((DateTimeOffset.MinValue, (DateTimeOffset?)Start.AddMinutes(1)), (clock.NextCycle, clock.LastCheckpoint));
        clock.CycleDone(CheckpointOutcome.WriterBusy, End(9, 1), Start);
        Assert.Equal(Start.AddMilliseconds(20), clock.NextCycle);
    }

    [Theory]
    [InlineData(0, -5000, -4999)]
    [InlineData(0, 0, 1)] // the clock stands
    [InlineData(0, 90_000, 90_001)] // the clock jumped back
    [InlineData(10, 0, 10)]
    public void NextTimestamp_IsLaterThanTheLastOne(int now, int last, int expected)
    {
        var expectedTime = Math.Max(now, expected);
        Assert.Equal(Start.AddMilliseconds(expectedTime), WalSync.NextTimestamp(Start.AddMilliseconds(now), Start.AddMilliseconds(last)));
        // Below a millisecond nothing is kept: a time that is a fraction later is still the same in the file.
        Assert.Equal(Start.AddMilliseconds(1), WalSync.NextTimestamp(Start.AddTicks(9_999), Start));
    }

    [Theory]
    [InlineData("file:///a s3://b/c", "file s3")]
    [InlineData("file:///a file:///b file:///c", "file file2 file3")]
    [InlineData("x=file:///a file:///b", "x file")]
    [InlineData("file:///a file=s3://b/c file:///d", "file2 file file3")]
    [InlineData("file2=s3://b/c file:///a file:///d", "file2 file file3")]
    public void ReplicaNames_AreUnique_AndConfiguredOnesStay(string replicas, string expected) =>
        Assert.Equal(expected, string.Join(' ', ReplicaNames.Assign(Replicas(replicas))));

    [Fact]
    public void Validator_WhatCanNeverWork_IsRefusedWithThePath()
    {
        var good = Database("/a/x.db", "file:///r");
        Assert.Same(good, DatabaseOptionsValidator.Validate(good));
        DatabaseOptionsValidator.Validate(good with { CheckpointInterval = TimeSpan.Zero, BusyTimeout = TimeSpan.Zero });
        foreach (
            var (bad, word) in new (DatabaseOptions, string)[]
            {
                (good with { MonitorInterval = TimeSpan.Zero }, "monitor-interval"),
                (good with { CheckpointInterval = TimeSpan.FromTicks(-1) }, "checkpoint-interval"),
                (good with { BusyTimeout = TimeSpan.FromTicks(-1) }, "busy-timeout"),
                (good with { MinCheckpointPageCount = 0 }, "min-checkpoint-page-count"),
                (good with { MaxSyncWalBytes = 0 }, "max-sync-wal-bytes"),
                (good with { MaxLocalBytes = 0 }, "local bytes"),
                (good with { Replicas = [good.Replicas[0] with { SyncInterval = TimeSpan.Zero }] }, "sync-interval"),
                (Database("/a/x.db", "file:///r file:///r"), "same destination"),
                (Database("/a/x.db", "n=file:///r n=file:///s"), "same name"),
            }
        )
        {
            var e = Assert.Throws<LitestreamException>(() => DatabaseOptionsValidator.Validate(bad));
            Assert.Equal(LitestreamError.InvalidConfiguration, e.Error);
            Assert.Contains(word, e.Message, StringComparison.Ordinal);
            Assert.Equal("/a/x.db", e.Path);
        }
    }

    [Fact]
    [Trait("Scenario", "D10")]
    public void Validator_D10_TwoDatabasesShareNothing()
    {
        var one = Database("/a/x.db", "file:///r");
        DatabaseOptionsValidator.RequireApart(one, Database("/a/y.db", "file:///s"));
        foreach (
            var other in new[]
            {
                Database("/a/x.db", "file:///s"),
                Database("/a/y.db", "file:///r"),
                Database("/a/y.db", "file:///s") with
                {
                    MetaPath = "/a/.x.db-litestream",
                },
                Database("/a/y.db", "file:///s") with
                {
                    MetaPath = "/a/b/../.x.db-litestream",
                },
            }
        )
            Assert.Throws<LitestreamException>(() => DatabaseOptionsValidator.RequireApart(one, other));
    }

    private static DatabaseOptions Database(string path, string replicas) => new() { Path = path, Replicas = Replicas(replicas) };

    private static List<ReplicaOptions> Replicas(string text) =>
        [
            .. text.Split(' ')
                .Select(r => r.Split('='))
                .Select(p => new ReplicaOptions { Name = p.Length > 1 ? p[0] : null, Url = ReplicaUrl.Parse(p[^1]) }),
        ];

    private static WalIndexHeader End(int frames, int life) =>
        new(4096, (uint)frames, 10, default, new WalSalt((uint)life, 7), false, (uint)frames);
}
