using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using SQLitePCL;

namespace Litestream.Tests.Simulation;

/// <summary>The whole content of a database as a connection sees it, WAL included: a copy of its pages, thousands of times cheaper than a dump.</summary>
internal static partial class DatabaseBytes
{
    /// <param name="db">The connection.</param>
    /// <param name="known">Given back when nothing has changed since.</param>
    internal static byte[] Of(sqlite3 db, byte[]? known = null)
    {
        var copy = sqlite3_serialize(db.DangerousGetHandle(), "main", out var size, 0);
        if (copy == IntPtr.Zero)
            throw new InvalidOperationException($"no copy of the database: {raw.sqlite3_errmsg(db).utf8_to_string()}");
        try
        {
            var content = MemoryMarshal.CreateReadOnlySpan(ref Unsafe.AddByteOffset(ref Unsafe.NullRef<byte>(), copy), (int)size);
            return content.SequenceEqual(known) ? known! : content.ToArray();
        }
        finally
        {
            sqlite3_free(copy);
        }
    }

    /// <summary>A database in memory with this content.</summary>
    internal static sqlite3 Load(byte[] bytes)
    {
        raw.sqlite3_open(":memory:", out var db);
        var copy = sqlite3_malloc64((ulong)bytes.Length);
        Marshal.Copy(bytes, 0, copy, bytes.Length);
        // Journal mode WAL is no mode for memory: as the file format says, 1 and 1 mean a rollback journal.
        Marshal.WriteByte(copy, 18, 1);
        Marshal.WriteByte(copy, 19, 1);
        const uint FreeOnCloseAndResizeable = 3;
        var rc = sqlite3_deserialize(db.DangerousGetHandle(), "main", copy, bytes.Length, bytes.Length, FreeOnCloseAndResizeable);
        return rc == raw.SQLITE_OK ? db : throw new InvalidOperationException($"no database in memory: {rc}");
    }

    [LibraryImport("e_sqlite3", StringMarshalling = StringMarshalling.Utf8)]
    private static partial IntPtr sqlite3_serialize(IntPtr db, string schema, out long size, uint flags);

    [LibraryImport("e_sqlite3", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int sqlite3_deserialize(IntPtr db, string schema, IntPtr data, long size, long capacity, uint flags);

    [LibraryImport("e_sqlite3")]
    private static partial IntPtr sqlite3_malloc64(ulong size);

    [LibraryImport("e_sqlite3")]
    private static partial void sqlite3_free(IntPtr memory);
}
