using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Litestream.Sqlite;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Litestream.Tests.Sqlite;

/// <summary>Who holds SQLite's locks, as the kernel tells it, with other processes that really hold them.</summary>
public sealed class LockHoldersTests : IDisposable
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private readonly TempFolder _folder = new();
    private readonly string _path;

    public LockHoldersTests()
    {
        _path = _folder.Combine("app.db");
        Assert.SkipUnless(RuntimeInformation.IsOSPlatform(OSPlatform.Linux), "only Linux tells who holds a lock");
    }

    [Theory]
    [InlineData("1: POSIX  ADVISORY  READ 12345 fe:0a:131077 123 127", false, 12345, 0xfe, 10, 131077, 123, 127)]
    [InlineData("2: POSIX  ADVISORY  WRITE 7 08:01:42 1073741824 EOF", true, 7, 8, 1, 42, 1073741824, long.MaxValue)]
    public void Parse_ALockOfAProcess(string line, bool write, int id, uint major, uint minor, ulong inode, long first, long last)
    {
        var parsed = LockHolders.Parse(line)!.Value;
        Assert.Equal((write, id, first, last), (parsed.IsWrite, parsed.ProcessId, parsed.First, parsed.Last));
        Assert.Equal((major, minor, inode), (parsed.File.Major, parsed.File.Minor, parsed.File.Inode));
    }

    [Theory]
    [InlineData("")]
    [InlineData("1: -> POSIX  ADVISORY  WRITE 7 08:01:42 0 EOF")] // waits for it
    [InlineData("3: FLOCK  ADVISORY  WRITE 7 08:01:42 0 EOF")]
    [InlineData("4: POSIX  ADVISORY  READ x 08:01:42 0 0")]
    [InlineData("4: POSIX  ADVISORY  READ 9 08:01 0 0")]
    [InlineData("4: POSIX  ADVISORY  READ 9 08:01:42 0 x")]
    [InlineData("4: POSIX  ADVISORY  READ 9 08:01:42 0 99999999999999999999")]
    [InlineData("4: OFDLCK ADVISORY  READ -1 08:01:42 0 0")]
    public void Parse_AnythingElse_IsNull(string line) => Assert.Null(LockHolders.Parse(line));

    [Fact]
    public async Task ReaderAndWriterOfAnotherProcess_AreNamed_OursAreNot()
    {
        using var app = TestDatabase.Open(_path);
        app.Execute("PRAGMA journal_mode=wal; CREATE TABLE t(v); INSERT INTO t VALUES(1)");
        app.Execute("BEGIN; SELECT count(*) FROM t"); // a reader of this process
        Assert.Empty(LockHolders.Readers(_path + "-shm"));
        await using var shell = TestProcess.Start(Require.Program("sqlite3"), [_path]);
        await shell.WriteLineAsync("BEGIN; SELECT 'reads', count(*) FROM t;");
        await shell.WaitForLineAsync(new Regex("reads"), cancellationToken: Token);
        var reader = Assert.Single(LockHolders.Readers(_path + "-shm"));
        Assert.Equal((shell.Id, "sqlite3"), (reader.ProcessId, reader.Command));
        Assert.Equal($"process {shell.Id} (sqlite3)", reader.ToString());
        Assert.Empty(LockHolders.Writers(_path + "-shm"));
        await shell.WriteLineAsync("ROLLBACK; BEGIN IMMEDIATE; SELECT 'writes';");
        await shell.WaitForLineAsync(new Regex("writes"), cancellationToken: Token);
        Assert.Equal(shell.Id, Assert.Single(LockHolders.Writers(_path + "-shm")).ProcessId);
        await shell.WriteLineAsync("ROLLBACK; SELECT 'done';");
        await shell.WaitForLineAsync(new Regex("done"), cancellationToken: Token);
        Assert.Empty(LockHolders.Readers(_path + "-shm"));
    }

    [Fact]
    public async Task ExclusiveLockOfAnotherProcess_IsNamed()
    {
        await using var shell = TestProcess.Start(Require.Program("sqlite3"), [_path]);
        await shell.WriteLineAsync("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=wal; CREATE TABLE t(v); SELECT 'locked';");
        await shell.WaitForLineAsync(new Regex("locked"), cancellationToken: Token);
        Assert.Equal(shell.Id, Assert.Single(LockHolders.Exclusive(_path)).ProcessId);
    }

    [Fact]
    public void NoSuchFile_NobodyIsNamed() => Assert.Empty(LockHolders.Readers(_path + "-shm"));

    public void Dispose() => _folder.Dispose();
}
