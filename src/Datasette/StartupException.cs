namespace Datasette;

/// <summary>Something that stops the start: one readable line that says what, where and what to do.</summary>
/// <remarks>The command prints <c>Error: </c> and the message on the error stream and ends with <see cref="ExitCode"/>.</remarks>
public sealed class StartupException : Exception
{
    /// <summary>Creates the failure.</summary>
    /// <param name="message">One line for the person who started the process.</param>
    /// <param name="exitCode">Exit code of the process: 1 operational failure, 2 wrong usage, 3 port in use.</param>
    /// <param name="innerException">The cause, if another library spoke first.</param>
    public StartupException(string message, int exitCode = 1, Exception? innerException = null)
        : base(message, innerException)
    {
        ExitCode = exitCode;
    }

    /// <summary>Exit code of the process.</summary>
    public int ExitCode { get; }
}
