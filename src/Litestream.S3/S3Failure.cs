using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using Amazon.Runtime;
using Amazon.S3;

namespace Litestream.S3;

/// <summary>What a server or the SDK says, as the engine's failure: by status and code, never by text.</summary>
internal static class S3Failure
{
    private static readonly HashSet<string> Refusals =
    [
        "AccessDenied",
        "AllAccessDisabled",
        "AccountProblem",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
    ];

    private static readonly HashSet<string> WrongRegion =
    [
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
        "PermanentRedirect",
    ];

    /// <summary>True when a server says that it does not know a feature (501).</summary>
    public static bool IsNotImplemented(Exception exception) =>
        exception is AmazonS3Exception { StatusCode: HttpStatusCode.NotImplemented or HttpStatusCode.MethodNotAllowed };

    /// <summary>True when the object, not the bucket, is missing.</summary>
    public static bool IsMissingObject(AmazonServiceException e) =>
        e.StatusCode == HttpStatusCode.NotFound && e.ErrorCode is not ("NoSuchBucket" or "NoSuchUpload");

    /// <summary>The engine's failure for what the SDK threw.</summary>
    /// <param name="exception">What was thrown; not the caller's own cancellation.</param>
    /// <param name="action">What was tried: <c>get</c>, <c>put</c>, ...</param>
    /// <param name="key">Key or prefix in the bucket.</param>
    /// <param name="options">The replica.</param>
    /// <param name="conditional">The request had a condition.</param>
    public static LitestreamException From(Exception exception, string action, string key, S3Options options, bool conditional = false)
    {
        if (exception is LitestreamException known)
            return known;
        var (error, transient, hint) = exception switch
        {
            AmazonServiceException e => Classify(e, options, conditional),
            _ when Find<AuthenticationException>(exception) is not null => (
                LitestreamError.Unavailable,
                true,
                "the server's TLS certificate is not trusted: AWS_CA_BUNDLE names further roots, skip-verify ignores it"
            ),
            _ => (LitestreamError.Unavailable, true, "check that the endpoint is right and can be reached"),
        };
        return new LitestreamException(error, $"s3: cannot {action} {key} in {options.Location}: {Describe(exception)}", exception)
        {
            IsTransient = transient,
            Hint = hint,
            Path = key,
        };
    }

    /// <summary>The engine's failure when none of the known places holds credentials.</summary>
    public static LitestreamException NoCredentials(Exception exception, S3Options options) =>
        new(LitestreamError.AccessDenied, $"s3: no credentials for {options.Location}: {Describe(exception)}", exception)
        {
            IsTransient = true,
            Hint =
                "set access-key-id and secret-access-key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or another source of the AWS default chain",
        };

    /// <summary>The engine's failure for one key of a batch.</summary>
    public static LitestreamException FromDelete(string code, string message, string key, int failed, int all, S3Options options)
    {
        var isRefused = Refusals.Contains(code);
        return new LitestreamException(
            isRefused ? LitestreamError.AccessDenied : LitestreamError.Unavailable,
            $"s3: cannot delete {failed} of {all} objects in {options.Location}, first {key}: {code} {message}".TrimEnd()
        )
        {
            IsTransient = true,
            Hint = isRefused ? "the credentials need the right to delete (s3:DeleteObject)" : null,
            Path = key,
        };
    }

    private static (LitestreamError Error, bool IsTransient, string? Hint) Classify(
        AmazonServiceException e,
        S3Options options,
        bool conditional
    )
    {
        var code = e.ErrorCode ?? "";
        if (code == "NoSuchBucket")
            return (LitestreamError.Unavailable, true, $"create the bucket {options.Bucket}, or correct its name");
        if (WrongRegion.Contains(code) || e.StatusCode is HttpStatusCode.MovedPermanently or HttpStatusCode.TemporaryRedirect)
            return (LitestreamError.InvalidConfiguration, false, "set region to the bucket's region");
        if (Refusals.Contains(code) || e.StatusCode is HttpStatusCode.Forbidden or HttpStatusCode.Unauthorized)
            return (LitestreamError.AccessDenied, true, RefusalHint(code));
        return e.StatusCode switch
        {
            HttpStatusCode.NotFound when conditional => (LitestreamError.Conflict, false, null),
            HttpStatusCode.NotFound when code != "NoSuchUpload" => (LitestreamError.NotFound, false, null),
            HttpStatusCode.PreconditionFailed => (LitestreamError.Conflict, false, null),
            HttpStatusCode.Conflict when conditional => (LitestreamError.Conflict, false, null),
            HttpStatusCode.NotImplemented or HttpStatusCode.MethodNotAllowed => (
                LitestreamError.Unavailable,
                false,
                "the server does not offer this"
            ),
            HttpStatusCode.BadRequest when code is not ("RequestTimeout" or "RequestCanceled" or "IncompleteBody" or "BadRequest" or "") =>
                (
                    LitestreamError.Unavailable,
                    false,
                    "the server does not understand the request: check storage-class, encryption and sign-payload"
                ),
            HttpStatusCode.ServiceUnavailable or HttpStatusCode.TooManyRequests => (
                LitestreamError.Unavailable,
                true,
                "the server asks for fewer requests"
            ),
            _ => (LitestreamError.Unavailable, true, null),
        };
    }

    private static string RefusalHint(string code) =>
        code switch
        {
            "InvalidAccessKeyId" => "the server does not know this access-key-id",
            "SignatureDoesNotMatch" => "the secret-access-key does not fit the access-key-id (or a proxy changes requests)",
            "ExpiredToken" or "TokenRefreshRequired" or "InvalidToken" => "the session token has ended or is wrong",
            "RequestTimeTooSkewed" => "set this machine's clock",
            _ => "the credentials need s3:ListBucket on the bucket, s3:GetObject, s3:PutObject and s3:DeleteObject on its objects",
        };

    private static T? Find<T>(Exception exception)
        where T : Exception
    {
        for (var e = exception; e is not null; e = e.InnerException)
        {
            if (e is T found)
                return found;
        }
        return null;
    }

    private static string Describe(Exception exception) =>
        exception switch
        {
            AmazonServiceException { ErrorCode.Length: > 0 } e => $"{e.ErrorCode} ({(int)e.StatusCode}) {FirstLine(e.Message)}".TrimEnd(),
            OperationCanceledException => "no answer in time",
            _ when Find<SocketException>(exception) is { } e => e.Message,
            _ => FirstLine(exception.Message),
        };

    private static string FirstLine(string text)
    {
        var end = text.AsSpan().IndexOfAny('\r', '\n');
        return end < 0 ? text : text[..end];
    }
}
