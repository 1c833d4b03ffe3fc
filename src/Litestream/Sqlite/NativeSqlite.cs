using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Litestream.Sqlite;

/// <summary>
/// The C functions of SQLite that the engine calls itself. The only unsafe file: pointers never leave it but as opaque handles.
/// </summary>
/// <remarks>There is one SQLite library in the process, the one the app has chosen (rule 2); the resolver asks SQLitePCLRaw for its name.</remarks>
internal static unsafe partial class NativeSqlite
{
    private const string Library = "e_sqlite3";

    internal const int Ok = 0;
    internal const int Busy = 5;
    internal const int Locked = 6;
    internal const int Row = 100;
    internal const int Done = 101;
    internal const int IoErrorShortRead = 522;

    internal const int OpenReadWrite = 0x00000002;
    internal const int OpenFullMutex = 0x00010000;
    internal const int OpenExtendedResultCodes = 0x02000000;

    internal const int PreparePersistent = 1;

    internal const int LockNone = 0;
    internal const int LockShared = 1;
    internal const int LockReserved = 2;
    internal const int LockExclusive = 4;

    private const int SyncNormal = 2;

    private const int ConfigLookaside = 1001;
    private const int ControlFilePointer = 7;
    private const int ControlPersistWal = 10;
    private const int ControlHasMoved = 20;

    /// <summary>First version whose checkpoint does not lose pages when two checkpointers race with a writer (replication-engine §7.3).</summary>
    internal const int FirstSafeCheckpointVersion = 3051003;

    private static readonly byte[] Main = "main\0"u8.ToArray();

    static NativeSqlite()
    {
        // The first use of a connection initialises the bundle that the app has chosen; an app may well start the engine before its own first use.
        new Microsoft.Data.Sqlite.SqliteConnection().Dispose();
        NativeLibrary.SetDllImportResolver(typeof(NativeSqlite).Assembly, Resolve);
    }

    private static IntPtr Resolve(string name, Assembly assembly, DllImportSearchPath? searchPath)
    {
        if (name != Library)
            return IntPtr.Zero;
        var chosen = SQLitePCL.raw.GetNativeLibraryName();
        return NativeLibrary.TryLoad(chosen, assembly, searchPath, out var handle) ? handle : IntPtr.Zero;
    }

    internal static string Message(IntPtr db) => Text((IntPtr)sqlite3_errmsg(db)) ?? "unknown error";

    internal static string? Text(IntPtr utf8) => Marshal.PtrToStringUTF8(utf8);

    /// <summary>The path that SQLite itself uses for the database, symbolic links resolved.</summary>
    internal static string DatabasePath(IntPtr db)
    {
        fixed (byte* main = Main)
            return Text((IntPtr)sqlite3_db_filename(db, main)) ?? "";
    }

    /// <summary>The path that SQLite itself uses for the write-ahead log.</summary>
    internal static string WalPath(IntPtr db)
    {
        fixed (byte* main = Main)
            return Text((IntPtr)sqlite3_filename_wal(sqlite3_db_filename(db, main))) ?? "";
    }

    /// <summary>Copies the wal-index header of the connection's read transaction. Not <see cref="Ok"/> when the WAL was never written.</summary>
    internal static int SnapshotGet(IntPtr db, Span<byte> header)
    {
        byte* snapshot;
        int rc;
        fixed (byte* main = Main)
            rc = sqlite3_snapshot_get(db, main, &snapshot);
        if (rc != Ok)
            return rc;
        new ReadOnlySpan<byte>(snapshot, WalIndexHeader.Size).CopyTo(header);
        sqlite3_snapshot_free(snapshot);
        return Ok;
    }

    /// <summary>
    /// Takes back the memory that a connection holds in reserve for many small statements. To be called before its first statement. Where the
    /// system passes variable arguments in another way than fixed ones, the connection keeps it.
    /// </summary>
    internal static void DropLookaside(IntPtr db)
    {
        if (!OperatingSystem.IsMacOS())
            _ = sqlite3_db_config(db, ConfigLookaside, null, 0, 0);
    }

