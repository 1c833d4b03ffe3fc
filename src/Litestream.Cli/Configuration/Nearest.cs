namespace Litestream.Cli.Configuration;

/// <summary>The word that was probably meant.</summary>
internal static class Nearest
{
    /// <summary>The known word with the fewest edits, when they are few enough for its length; else null.</summary>
    public static string? Find(string word, IEnumerable<string> known)
    {
        string? best = null;
        var least = int.MaxValue;
        foreach (var candidate in known)
        {
            var edits = Edits(word, candidate);
            if (edits < least)
                (best, least) = (candidate, edits);
        }
        var shorter = Math.Min(word.Length, best?.Length ?? 0);
        return least <= Math.Max(1, shorter / 3) && least < shorter ? best : null;
    }

    /// <summary>Levenshtein distance, without regard to case and to <c>_</c> for <c>-</c>.</summary>
    public static int Edits(string left, string right)
    {
        var row = new int[right.Length + 1];
        for (var j = 0; j <= right.Length; j++)
            row[j] = j;
        for (var i = 1; i <= left.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= right.Length; j++)
            {
                var cost = Fold(left[i - 1]) == Fold(right[j - 1]) ? 0 : 1;
                (diagonal, row[j]) = (row[j], Math.Min(Math.Min(row[j] + 1, row[j - 1] + 1), diagonal + cost));
            }
        }
        return row[right.Length];
    }

    private static char Fold(char c) => c == '_' ? '-' : char.ToLowerInvariant(c);
}
