using Testing;
using Xunit;

namespace Datasette.Tests.Conformance;

/// <summary>
/// Sends the recorded requests and compares the answers. Lines that are not implemented yet stand in <c>not-yet.txt</c>; one that passes must
/// leave the list, so that it only becomes shorter. Lines where the host differs on purpose stand in <c>deviations.txt</c>.
/// </summary>
public sealed class ReplayTests
{
    /// <summary>The profiles that are replayed.</summary>
    public static TheoryData<string> Profiles { get; } =
    [
        "fixtures",
        "defaults",
        "memory",
        "permissions",
        "write",
        "immutable-cors",
        "base-url",
        "off",
        "limits",
        "default-deny",
        "dot",
        "crossdb",
        "canned-write",
    ];

    [Theory]
    [MemberData(nameof(Profiles))]
    public async Task Replay_EveryRecordedRequest_IsAnsweredAsRecordedOrListed(string profile)
    {
        var verdicts = await ProfileRunner.RunAsync(profile, TestContext.Current.CancellationToken);
        await ReportAsync(profile, verdicts);
        var listed = Listed("not-yet.txt", profile).Concat(Listed("deviations.txt", profile)).ToHashSet();
        var broken = verdicts.Where(v => v.Result == "fail" && !listed.Contains(v.Id)).Select(v => v.Line);
        var done = verdicts
            .Where(v => v.Result != "fail" && listed.Contains(v.Id))
            .Select(v => $"{v.Id} passes now: take {profile}/{v.Id} out of its list");
        Assert.Empty(broken.Concat(done));
    }

    private static IEnumerable<string> Listed(string file, string profile) =>
        File.ReadAllLines(Path.Combine(Repository.Root, "tests", "Datasette.Tests", "Conformance", file))
            .Select(line => line.Split('#')[0].Trim())
            .Where(line => line.StartsWith(profile + "/", StringComparison.Ordinal))
            .Select(line => line[(profile.Length + 1)..]);

    /// <summary>With DATASETTE_REPLAY_REPORT set to a folder, every verdict is written there, for whoever works on the next lines.</summary>
    private static async Task ReportAsync(string profile, IReadOnlyList<Verdict> verdicts)
    {
        if (Environment.GetEnvironmentVariable("DATASETTE_REPLAY_REPORT") is { Length: > 0 } folder)
        {
            await File.WriteAllLinesAsync(Path.Combine(folder, profile + ".txt"), verdicts.Select(v => v.Line));
        }
    }
}
