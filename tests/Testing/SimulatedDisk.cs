using System.Text;
using Litestream;
using Litestream.IO;

namespace Testing;

/// <summary>
/// A disk in memory with the bad habits of real ones: bytes that were not synced and names whose folder was not synced are lost in a power
/// cut; it can be full, fail at a step, or lose power at a step.
/// </summary>
/// <remarks>
/// Names are kept as a journal: a power cut keeps the first so many operations and drops the rest, as journaling file systems do. Without a
/// random number it is the worst case: nothing survives that was not synced. Larger than other rooms: a disk with fewer operations, or its names
/// apart from its bytes, would be no disk.
/// </remarks>
public sealed partial class SimulatedDisk(TimeProvider? time = null) : DurableFiles
{
    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Node> _live = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Node> _durable = new(StringComparer.Ordinal);
    private readonly List<NameChange> _journal = [];
    private readonly HashSet<string> _locks = [];
    private int _generation;
    private bool _down;

    /// <summary>Asked before each durable step; what it returns is thrown. Null: all goes well.</summary>
    public Func<DiskStep, Exception?>? Fault { get; set; }

    /// <summary>Asked before a file is opened for reading; what it returns is thrown. Null: all goes well.</summary>
    public Func<string, Exception?>? ReadFault { get; set; }

    /// <summary>The power goes before the step of this number; null: never.</summary>
    public int? CrashAtStep { get; set; }

    /// <summary>Bytes that fit; more is <see cref="LitestreamError.DiskFull"/>. Null: endless.</summary>
    public long? CapacityBytes { get; set; }

    /// <summary>A broken disk, or a program that leaves fsync out: <see cref="Flush"/> makes no byte durable.</summary>
    public bool IgnoresFlush { get; set; }

    public List<DiskStep> Steps { get; } = [];

    /// <summary>Bytes of all files as programs see them.</summary>
    public long UsedBytes
    {
        get
        {
            lock (_gate)
                return _live.Values.Sum(n => (long)n.Length);
        }
    }

    /// <summary>All files as programs see them, sorted.</summary>
    public IReadOnlyList<string> Files
    {
        get
        {
            lock (_gate)
                return [.. _live.Where(e => !e.Value.IsDirectory).Select(e => e.Key).Order(StringComparer.Ordinal)];
        }
    }

    /// <summary>The failure that a real disk gives, for <see cref="Fault"/>.</summary>
    public static LitestreamException Failure(DiskStep step, LitestreamError error = LitestreamError.LocalStorage) =>
        new(error, $"cannot {step.Name} {step.Path}: simulated failure") { IsTransient = true, Path = step.Path };

    /// <summary>Power cut and restart: what was not durable is gone.</summary>
    /// <param name="random">Null: the worst case. Else it decides what of the rest survives: a start of the journal, and torn or whole contents.</param>
    public void Crash(Random? random = null)
    {
        lock (_gate)
        {
            _generation++;
            var survivors = random?.Next(_journal.Count + 1) ?? 0;
            foreach (var change in _journal.Take(survivors))
                Apply(change);
            _journal.Clear();
            _live.Clear();
            foreach (var (path, node) in _durable)
            {
                node.Content = random is null ? node.Durable : Tear(node, random);
                node.Durable = node.Content;
                _live[path] = node;
            }
            _locks.Clear();
            _down = false;
            CrashAtStep = null;
        }
    }

    /// <summary>As <see cref="Crash"/>: after <see cref="CrashAtStep"/> the disk works again.</summary>
    public void Restart(Random? random = null) => Crash(random);

    /// <summary>The bytes of a file as programs see them.</summary>
    public byte[] Read(string path)
    {
        lock (_gate)
            return Find(path).Content;
    }

    /// <summary>True when every byte of a file would survive a power cut.</summary>
    public bool IsDurable(string path)
    {
        lock (_gate)
        {
            var node = Find(path);
            return node.Bytes.SequenceEqual(node.Durable);
        }
    }

    /// <summary>Removes a folder and all that is or was in it, durably; past all faults.</summary>
    public void RemoveFolder(string path)
    {
        lock (_gate)
        {
            path = Full(path);
            bool IsInside(string? name) => name == path || (name?.StartsWith(path + "/", StringComparison.Ordinal) ?? false);
            foreach (var names in new[] { _live, _durable })
            foreach (var name in names.Keys.Where(IsInside).ToList())
                names.Remove(name);
            _journal.RemoveAll(c => IsInside(c.From) || IsInside(c.To));
        }
    }

