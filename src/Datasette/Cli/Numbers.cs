using System.CommandLine.Parsing;
using System.Globalization;

namespace Datasette.Cli;

/// <summary>Numbers of the command line.</summary>
internal static class Numbers
{
    /// <summary>A whole number; an error of the option, in its own words, for anything else.</summary>
    /// <param name="given">What was typed.</param>
    /// <param name="option">How the option is called, in quotes.</param>
    /// <param name="least">The least that it may be.</param>
    /// <param name="most">The most that it may be.</param>
    public static long Whole(ArgumentResult given, string option, long least, long most)
    {
        var text = given.Tokens.Count > 0 ? given.Tokens[^1].Value : "";
        if (!long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number))
        {
            given.AddError($"Invalid value for {option}: '{text}' is not a whole number.");
        }
        else if (number < least || number > most)
        {
            given.AddError($"Invalid value for {option}: {number} is not in the range {least} to {most}.");
        }
        return number;
    }
}