    internal static int Checkpoint(IntPtr db, int mode, out int frames, out int backfilled)
    {
        fixed (byte* main = Main)
        fixed (int* f = &frames)
        fixed (int* b = &backfilled)
            return sqlite3_wal_checkpoint_v2(db, main, mode, f, b);
    }

    /// <summary>
    /// A FULL checkpoint that never waits: when the writer lock is taken, <paramref name="whenWriterLockIsTaken"/> is called once, with the
    /// checkpoint lock held, and SQLite then goes on as a passive one. Exceptions of the callback come out of here.
    /// </summary>
    internal static int CheckpointCallingBack(IntPtr db, Action whenWriterLockIsTaken, out int frames, out int backfilled)
    {
        var call = new BusyCall(whenWriterLockIsTaken);
        var handle = GCHandle.Alloc(call);
        int rc;
        try
        {
            _ = sqlite3_busy_handler(db, &OnBusy, (void*)GCHandle.ToIntPtr(handle));
            rc = Checkpoint(db, (int)CheckpointMode.FullUnlessWriterIsBusy, out frames, out backfilled);
        }
        finally
        {
            _ = sqlite3_busy_handler(db, null, null);
            handle.Free();
        }
        call.Failure?.Throw();
        return rc;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int OnBusy(void* context, int tries)
    {
        // No exception may pass through SQLite's own frames.
        var call = (BusyCall)GCHandle.FromIntPtr((IntPtr)context).Target!;
        try
        {
            if (tries == 0)
                call.Action();
        }
        catch (Exception e)
        {
            call.Failure = ExceptionDispatchInfo.Capture(e);
        }
        return 0;
    }

    private sealed class BusyCall(Action action)
    {
        internal Action Action => action;

        internal ExceptionDispatchInfo? Failure { get; set; }
    }

    internal static int SetPersistentWal(IntPtr db)
    {
        var on = 1;
        fixed (byte* main = Main)
            return sqlite3_file_control(db, main, ControlPersistWal, &on);
    }

    /// <summary>True when the path no longer names the file that is open.</summary>
    internal static bool HasMoved(IntPtr db)
    {
        var moved = 0;
        fixed (byte* main = Main)
            return sqlite3_file_control(db, main, ControlHasMoved, &moved) == Ok && moved != 0;
    }

    /// <summary>SQLite's own file object of the database; valid while the connection is open.</summary>
    internal static IntPtr FileObject(IntPtr db)
    {
        void* file = null;
        fixed (byte* main = Main)
        {
            var rc = sqlite3_file_control(db, main, ControlFilePointer, &file);
            if (rc != Ok || file == null)
                throw new LitestreamException(LitestreamError.Database, $"SQLite does not give its file object (result {rc})");
        }
        return (IntPtr)file;
    }

    /// <summary>xRead of a file object: bytes past the end are zero, which the result <see cref="IoErrorShortRead"/> tells.</summary>
    internal static int Read(IntPtr file, Span<byte> buffer, long offset)
    {
        var methods = *(void***)file;
        var read = (delegate* unmanaged[Cdecl]<void*, void*, int, long, int>)methods[2];
        fixed (byte* p = buffer)
            return read((void*)file, p, buffer.Length, offset);
    }

    /// <summary>xWrite of a file object.</summary>
    internal static int Write(IntPtr file, ReadOnlySpan<byte> bytes, long offset)
    {
        var methods = *(void***)file;
        var write = (delegate* unmanaged[Cdecl]<void*, void*, int, long, int>)methods[3];
        fixed (byte* p = bytes)
            return write((void*)file, p, bytes.Length, offset);
    }

    /// <summary>xTruncate of a file object; makes it longer too.</summary>
    internal static int Truncate(IntPtr file, long size)
    {
        var methods = *(void***)file;
        var truncate = (delegate* unmanaged[Cdecl]<void*, long, int>)methods[4];
        return truncate((void*)file, size);
    }

    /// <summary>xSync of a file object.</summary>
    internal static int Sync(IntPtr file)
    {
        var methods = *(void***)file;
        var sync = (delegate* unmanaged[Cdecl]<void*, int, int>)methods[5];
        return sync((void*)file, SyncNormal);
    }

    /// <summary>xLock of a file object: up to <paramref name="level"/>, or <see cref="Busy"/>.</summary>
    internal static int Lock(IntPtr file, int level)
    {
        var methods = *(void***)file;
        var take = (delegate* unmanaged[Cdecl]<void*, int, int>)methods[7];
        return take((void*)file, level);
    }

    /// <summary>xUnlock of a file object: down to <paramref name="level"/>.</summary>
    internal static int Unlock(IntPtr file, int level)
    {
        var methods = *(void***)file;
        var release = (delegate* unmanaged[Cdecl]<void*, int, int>)methods[8];
        return release((void*)file, level);
    }

    /// <summary>True when the connection may only read.</summary>
    internal static bool IsReadOnly(IntPtr db)
    {
        fixed (byte* main = Main)
            return sqlite3_db_readonly(db, main) == 1;
    }

    /// <summary>xFileSize of a file object.</summary>
    internal static int FileSize(IntPtr file, out long size)
    {
        var methods = *(void***)file;
        var fileSize = (delegate* unmanaged[Cdecl]<void*, long*, int>)methods[6];
        fixed (long* p = &size)
            return fileSize((void*)file, p);
    }

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial int sqlite3_open_v2(string filename, out IntPtr db, int flags, string? vfs);

    [LibraryImport(Library)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial int sqlite3_close_v2(IntPtr db);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial int sqlite3_prepare_v3(IntPtr db, string sql, int bytes, uint flags, out IntPtr statement, IntPtr tail);

    [LibraryImport(Library)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial int sqlite3_step(IntPtr statement);

    [LibraryImport(Library)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial int sqlite3_reset(IntPtr statement);

    [LibraryImport(Library)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial int sqlite3_finalize(IntPtr statement);

    [LibraryImport(Library)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial IntPtr sqlite3_column_text(IntPtr statement, int column);

    [LibraryImport(Library)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial long sqlite3_column_int64(IntPtr statement, int column);

    [LibraryImport(Library)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial int sqlite3_busy_timeout(IntPtr db, int milliseconds);

    [LibraryImport(Library)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial int sqlite3_busy_handler(IntPtr db, delegate* unmanaged[Cdecl]<void*, int, int> handler, void* context);

    [LibraryImport(Library)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial int sqlite3_get_autocommit(IntPtr db);

    [LibraryImport(Library)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial int sqlite3_libversion_number();

    [LibraryImport(Library)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial int sqlite3_db_readonly(IntPtr db, byte* schema);

    [LibraryImport(Library)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial byte* sqlite3_errmsg(IntPtr db);

    [LibraryImport(Library)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial byte* sqlite3_db_filename(IntPtr db, byte* schema);

    [LibraryImport(Library)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial byte* sqlite3_filename_wal(byte* filename);

    [LibraryImport(Library)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial int sqlite3_file_control(IntPtr db, byte* schema, int op, void* argument);

    [LibraryImport(Library)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial int sqlite3_snapshot_get(IntPtr db, byte* schema, byte** snapshot);

    [LibraryImport(Library)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial void sqlite3_snapshot_free(byte* snapshot);

    [LibraryImport(Library)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    internal static partial int sqlite3_db_release_memory(IntPtr db);

    [LibraryImport(Library)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial int sqlite3_db_config(IntPtr db, int option, void* buffer, int size, int count);

    [LibraryImport(Library)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial int sqlite3_wal_checkpoint_v2(IntPtr db, byte* schema, int mode, int* frames, int* backfilled);
}