    /// <summary>Removes a file, durably; past all faults.</summary>
    public void Remove(string path)
    {
        lock (_gate)
        {
            path = Full(path);
            _live.Remove(path);
            _durable.Remove(path);
            _journal.RemoveAll(c => c.From == path || c.To == path);
        }
    }

    /// <summary>Puts a file there, durable at once, with the folders above it; past all faults.</summary>
    public void Write(string path, byte[] content)
    {
        lock (_gate)
        {
            path = Full(path);
            for (var folder = Path.GetDirectoryName(path); folder is not null && !IsRoot(folder); folder = Path.GetDirectoryName(folder))
                _live[folder] = _durable[folder] = _live.GetValueOrDefault(folder) ?? new Node { IsDirectory = true };
            _live[path] = _durable[path] = new Node
            {
                Content = content,
                Durable = content,
                LastWrite = _time.GetUtcNow(),
            };
        }
    }

    /// <summary>Whose mode a file has got by <see cref="CopyAccess"/>; null when it has its own.</summary>
    public string? AccessOf(string path)
    {
        lock (_gate)
            return Find(path).AccessLike;
    }

    public override bool FileExists(string path) => Look(path) is { IsDirectory: false };

    public override bool DirectoryExists(string path) => IsRoot(Full(path)) || Look(path) is { IsDirectory: true };

    public override DurableEntry? Stat(string path) => Look(path) is { } node ? ToEntry(Full(path), node) : null;

    public override void CreateDirectory(string path)
    {
        lock (_gate)
        {
            path = Full(path);
            var missing = new Stack<string>();
            for (
                var folder = path;
                folder is not null && !IsRoot(folder) && !_live.ContainsKey(folder);
                folder = Path.GetDirectoryName(folder)
            )
                missing.Push(folder);
            foreach (var folder in missing)
            {
                Step("create folder", folder);
                var node = new Node { IsDirectory = true, LastWrite = _time.GetUtcNow() };
                _live[folder] = node;
                Journal(new NameChange(null, folder, node));
                FlushNames(Path.GetDirectoryName(folder)!);
            }
            if (!IsRoot(path) && !_live[path].IsDirectory)
                throw new LitestreamException(LitestreamError.LocalStorage, $"cannot create folder {path}: a file is there")
                {
                    Path = path,
                };
        }
    }

    public override Stream Create(string path)
    {
        lock (_gate)
        {
            path = Full(path);
            Step("create", path);
            RequireFolder(path, "create");
            if (_live.TryGetValue(path, out var node))
            {
                node.Content = [];
            }
            else
            {
                node = new Node { LastWrite = _time.GetUtcNow() };
                _live[path] = node;
                Journal(new NameChange(null, path, node));
            }
            return new FileView(this, node, path, _generation, writable: true);
        }
    }

    public override Stream OpenRead(string path)
    {
        lock (_gate)
        {
            Check();
            path = Full(path);
            if (ReadFault?.Invoke(path) is { } failure)
                throw failure;
            return new FileView(this, Find(path), path, _generation, writable: false);
        }
    }

    public override void Flush(Stream stream)
    {
        if (stream is not FileView view)
            throw new ArgumentException("the stream is not from Create", nameof(stream));
        lock (_gate)
        {
            view.Check();
            Step("sync", view.Path);
            if (!IgnoresFlush)
                view.Node.Durable = view.Node.Content;
        }
    }

    public override void Rename(string from, string to)
    {
        lock (_gate)
        {
            from = Full(from);
            to = Full(to);
            Step("rename", from);
            var node = Find(from);
            RequireFolder(to, "rename");
            _live.Remove(from);
            _live[to] = node;
            Journal(new NameChange(from, to, node));
        }
    }

    public override void FlushDirectory(string path)
    {
        lock (_gate)
        {
            path = Full(path);
            Step("sync folder", path);
            FlushNames(path);
        }
    }

    public override void Delete(string path)
    {
        lock (_gate)
        {
            path = Full(path);
            Step("delete", path);
            if (_live.Remove(path))
                Journal(new NameChange(path, null, null));
        }
    }

    public override IReadOnlyList<DurableEntry> List(string directory)
    {
        lock (_gate)
        {
            Check();
            directory = Full(directory);
            if (_live.TryGetValue(directory, out var node) && !node.IsDirectory)
                throw new LitestreamException(LitestreamError.LocalStorage, $"cannot list {directory}: it is a file") { Path = directory };
            return [.. _live.Where(e => Path.GetDirectoryName(e.Key) == directory).Select(e => ToEntry(e.Key, e.Value))];
        }
    }

