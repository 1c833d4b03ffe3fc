using Litestream.Ltx;

namespace Litestream;

/// <summary>What went wrong, as a value that code may decide by. The text of a message is for people only.</summary>
public enum LitestreamError
{
    /// <summary>A setting, URL or argument is wrong. Never transient.</summary>
    InvalidConfiguration,

    /// <summary>Bytes that should be an LTX file, a WAL or a backup are not one.</summary>
    Corrupt,

    /// <summary>An object, file or restore point does not exist.</summary>
    NotFound,

    /// <summary>The chain of transactions has a hole.</summary>
    Gap,

    /// <summary>The store refused the credentials or the permission.</summary>
    AccessDenied,

    /// <summary>The store could not be reached or answered with a failure that can heal.</summary>
    Unavailable,

    /// <summary>A condition of a conditional write did not hold: somebody else wrote first.</summary>
    Conflict,

    /// <summary>The disk, or a quota on it, is full.</summary>
    DiskFull,

    /// <summary>The local disk refused or failed otherwise.</summary>
    LocalStorage,

    /// <summary>SQLite is busy or locked by another connection.</summary>
    Busy,

    /// <summary>SQLite refused for another reason: no database, wrong journal mode, read-only, corrupt.</summary>
    Database,

    /// <summary>The output of a restore exists already, or files of another database lie beside it.</summary>
    OutputExists,

    /// <summary>Another engine holds this database or this replica.</summary>
    Locked,

    /// <summary>Another writer has written to a replica of ours; we write nothing more there.</summary>
    Fenced,

    /// <summary>A check of restored or moved data failed.</summary>
    IntegrityCheckFailed,

    /// <summary>The engine itself waits with something expensive that repeats too often.</summary>
    Throttled,

    /// <summary>A limit of time ran out before the work was done.</summary>
    TimedOut,
}

/// <summary>The one failure of the engine. Wrong arguments throw the standard exceptions instead.</summary>
/// <remarks>Immutable, safe on any thread. <see cref="Exception.Message"/> names what and where; <see cref="Hint"/> says what to do.</remarks>
public sealed class LitestreamException : Exception
{
    /// <summary>Creates the failure.</summary>
    /// <param name="error">What went wrong.</param>
    /// <param name="message">One line: what and where.</param>
    /// <param name="innerException">The cause, if another library spoke first.</param>
    public LitestreamException(LitestreamError error, string message, Exception? innerException = null)
        : base(message, innerException)
    {
        Error = error;
    }

    /// <summary>What went wrong.</summary>
    public LitestreamError Error { get; }

    /// <summary>True when trying again later, with nothing changed, may succeed.</summary>
    public bool IsTransient { get; init; }

    /// <summary>What a person can do about it; null when there is nothing to add.</summary>
    public string? Hint { get; init; }

    /// <summary>File path or object key concerned; null when none.</summary>
    public string? Path { get; init; }

    /// <summary>Level of the LTX file concerned (0 to 9); null when none.</summary>
    public int? Level { get; init; }

    /// <summary>First transaction concerned; null when none.</summary>
    public Txid? MinTxid { get; init; }

    /// <summary>Last transaction concerned; null when none.</summary>
    public Txid? MaxTxid { get; init; }
}
