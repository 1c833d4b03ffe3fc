using Xunit;

namespace Testing.Structure;

/// <summary>Fails with all findings, each on a line of its own.</summary>
public static class Findings
{
    /// <summary>Nothing was found.</summary>
    public static void None(IEnumerable<string> findings)
    {
        var list = findings.ToList();
        if (list.Count > 0)
            Assert.Fail($"{list.Count} found:\n" + string.Join('\n', list));
    }
}