    public override void SetLastWriteTime(string path, DateTimeOffset time)
    {
        lock (_gate)
        {
            Step("set time", Full(path));
            Find(path).LastWrite = time;
        }
    }

    public override void CopyAccess(string like, string path)
    {
        lock (_gate)
        {
            path = Full(path);
            Step("copy access", path);
            // Folders have a mode as well.
            (_live.GetValueOrDefault(path) is { IsDirectory: true } folder ? folder : Find(path)).AccessLike = Full(like);
        }
    }

    public override IDisposable? TryLock(string path, string owner)
    {
        lock (_gate)
        {
            path = Full(path);
            Step("lock", path);
            if (!_locks.Add(path))
                return null;
            RequireFolder(path, "lock");
            var node = _live.GetValueOrDefault(path);
            if (node is null)
            {
                node = new Node { LastWrite = _time.GetUtcNow() };
                _live[path] = node;
                Journal(new NameChange(null, path, node));
            }
            node.Content = Encoding.UTF8.GetBytes(owner);
            return new HeldLock(this, path, _generation);
        }
    }

    public override string? ReadAllText(string path)
    {
        lock (_gate)
        {
            Check();
            return Look(path) is { IsDirectory: false } node ? Encoding.UTF8.GetString(node.Content) : null;
        }
    }

    private static string Full(string path) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));

    private static bool IsRoot(string path) => Path.GetDirectoryName(path) is null;

    private static DurableEntry ToEntry(string path, Node node) =>
        new(Path.GetFileName(path), node.IsDirectory, node.Length, node.LastWrite);

    private static byte[] Tear(Node node, Random random)
    {
        var content = node.Content;
        if (content.AsSpan().SequenceEqual(node.Durable))
            return node.Durable;
        switch (random.Next(3))
        {
            case 0:
                return node.Durable;
            case 1:
                return content[..random.Next(content.Length + 1)];
            default:
                // The size was written, some of the bytes were not.
                if (content.Length > 0)
                    content.AsSpan(random.Next(content.Length)).Clear();
                return content;
        }
    }

    private void Step(string name, string path)
    {
        Check();
        var step = new DiskStep(Steps.Count, name, path);
        if (CrashAtStep == step.Number)
        {
            _down = true;
            throw new SimulatedCrashException();
        }
        Steps.Add(step);
        if (Fault?.Invoke(step) is { } failure)
            throw failure;
    }

    private void Check()
    {
        if (_down)
            throw new SimulatedCrashException();
    }

    private Node? Look(string path)
    {
        lock (_gate)
        {
            Check();
            return _live.GetValueOrDefault(Full(path));
        }
    }

    private Node Find(string path)
    {
        path = Full(path);
        return _live.TryGetValue(path, out var node) && !node.IsDirectory
            ? node
            : throw new LitestreamException(LitestreamError.NotFound, $"not found: {path}") { Path = path };
    }

    private void RequireFolder(string path, string step)
    {
        var folder = Path.GetDirectoryName(path)!;
        if (!IsRoot(folder) && !_live.ContainsKey(folder))
            throw new LitestreamException(LitestreamError.NotFound, $"cannot {step} {path}: no folder") { Path = path };
    }

    private void Journal(NameChange change) => _journal.Add(change);

    private void FlushNames(string folder)
    {
        foreach (var change in _journal.Where(c => c.IsIn(folder)).ToList())
        {
            Apply(change);
            _journal.Remove(change);
        }
    }

    private void Apply(NameChange change)
    {
        if (change.From is not null)
            _durable.Remove(change.From);
        if (change.To is not null)
            _durable[change.To] = change.Node!;
    }

    private void WriteTo(FileView view, long position, ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            view.Check();
            Step("write", view.Path);
            var end = position + bytes.Length;
            var growth = Math.Max(0, end - view.Node.Length);
            if (CapacityBytes is { } capacity && _live.Values.Sum(n => (long)n.Length) + growth > capacity)
                throw new LitestreamException(LitestreamError.DiskFull, $"cannot write {view.Path}: no space left on device")
                {
                    IsTransient = true,
                    Path = view.Path,
                };
            view.Node.SetLength((int)Math.Max(view.Node.Length, end));
            bytes.CopyTo(view.Node.Bytes[(int)position..]);
            view.Node.LastWrite = _time.GetUtcNow();
        }
    }
}
