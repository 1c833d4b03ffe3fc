using System.Globalization;
using Testing;
using Xunit;

namespace Datasette.Tests.Conformance;

/// <summary>
/// Sends the recorded requests and compares the answers. Lines where the host differs on purpose stand in <c>deviations.txt</c>; one that
/// passes must leave the list.
/// </summary>
public sealed class ReplayTests(ITestOutputHelper output)
{
    private const int MostDeviations = 10;
    private const double Expected = 0.98;

    /// <summary>Groups of the write interface; all others are reading.</summary>
    private static readonly string[] Writing = ["write", "canned-write", "stored-write"];

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
        var listed = Listed("deviations.txt").ToHashSet();
        var broken = verdicts.Where(v => v.Result == "fail" && !listed.Contains(NameOf(v))).Select(v => v.Line);
        var done = verdicts
            .Where(v => v.Result != "fail" && listed.Contains(NameOf(v)))
            .Select(v => $"{v.Id} passes now: take {NameOf(v)} out of deviations.txt");
        Assert.Empty(broken.Concat(done));
    }

    [Fact]
    public async Task Totals_OfTheReadingGroups_MeetTheGates()
    {
        var chosen = Listed("deviations.txt").ToHashSet();
        var all = new List<Verdict>();
        foreach (var profile in Profiles)
        {
            all.AddRange(await ProfileRunner.RunAsync(profile.Data, TestContext.Current.CancellationToken));
        }
        all = all.Select(v => v.Result == "fail" && chosen.Contains(NameOf(v)) ? v with { Result = "deviation" } : v).ToList();
        foreach (var group in all.GroupBy(v => v.Group).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            output.WriteLine($"{group.Key, -20} {Totals(group)}");
        }
        var reading = all.Where(v => !Writing.Contains(v.Group)).ToList();
        output.WriteLine($"{"reading", -20} {Totals(reading)}");
        output.WriteLine($"{"all", -20} {Totals(all)}");
        Assert.Empty(reading.Where(v => v is { Importance: "CORE", Result: "fail" }).Select(v => v.Line));
        var expected = reading.Where(v => v.Importance == "EXPECTED").ToList();
        Assert.True(expected.Count(v => v.Result != "fail") >= Expected * expected.Count, Totals(reading));
        // Of our own choice: no CORE line, and few others.
        Assert.DoesNotContain(all, v => v.Importance == "CORE" && chosen.Contains(NameOf(v)));
        Assert.True(all.Count(v => v.Importance == "EXPECTED" && chosen.Contains(NameOf(v))) <= MostDeviations);
    }

    private static string NameOf(Verdict verdict) => $"{verdict.Profile}/{verdict.Id}";

    private static string Totals(IEnumerable<Verdict> verdicts) =>
        string.Join(
            "  ",
            verdicts
                .GroupBy(v => v.Importance)
                .OrderBy(g => g.Key, StringComparer.Ordinal)
                .Select(g =>
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{g.Key} {g.Count(v => v.Result == "pass")} pass, {g.Count(v => v.Result == "deviation")} deviation, {g.Count(v => v.Result == "fail")} fail"
                    )
                )
        );

    private static IEnumerable<string> Listed(string file) =>
        File.ReadAllLines(Path.Combine(Repository.Root, "tests", "Datasette.Tests", "Conformance", file))
            .Select(line => line.Split('#')[0].Trim())
            .Where(line => line.Length > 0);

    /// <summary>With DATASETTE_REPLAY_REPORT set to a folder, every verdict is written there, for whoever works on the next lines.</summary>
    private static async Task ReportAsync(string profile, IReadOnlyList<Verdict> verdicts)
    {
        if (Environment.GetEnvironmentVariable("DATASETTE_REPLAY_REPORT") is { Length: > 0 } folder)
        {
            await File.WriteAllLinesAsync(Path.Combine(folder, profile + ".txt"), verdicts.Select(v => v.Line));
        }
    }
}
