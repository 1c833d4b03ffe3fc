namespace Datasette.Cli;

/// <summary>How a command ends.</summary>
internal static class ExitCodes
{
    /// <summary>The command line is wrong.</summary>
    public const int WrongUsage = 2;
}
