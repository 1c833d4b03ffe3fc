using System.Globalization;

namespace Litestream.Cli.Commands;

/// <summary>The flags of <c>restore</c> that name a state in a backup of Litestream 0.3.</summary>
internal static class OldBackupFlags
{
    private const int GenerationDigits = 16;
    private const int MostIndexDigits = 8;

    /// <summary>Checks the value of <c>-generation</c>.</summary>
    public static string? ParseGeneration(string? text) =>
        text is null || (text.Length == GenerationDigits && text.All(char.IsAsciiHexDigitLower))
            ? text
            : throw new FlagException($"invalid value \"{text}\" for flag -generation: invalid generation format")
            {
                Hint = "16 lower-case hex digits; 'litestream generations' lists them",
            };

    /// <summary>Reads the value of <c>-index</c>, which is hexadecimal.</summary>
    public static uint? ParseIndex(string? text)
    {
        if (text is null)
            return null;
        return
            text.Length is > 0 and <= MostIndexDigits
            && uint.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var index)
            ? index
            : throw new FlagException($"invalid value \"{text}\" for flag -index: invalid hexadecimal format")
            {
                Hint = "hex digits as in the objects' names, for example -index 0000000a",
            };
    }

    /// <summary>Refuses wishes that contradict each other.</summary>
    /// <exception cref="CliException">They do.</exception>
    public static void CheckCombinations(string? generation, string? index, bool hasTxid, bool hasTimestamp, bool follows)
    {
        foreach (var (value, flag) in new[] { (generation, "-generation"), (index, "-index") })
        {
            if (value is null)
                continue;
            if (hasTxid)
                throw new CliException($"cannot use {flag} with -txid")
                {
                    Hint = $"{flag} names states of litestream 0.3, -txid those since 0.5",
                };
            if (follows)
                throw new CliException($"cannot use {flag} with -f");
        }
        if (index is null)
            return;
        if (generation is null)
            throw new CliException("-index needs -generation") { Hint = "'litestream generations' lists them" };
        if (hasTimestamp)
            throw new CliException("cannot use -index with -timestamp") { Hint = "only one of them" };
    }
}
