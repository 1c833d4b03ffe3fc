using System.Buffers.Binary;

namespace Litestream.Restore;

/// <summary>The few fields of SQLite's header, in the first 100 bytes of a database, that matter to a file which is changed from outside.</summary>
internal static class DatabaseHeader
{
    public const int Size = 100;

    /// <summary>
    /// Makes the header of a state that was just written: rollback-journal mode, a change counter that readers have not seen, and the size that goes
    /// with it.
    /// </summary>
    /// <param name="header">The first 100 bytes.</param>
    /// <param name="counter">The new change counter.</param>
    /// <param name="pages">Pages of the database.</param>
    public static void Stamp(Span<byte> header, uint counter, uint pages)
    {
        SetRollbackMode(header);
        BinaryPrimitives.WriteUInt32BigEndian(header[24..], counter);
        BinaryPrimitives.WriteUInt32BigEndian(header[28..], pages);
        // The counter for which the size is valid.
        BinaryPrimitives.WriteUInt32BigEndian(header[92..], counter);
    }

    /// <summary>Sets rollback-journal mode in a file that has no name yet.</summary>
    public static async Task SetRollbackModeAsync(Stream database, CancellationToken cancellationToken)
    {
        if (database.Length < Size)
            return;
        database.Position = 18;
        await database.WriteAsync(new byte[] { 1, 1 }, cancellationToken).ConfigureAwait(false);
        await database.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    private static void SetRollbackMode(Span<byte> header) => header[18] = header[19] = 1;
}
