namespace Litestream.IO;

/// <summary>What the system says about a disk, as the engine's failure: by number, never by text.</summary>
internal static class LocalStorageFailure
{
    /// <summary>Numbers of Linux and the BSDs (macOS) that mean the same; a number that differs has two entries.</summary>
    private const int NotPermitted = 1,
        NoEntry = 2,
        InputOutput = 5,
        OutOfMemory = 12,
        AccessDenied = 13,
        NotADirectory = 20,
        SystemFileLimit = 23,
        ProcessFileLimit = 24,
        NoSpace = 28,
        ReadOnlyFileSystem = 30,
        QuotaLinux = 122,
        QuotaBsd = 69;

    /// <summary>EWOULDBLOCK: 11 on Linux, 35 on the BSDs.</summary>
    public static int WouldBlock => OperatingSystem.IsLinux() ? 11 : 35;

    private const int WindowsDiskFull = unchecked((int)0x80070070);
    private const int WindowsHandleDiskFull = unchecked((int)0x80070027);
    private const int WindowsQuota = unchecked((int)0x8007050F);
    private const int WindowsSharing = unchecked((int)0x80070020);
    private const int WindowsLock = unchecked((int)0x80070021);

    /// <summary>True for what a file API throws when the disk or the system refuses.</summary>
    public static bool IsFileFailure(Exception exception) => exception is IOException or UnauthorizedAccessException;

    /// <summary>True when a file could not be opened because somebody else holds it.</summary>
    public static bool IsHeld(Exception exception) =>
        exception is IOException
        && (OperatingSystem.IsWindows() ? exception.HResult is WindowsSharing or WindowsLock : exception.HResult == WouldBlock);

    /// <summary>The engine's failure for what a file API threw.</summary>
    /// <param name="step">What was tried, as a verb: <c>create</c>, <c>write</c>, <c>sync</c>, ...</param>
    /// <param name="path">The file or folder.</param>
    /// <param name="cause">What was thrown.</param>
    public static LitestreamException From(string step, string path, Exception cause) =>
        cause switch
        {
            FileNotFoundException or DirectoryNotFoundException => Create(step, path, NoEntry, "not found", cause),
            _ when OperatingSystem.IsWindows() => FromWindows(step, path, cause),
            UnauthorizedAccessException { InnerException: IOException inner } => Create(step, path, inner.HResult, inner.Message, cause),
            UnauthorizedAccessException => Create(step, path, AccessDenied, "permission denied", cause),
            _ => Create(step, path, cause.HResult, cause.Message, cause),
        };

    /// <summary>The engine's failure for a number that a call into the system left behind.</summary>
    public static LitestreamException FromErrno(string step, string path, int errno) =>
        Create(step, path, errno, System.Runtime.InteropServices.Marshal.GetPInvokeErrorMessage(errno), null);

    private static LitestreamException FromWindows(string step, string path, Exception cause)
    {
        if (cause.HResult is WindowsDiskFull or WindowsHandleDiskFull or WindowsQuota)
            return Create(step, path, NoSpace, cause.Message, cause);
        return Create(step, path, cause is UnauthorizedAccessException ? AccessDenied : 0, cause.Message, cause);
    }

    private static LitestreamException Create(string step, string path, int errno, string text, Exception? cause)
    {
        var (error, transient, hint) = errno switch
        {
            NoEntry => (LitestreamError.NotFound, false, null),
            NoSpace => (LitestreamError.DiskFull, true, "free some space on this disk"),
            QuotaLinux when OperatingSystem.IsLinux() => (LitestreamError.DiskFull, true, "the quota on this disk is used up"),
            QuotaBsd when !OperatingSystem.IsLinux() => (LitestreamError.DiskFull, true, "the quota on this disk is used up"),
            SystemFileLimit or ProcessFileLimit => (LitestreamError.LocalStorage, true, "too many open files: raise the limit (ulimit -n)"),
            AccessDenied or NotPermitted => (
                LitestreamError.LocalStorage,
                false,
                "check the permissions of the file and of the folders above it"
            ),
            ReadOnlyFileSystem => (LitestreamError.LocalStorage, false, "the file system is mounted read-only"),
            NotADirectory => (LitestreamError.LocalStorage, false, "a file is in the place of a folder"),
            InputOutput or OutOfMemory => (LitestreamError.LocalStorage, true, (string?)null),
            _ => (LitestreamError.LocalStorage, true, null),
        };
        // The framework puts the path behind its words.
        text = text.Replace($" : '{path}'", "", StringComparison.Ordinal);
        var reason = text.Contains(path, StringComparison.Ordinal) ? text : $"{path}: {text}";
        return new LitestreamException(error, $"cannot {step} {reason}", cause)
        {
            IsTransient = transient,
            Hint = hint,
            Path = path,
        };
    }
}
