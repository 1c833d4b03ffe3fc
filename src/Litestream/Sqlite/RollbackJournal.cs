using System.Buffers.Binary;
using System.Security.Cryptography;
using Litestream.IO;

namespace Litestream.Sqlite;

/// <summary>SQLite's rollback journal, written by the engine: what SQLite itself plays back when a change of pages did not come to its end.</summary>
/// <remarks>It lands whole (<see cref="AtomicFile"/>), so it needs none of SQLite's steps that guard against a half-written one.</remarks>
internal static class RollbackJournal
{
    /// <summary>What SQLite calls the journal of a database.</summary>
    internal static string PathOf(string database) => database + "-journal";

    // Header: magic, number of records, nonce, pages before, sector size, page size; padded to a sector.
    private const int SectorSize = 512;

    private static ReadOnlySpan<byte> Magic => [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

    /// <summary>Writes the journal beside the database, readable by whom the database is.</summary>
    /// <param name="files">The disk of the journal.</param>
    /// <param name="path">The database.</param>
    /// <param name="database">Its pages as they are now, under the reserved lock.</param>
    /// <param name="pageSize">Bytes of a page.</param>
    /// <param name="pages">Pages of the database now.</param>
    /// <param name="changing">Numbers of the pages to keep: those that are written over or cut off, each once, never the lock page.</param>
    /// <param name="cancellationToken">Ends the writing; nothing is left.</param>
    internal static Task WriteAsync(
        DurableFiles files,
        string path,
        DatabaseFile database,
        int pageSize,
        uint pages,
        IEnumerable<uint> changing,
        CancellationToken cancellationToken
    ) =>
        AtomicFile.WriteAsync(
            files,
            PathOf(path),
            async (stream, cancel) =>
            {
                var nonce = BinaryPrimitives.ReadUInt32BigEndian(RandomNumberGenerator.GetBytes(4));
                var header = new byte[SectorSize];
                await stream.WriteAsync(header, cancel).ConfigureAwait(false);
                uint records = 0;
                var record = new byte[4 + pageSize + 4];
                foreach (var page in changing)
                {
                    BinaryPrimitives.WriteUInt32BigEndian(record, page);
                    var content = record.AsSpan(4, pageSize);
                    database.ReadPages(page, content, pageSize);
                    BinaryPrimitives.WriteUInt32BigEndian(record.AsSpan(4 + pageSize), Checksum(nonce, content));
                    await stream.WriteAsync(record, cancel).ConfigureAwait(false);
                    records++;
                }
                Magic.CopyTo(header);
                BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(8), records);
                BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(12), nonce);
                BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(16), pages);
                BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(20), SectorSize);
                BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(24), (uint)pageSize);
                stream.Position = 0;
                await stream.WriteAsync(header, cancel).ConfigureAwait(false);
                return records;
            },
            cancellationToken,
            accessLike: path
        );

    // Every 200th byte from the end, as SQLite samples a page.
    private static uint Checksum(uint nonce, ReadOnlySpan<byte> page)
    {
        var sum = nonce;
        for (var i = page.Length - 200; i > 0; i -= 200)
            sum += page[i];
        return sum;
    }
}
