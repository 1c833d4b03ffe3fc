using System.Buffers;
using Litestream.Ltx;
using Litestream.Sqlite;

namespace Litestream.Replication;

/// <summary>Hands a whole database to an encoder, in large pieces.</summary>
internal static class DatabasePages
{
    private const int RunBytes = 1 << 20;

    /// <summary>Every page of the snapshot in order, without the lock page. Memory: a megabyte, beside what the encoder needs.</summary>
    internal static async Task CopyAsync(SourceSnapshot snapshot, LtxEncoder encoder, CancellationToken cancellationToken)
    {
        var size = encoder.Header.PageSize;
        var lockPage = encoder.Header.LockPage;
        var most = (uint)Math.Min(RunBytes / size, snapshot.Commit);
        var buffer = ArrayPool<byte>.Shared.Rent((int)most * size);
        try
        {
            for (uint first = 1, count; first <= snapshot.Commit; first += count)
            {
                count = Math.Min(most, snapshot.Commit - first + 1);
                if (first < lockPage && lockPage - first < count)
                    count = lockPage - first;
                if (first == lockPage)
                {
                    count = 1;
                    continue;
                }
                var pages = buffer.AsMemory(0, (int)count * size);
                snapshot.ReadPages(first, pages.Span);
                await encoder.WritePagesAsync(first, pages, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
