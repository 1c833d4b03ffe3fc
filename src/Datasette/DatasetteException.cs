namespace Datasette;

/// <summary>A failure that a visitor should see: it becomes the error page or the canonical JSON error with this status.</summary>
/// <remarks>Immutable. The message is shown to the visitor, so it must hold no secret and no path that the visitor may not know.</remarks>
public sealed class DatasetteException : Exception
{
    /// <summary>Creates the failure with one message.</summary>
    /// <param name="status">HTTP status, 400 to 599.</param>
    /// <param name="message">One line for the visitor.</param>
    /// <param name="innerException">The cause, if another library spoke first.</param>
    public DatasetteException(int status, string message, Exception? innerException = null)
        : base(message, innerException)
    {
        Status = status;
        Errors = [message];
    }

    /// <summary>Creates the failure with several messages, which are joined by <c>; </c>.</summary>
    /// <param name="status">HTTP status, 400 to 599.</param>
    /// <param name="errors">The messages, at least one.</param>
    public DatasetteException(int status, IReadOnlyList<string> errors)
        : base(string.Join("; ", errors))
    {
        Status = status;
        Errors = errors;
    }

    /// <summary>After this time the same request may succeed: header <c>Retry-After</c>. Null when there is nothing to wait for.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>HTTP status of the answer.</summary>
    public int Status { get; }

    /// <summary>The messages one by one; <see cref="Exception.Message"/> is these joined.</summary>
    public IReadOnlyList<string> Errors { get; }
}
