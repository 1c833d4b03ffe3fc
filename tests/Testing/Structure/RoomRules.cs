namespace Testing.Structure;

/// <summary>Which room of a project may know which. Everything that is not allowed is forbidden.</summary>
/// <param name="projectNamespace">Namespace of the project's root; rooms are the namespaces below it.</param>
public sealed class RoomRules(string projectNamespace)
{
    private readonly Dictionary<string, HashSet<string>> _allowed = new(StringComparer.Ordinal);
    private readonly List<(string From, string To, string Reason)> _exceptions = [];
    private readonly Dictionary<string, string> _roomOfRootFile = new(StringComparer.Ordinal);

    /// <summary>A room and the rooms below it that it may know.</summary>
    public RoomRules Room(string room, params string[] mayKnow)
    {
        _allowed[room] = [.. mayKnow, room];
        return this;
    }

    /// <summary>Gives some files of the root a room of their own, by the start of their name.</summary>
    public RoomRules RootFiles(string room, params string[] nameStarts)
    {
        foreach (var start in nameStarts)
            _roomOfRootFile[start] = room;
        return this;
    }

    /// <summary>One arrow between two files that is right although the table forbids it.</summary>
    public RoomRules Except(string fromFile, string toFile, string reason)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(reason);
        _exceptions.Add((fromFile, toFile, reason));
        return this;
    }

    /// <summary>The forbidden arrows, each as one line that names both files; and the exceptions that nothing needs any more.</summary>
    public IReadOnlyList<string> Violations(IReadOnlyList<SourceFile> files)
    {
        var found = new List<string>();
        var used = new HashSet<(string, string, string)>();
        var homes = files
            .SelectMany(f => f.Declared.Select(type => (Type: type, File: f)))
            .ToLookup(p => p.Type, p => p.File, StringComparer.Ordinal);
        foreach (var file in files)
        {
            var room = RoomOf(file);
            if (!_allowed.TryGetValue(room, out var allowed))
            {
                found.Add($"{file}: room '{room}' is not on the plan");
                continue;
            }

            foreach (var (other, type) in Arrows(file, files, homes).DistinctBy(a => a.To))
            {
                if (allowed.Contains(RoomOf(other)))
                    continue;
                var exception = _exceptions.Find(e => e.From == file.Path && e.To == other.Path);
                if (exception.Reason is null)
                    found.Add($"{file} knows {type} of {other}: '{Show(room)}' may not know '{Show(RoomOf(other))}'");
                else
                    used.Add(exception);
            }
        }

        found.AddRange(_exceptions.Where(e => !used.Contains(e)).Select(e => $"{e.From} no longer knows {e.To}: remove the exception"));
        return found;
    }

    private IEnumerable<(SourceFile To, string Type)> Arrows(
        SourceFile file,
        IReadOnlyList<SourceFile> files,
        ILookup<string, SourceFile> homes
    )
    {
        foreach (var type in file.Mentioned)
        {
            foreach (var other in homes[type])
            {
                if (RoomOf(other) != RoomOf(file) && !homes[type].Any(h => RoomOf(h) == RoomOf(file)) && Sees(file, other.Room))
                    yield return (other, type);
            }
        }

        foreach (var room in files.Where(o => o.Room != SourceFile.Root && o.Room != file.Room).GroupBy(o => o.Room))
        {
            foreach (var type in file.Qualified(projectNamespace, room.Key))
            {
                if (room.FirstOrDefault(o => o.Declared.Contains(type)) is { } other)
                    yield return (other, $"{room.Key}.{type}");
            }

            // A using is an arrow even when no type of the room was recognised.
            if (Uses(file, room.Key) && !room.Any(o => o.Declared.Overlaps(file.Mentioned)))
                yield return (room.First(), $"the namespace {projectNamespace}.{room.Key}");
        }
    }

    // Types of the root are seen from every room below it; those of a room only by using.
    private bool Sees(SourceFile file, string room) => room == SourceFile.Root || Uses(file, room);

    private bool Uses(SourceFile file, string room)
    {
        var name = $"{projectNamespace}.{room}";
        return file.Usings.Any(u => u == name || u.StartsWith(name + ".", StringComparison.Ordinal));
    }

    private string RoomOf(SourceFile file)
    {
        if (file.Room != SourceFile.Root)
            return file.Room;
        var start = _roomOfRootFile.Keys.Where(k => file.Path.StartsWith(k, StringComparison.Ordinal)).MaxBy(k => k.Length);
        return start is null ? SourceFile.Root : _roomOfRootFile[start];
    }

    private static string Show(string room) => room.Length == 0 ? "root" : room;
}
