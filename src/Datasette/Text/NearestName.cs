namespace Datasette.Text;

/// <summary>What somebody probably meant.</summary>
internal static class NearestName
{
    private const int LongestName = 100;

    /// <summary>The name that differs least from a mistyped one; null when none is near.</summary>
    /// <param name="wanted">What was typed.</param>
    /// <param name="names">The names there are.</param>
    public static string? Of(string wanted, IEnumerable<string> names)
    {
        if (wanted.Length is 0 or > LongestName)
        {
            return null;
        }
        // A third of the letters may be wrong; of short names two, or there would be no help at all.
        var (nearest, least) = ((string?)null, Math.Max(2, wanted.Length / 3) + 1);
        foreach (var name in names)
        {
            if (name.Length > LongestName || Math.Abs(name.Length - wanted.Length) >= least)
            {
                continue;
            }
            var distance = Distance(wanted.ToLowerInvariant(), name.ToLowerInvariant());
            if (distance < least && distance < Math.Max(wanted.Length, name.Length))
            {
                (nearest, least) = (name, distance);
            }
        }
        return nearest;
    }

    /// <summary>How many letters must be added, taken away, changed or swapped with their neighbour.</summary>
    private static int Distance(string a, string b)
    {
        var rows = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++)
        {
            rows[i, 0] = i;
        }
        for (var j = 0; j <= b.Length; j++)
        {
            rows[0, j] = j;
        }
        for (var i = 1; i <= a.Length; i++)
        {
            for (var j = 1; j <= b.Length; j++)
            {
                var changed = rows[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                var best = Math.Min(changed, Math.Min(rows[i - 1, j], rows[i, j - 1]) + 1);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    best = Math.Min(best, rows[i - 2, j - 2] + 1);
                }
                rows[i, j] = best;
            }
        }
        return rows[a.Length, b.Length];
    }
}
