using Litestream.Replicas;

namespace Litestream.Restore;

/// <summary>A question to a store, asked again when the answer was a failure that can heal: as often and with the same pauses as a download.</summary>
internal static class StoreRetries
{
    private static readonly TimeSpan s_firstPause = TimeSpan.FromMilliseconds(250);

    public static async Task<T> RunAsync<T>(Func<Task<T>> ask, TimeProvider time, CancellationToken cancellationToken)
    {
        for (var retry = 0; ; retry++)
        {
            try
            {
                return await ask().ConfigureAwait(false);
            }
            catch (LitestreamException e)
                when (e is { Error: LitestreamError.Unavailable, IsTransient: true }
                    && retry < ResumableStream.MaxRetries
                    && !cancellationToken.IsCancellationRequested
                )
            {
                await Task.Delay(s_firstPause * (1 << retry), time, cancellationToken).ConfigureAwait(false);
            }
        }
    }
}
