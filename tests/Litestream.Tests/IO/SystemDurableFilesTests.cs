using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using Litestream.IO;
using Testing;
using Xunit;

namespace Litestream.Tests.IO;

public sealed class SystemDurableFilesTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly DurableFiles _files = DurableFiles.System;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Create_Flush_Rename_MakeAFile()
    {
        var path = _folder.Combine("a.tmp");
        using (var stream = _files.Create(path))
        {
            stream.Write([1, 2, 3]);
            _files.Flush(stream);
            stream.Position = 1;
            Assert.Equal(2, stream.ReadByte());
        }
        File.WriteAllText(_folder.Combine("a"), "older and longer");
        _files.Rename(path, _folder.Combine("a"));
        _files.FlushDirectory(_folder.Path);
        Assert.Equal(["a"], _folder.Contents());
        using var read = _files.OpenRead(_folder.Combine("a"));
        Assert.Equal(3, read.Length);
        Assert.True(read.CanSeek);
    }

    [Fact]
    public void Create_FileExists_EmptiesIt()
    {
        var path = _folder.Combine("a");
        File.WriteAllText(path, "old");
        _files.Create(path).Dispose();
        Assert.Equal(0, _files.Stat(path)!.Value.SizeBytes);
    }

    [Fact]
    public void Stat_List_TellWhatIsThere()
    {
        var time = new DateTimeOffset(2026, 1, 2, 3, 4, 5, 678, TimeSpan.Zero);
        var path = _folder.Combine("file");
        File.WriteAllText(path, "12345");
        _files.SetLastWriteTime(path, time);
        _folder.CreateFolder("sub");
        Assert.Equal(new DurableEntry("file", false, 5, time), _files.Stat(path));
        Assert.True(_files.Stat(_folder.Combine("sub"))!.Value.IsDirectory);
        Assert.Null(_files.Stat(_folder.Combine("none")));
        Assert.Equal(
            [("file", false, 5L), ("sub", true, 0)],
            _files.List(_folder.Path).Select(e => (e.Name, e.IsDirectory, e.SizeBytes)).Order()
        );
        Assert.Equal(time, _files.List(_folder.Path).Single(e => e.Name == "file").LastWriteTime);
        Assert.Empty(_files.List(_folder.Combine("none")));
        Assert.True(_files.FileExists(path));
        Assert.False(_files.FileExists(_folder.Combine("sub")));
        Assert.True(_files.DirectoryExists(_folder.Combine("sub")));
        Assert.False(_files.DirectoryExists(path));
    }

    [Fact]
    public void CreateDirectory_MakesMissingParents_AndMayBeRepeated()
    {
        var path = _folder.Combine("a", "b", "c");
        _files.CreateDirectory(path);
        _files.CreateDirectory(path);
        Assert.True(Directory.Exists(path));
    }

    [Fact]
    public void Delete_MissingFile_IsFine()
    {
        _files.Delete(_folder.Combine("none"));
        _files.Delete(_folder.Combine("no", "folder", "none"));
        File.WriteAllText(_folder.Combine("a"), "x");
        _files.Delete(_folder.Combine("a"));
        Assert.Empty(_folder.Contents());
    }

    [Fact]
    public void MissingFile_IsNotFound()
    {
        var path = _folder.Combine("none");
        Assert.Equal(LitestreamError.NotFound, Fails(() => _files.OpenRead(path)).Error);
        Assert.Equal(LitestreamError.NotFound, Fails(() => _files.Create(_folder.Combine("no", "folder"))).Error);
        Assert.Equal(LitestreamError.NotFound, Fails(() => _files.Rename(path, _folder.Combine("x"))).Error);
        Assert.Equal(LitestreamError.NotFound, Fails(() => _files.SetLastWriteTime(path, DateTimeOffset.UnixEpoch)).Error);
        Assert.Null(_files.ReadAllText(path));
    }

    [Fact]
    public void FileInThePlaceOfAFolder_IsLocalStorage_NamingStepAndPath()
    {
        var path = _folder.Combine("file");
        File.WriteAllText(path, "x");
        foreach (
            var action in (Action[])
                [() => _files.CreateDirectory(path), () => _files.List(path), () => _files.CreateDirectory(Path.Combine(path, "sub"))]
        )
        {
            var e = Fails(action);
            Assert.Equal(LitestreamError.LocalStorage, e.Error);
            Assert.Contains(path, e.Message, StringComparison.Ordinal);
            Assert.StartsWith("cannot ", e.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Write_DiskIsFull_SaysDiskFull()
    {
        Require.That(File.Exists("/dev/full"), "/dev/full", "run on Linux");
        using var stream = _files.Create("/dev/full");
        var e = Fails(() =>
        {
            stream.Write(new byte[100_000]);
            stream.Flush();
        });
        Assert.Equal(LitestreamError.DiskFull, e.Error);
        Assert.True(e.IsTransient);
        Assert.Equal("/dev/full", e.Path);
        Assert.Contains("write", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WriteAsync_DiskIsFull_SaysDiskFull()
    {
        Require.That(File.Exists("/dev/full"), "/dev/full", "run on Linux");
        await using var stream = _files.Create("/dev/full");
        var e = await Assert.ThrowsAsync<LitestreamException>(async () =>
            await stream.WriteAsync(new byte[100_000], TestContext.Current.CancellationToken)
        );
        Assert.Equal(LitestreamError.DiskFull, e.Error);
    }

    [Theory]
    [InlineData(28, LitestreamError.DiskFull, true)]
    [InlineData(122, LitestreamError.DiskFull, true)]
    [InlineData(5, LitestreamError.LocalStorage, true)]
    [InlineData(24, LitestreamError.LocalStorage, true)]
    [InlineData(23, LitestreamError.LocalStorage, true)]
    [InlineData(30, LitestreamError.LocalStorage, false)]
    [InlineData(2, LitestreamError.NotFound, false)]
    [Trait("Scenario", "D5")]
    public void Classify_ErrorNumbersOfLinux(int errno, LitestreamError expected, bool transient)
    {
        Require.That(OperatingSystem.IsLinux(), "Linux", "run on Linux");
        var e = LocalStorageFailure.From("write", "/x/y", new IOException("text", errno));
        Assert.Equal(expected, e.Error);
        Assert.Equal(transient, e.IsTransient);
        Assert.Equal(expected, LocalStorageFailure.FromErrno("write", "/x/y", errno).Error);
    }

    [Fact]
    public void Classify_PermissionDenied_IsNotTransient_AndHasAHint()
    {
        var e = LocalStorageFailure.From(
            "open",
            "/x/y",
            new UnauthorizedAccessException("denied", new IOException("Permission denied", 13))
        );
        Assert.Equal(LitestreamError.LocalStorage, e.Error);
        Assert.False(e.IsTransient);
        Assert.NotNull(e.Hint);
        Assert.Equal("cannot open /x/y: Permission denied", e.Message);
    }

    [Fact]
    [UnsupportedOSPlatform("windows")]
    [Trait("Scenario", "D11")]
    public void CopyAccess_TakesModeAndOwner()
    {
        Require.That(OperatingSystem.IsLinux(), "Linux", "run on Linux");
        var like = _folder.Combine("like");
        var path = _folder.Combine("path");
        File.WriteAllText(like, "x");
        File.WriteAllText(path, "x");
        File.SetUnixFileMode(like, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
        var changed = Environment.UserName == "root" && Output("chown", "12345:23456", like).Ok;
        _files.CopyAccess(like, path);
        Assert.Equal(File.GetUnixFileMode(like), File.GetUnixFileMode(path));
        Assert.Equal(Output("stat", "-c", "%u:%g", like).Text, Output("stat", "-c", "%u:%g", path).Text);
        if (changed)
            Assert.Equal("12345:23456\n", Output("stat", "-c", "%u:%g", path).Text);
    }

    [Fact]
    public void TryLock_IsHeld_SecondIsRefusedAndSeesTheOwner()
    {
        var path = _folder.Combine("lock");
        using (var first = _files.TryLock(path, "host:1"))
        {
            Assert.NotNull(first);
            Assert.Null(_files.TryLock(path, "host:2"));
            Assert.Equal("host:1", _files.ReadAllText(path));
        }
        using var again = _files.TryLock(path, "h");
        Assert.NotNull(again);
        Assert.Equal("h", _files.ReadAllText(path));
        again.Dispose();
    }

    [Fact]
    public async Task TryLock_HolderIsKilled_IsFree()
    {
        Require.Program("flock", "util-linux");
        var path = _folder.Combine("lock");
        using var holder = Process.Start(
            new ProcessStartInfo("flock", [path, "sh", "-c", "echo held; exec cat"])
            {
                RedirectStandardOutput = true,
                RedirectStandardInput = true,
            }
        )!;
        Assert.Equal("held", await holder.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken));
        Assert.Null(_files.TryLock(path, "us"));
        // flock(1) hands its descriptor down, so the lock lives until the last of the two is gone.
        holder.Kill(entireProcessTree: true);
        await holder.WaitForExitAsync(TestContext.Current.CancellationToken);
        var waited = Stopwatch.StartNew();
        IDisposable? held;
        while ((held = _files.TryLock(path, "us")) is null && waited.Elapsed < TimeSpan.FromSeconds(5))
            await Task.Yield();
        Assert.NotNull(held);
        held.Dispose();
    }

    [Fact]
    public void TryLock_AnotherProcess_IsRefused()
    {
        Require.Program("flock", "util-linux");
        var path = _folder.Combine("lock");
        using (_files.TryLock(path, "us"))
            Assert.False(Output("flock", "--nonblock", path, "true").Ok);
        Assert.True(Output("flock", "--nonblock", path, "true").Ok);
    }

    [Fact]
    public void TryLock_ReleasedWhileAChildThatIsBeingStartedHoldsACopyOfTheDescriptor_IsFree()
    {
        Require.That(OperatingSystem.IsLinux(), "Linux", "run the tests there");
        var path = _folder.Combine("lock");
        var held = _files.TryLock(path, "us");
        // Other tests open and close files meanwhile: a link that has gone has no target.
        var descriptor = Directory.GetFiles("/proc/self/fd").First(f => new FileInfo(f).LinkTarget == path);
        var copy = Duplicate(int.Parse(Path.GetFileName(descriptor), System.Globalization.CultureInfo.InvariantCulture));
        using var copyHandle = new Microsoft.Win32.SafeHandles.SafeFileHandle(copy, ownsHandle: true);
        held!.Dispose();

        using var again = _files.TryLock(path, "us again");

        Assert.NotNull(again);
    }

    [Fact]
    public void TryLock_FolderIsMissing_IsNotFound() =>
        Assert.Equal(LitestreamError.NotFound, Fails(() => _files.TryLock(_folder.Combine("no", "lock"), "x")).Error);

    [Fact]
    public void Flush_ForeignStream_IsAnArgumentError() => Assert.Throws<ArgumentException>(() => _files.Flush(new MemoryStream()));

    private static LitestreamException Fails(Action action) => Assert.Throws<LitestreamException>(action);

    private static LitestreamException Fails(Func<object?> action) => Assert.Throws<LitestreamException>(() => action());

    private static (bool Ok, string Text) Output(string program, params string[] arguments)
    {
        using var process = Process.Start(
            new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true }
        )!;
        var text = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode == 0, text);
    }

    [DllImport("libc", EntryPoint = "dup")]
    private static extern int Duplicate(int descriptor);
}
