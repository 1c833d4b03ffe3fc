using Litestream.Ltx;
using Testing;
using Xunit;

namespace Litestream.Tests.Restore;

/// <summary>Every replica that the genuine program wrote, at every listed point.</summary>
public class RestoreHealthyReplicasTests
{
    public static TheoryData<string> Cases => RestoreCases.Of("ltx", name => !name.StartsWith("lock-page", StringComparison.Ordinal));

    [Theory]
    [MemberData(nameof(Cases))]
    [Trait("Scenario", "I8")]
    [Trait("Scenario", "I11")]
    [Trait("Scenario", "I25")]
    public async Task Restore_GenuineReplica_GivesTheExpectedDatabaseAtEveryPoint(string name)
    {
        using var fixture = await RestoreFixture.OpenAsync("ltx", name);
        Assert.Empty(await fixture.RunAsync());
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Decode_GenuineFiles_GivesTheListedFieldsAndChecksums(string name)
    {
        using var fixture = await RestoreFixture.OpenAsync("ltx", name);
        foreach (var file in fixture.Expect.GetProperty("files").EnumerateArray())
        {
            await using var stream = File.OpenRead(Path.Combine(fixture.Replica, file.GetProperty("path").GetString()!));
            await using var decoder = await LtxDecoder.OpenAsync(stream, stream.Length, TestContext.Current.CancellationToken);
            var trailer = await decoder.FinishAsync(TestContext.Current.CancellationToken);
            var header = decoder.Header;
            // Cases with several databases list their files without their fields.
            if (!file.TryGetProperty("page_size", out _))
                continue;
            Assert.Equal(file.GetProperty("page_size").GetInt32(), header.PageSize);
            Assert.Equal(file.GetProperty("commit").GetUInt32(), header.Commit);
            Assert.Equal(file.GetProperty("min_txid").GetUInt64(), header.MinTxid.Value);
            Assert.Equal(file.GetProperty("max_txid").GetUInt64(), header.MaxTxid.Value);
            Assert.Equal(file.GetProperty("timestamp_ms").GetInt64(), header.Timestamp.ToUnixTimeMilliseconds());
            Assert.Equal(file.GetProperty("wal_offset").GetInt64(), header.WalOffset);
            Assert.Equal(file.GetProperty("wal_size").GetInt64(), header.WalSize);
            Assert.Equal(file.GetProperty("salt1").GetUInt32(), header.WalSalt1);
            Assert.Equal(file.GetProperty("salt2").GetUInt32(), header.WalSalt2);
            Assert.Equal(file.GetProperty("flags").GetInt32() == 2, header.NoChecksum);
            Assert.Equal(file.GetProperty("file_checksum").GetString(), $"{trailer.FileChecksum:x16}");
        }
    }
}

/// <summary>Every replica that the genuine 0.3.13 wrote, also those that 0.5.17 went on with, at every listed point.</summary>
public class RestoreOldBackupsTests
{
    public static TheoryData<string> Cases => RestoreCases.Of("v3", _ => true);

    public static TheoryData<string> DamagedCases => RestoreCases.Of("v3-errors", _ => true);

    [Theory]
    [Trait("Scenario", "I21")]
    [Trait("Scenario", "upgrade-point-in-time")]
    [MemberData(nameof(Cases))]
    public async Task Restore_GenuineOldBackup_GivesTheExpectedDatabaseAtEveryPoint(string name)
    {
        using var fixture = await RestoreFixture.OpenAsync("v3", name);
        Assert.Empty(await fixture.RunAsync());
    }

    [Theory]
    [Trait("Scenario", "I21")]
    [Trait("Scenario", "v3-damaged-frame")]
    [MemberData(nameof(DamagedCases))]
    public async Task Restore_DamagedOldBackup_FailsClosedOrGivesTheRightState(string name)
    {
        using var fixture = await RestoreFixture.OpenAsync("v3-errors", name);
        Assert.Empty(await fixture.RunAsync());
    }
}

/// <summary>Every damaged, incomplete or foreign replica: the right state or a clean failure.</summary>
public class RestoreDamagedReplicasTests
{
    public static TheoryData<string> Cases => RestoreCases.Of("errors", _ => true);

    [Theory]
    [MemberData(nameof(Cases))]
    [Trait("Scenario", "I7")]
    [Trait("Scenario", "I12")]
    [Trait("Scenario", "I28")]
    [Trait("Scenario", "cut-in-index")]
    [Trait("Scenario", "hole-and-timestamp")]
    public async Task Restore_DamagedReplica_FailsClosedOrGivesTheRightState(string name)
    {
        using var fixture = await RestoreFixture.OpenAsync("errors", name);
        Assert.Empty(await fixture.RunAsync());
    }
}

/// <summary>Databases over 1 GiB: the page that SQLite never uses. Each needs 1.1 GB of disk.</summary>
[Trait("Speed", "slow")]
public class RestoreLockPageTests
{
    public static TheoryData<string> Cases => RestoreCases.Of("ltx", name => name.StartsWith("lock-page", StringComparison.Ordinal));

    [Theory]
    [MemberData(nameof(Cases))]
    [Trait("Scenario", "I19")]
    public async Task Restore_DatabaseOverOneGiB_EqualsTheOriginal(string name)
    {
        using var fixture = await RestoreFixture.OpenAsync("ltx", name);
        Assert.Empty(await fixture.RunAsync());
    }
}

internal static class RestoreCases
{
    public static TheoryData<string> Of(string kind, Func<string, bool> wanted)
    {
        var data = new TheoryData<string>();
        foreach (var name in Fixtures.Cases("litestream", kind).Where(wanted))
            data.Add(name);
        // Without fixtures one row remains, which skips, or fails where nothing may be missing.
        if (!data.Any())
            data.Add("(none)");
        return data;
    }
}
