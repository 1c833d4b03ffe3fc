namespace Testing.Structure;

/// <summary>Finds circles of files inside a room: a set of files each of which leads to each other by the types they mention.</summary>
public static class FileCircles
{
    /// <summary>Every circle, as the sorted paths of its files. A partial type makes its files one.</summary>
    public static IReadOnlyList<IReadOnlyList<string>> Find(IReadOnlyList<SourceFile> files)
    {
        var circles = new List<IReadOnlyList<string>>();
        foreach (var room in files.GroupBy(f => f.Room, StringComparer.Ordinal))
            circles.AddRange(FindInRoom([.. room]));
        return circles;
    }

    /// <summary>The circles that are not on a list, one line each; and the lines of the list that are no circle any more.</summary>
    /// <param name="files">The sources of a project.</param>
    /// <param name="allowed">The circle's files, parted by blanks, and why it is right. Lines of other projects' files are passed over.</param>
    public static IReadOnlyList<string> Unlisted(IReadOnlyList<SourceFile> files, IReadOnlyDictionary<string, string> allowed)
    {
        var circles = Find(files).Select(c => string.Join(' ', c)).ToList();
        var present = files.Select(f => f.Path).ToHashSet(StringComparer.Ordinal);
        var gone = allowed.Keys.Where(line => line.Split(' ').All(present.Contains) && !circles.Contains(line));
        return
        [
            .. circles.Where(c => !allowed.ContainsKey(c)).Select(c => $"{c}\n{Explain(files, c.Split(' '))}"),
            .. gone.Select(line => $"{line}: no circle any more, take it off the list"),
        ];
    }

    private static string Explain(IReadOnlyList<SourceFile> files, string[] circle)
    {
        var members = files.Where(f => circle.Contains(f.Path)).ToList();
        return string.Join(
            '\n',
            from a in members
            from b in members
            where a != b && !a.Declared.Overlaps(b.Declared)
            from type in b.Declared.Intersect(a.Mentioned).Take(1)
            select $"    {a} -> {type} of {b}"
        );
    }

    private static IEnumerable<IReadOnlyList<string>> FindInRoom(SourceFile[] files)
    {
        var node = JoinPartials(files);
        var edges = new HashSet<int>[files.Length];
        for (var i = 0; i < files.Length; i++)
        {
            edges[node[i]] ??= [];
            for (var j = 0; j < files.Length; j++)
            {
                if (node[i] != node[j] && files[j].Declared.Overlaps(files[i].Mentioned) && !files[j].Declared.Overlaps(files[i].Declared))
                    edges[node[i]].Add(node[j]);
            }
        }

        foreach (var circle in StrongComponents(edges).Where(c => c.Count > 1))
        {
            IReadOnlyList<string> paths =
            [
                .. Enumerable.Range(0, files.Length).Where(i => circle.Contains(node[i])).Select(i => files[i].Path),
            ];
            yield return paths;
        }
    }

    private static int[] JoinPartials(SourceFile[] files)
    {
        var node = Enumerable.Range(0, files.Length).ToArray();
        for (var i = 0; i < files.Length; i++)
        {
            for (var j = 0; j < i; j++)
            {
                if (files[i].Declared.Overlaps(files[j].Declared))
                {
                    var (from, to) = (node[i], node[j]);
                    for (var k = 0; k <= i; k++)
                        node[k] = node[k] == from ? to : node[k];
                }
            }
        }

        return node;
    }

    // Tarjan.
    private static List<HashSet<int>> StrongComponents(HashSet<int>?[] edges)
    {
        var index = new int[edges.Length];
        var low = new int[edges.Length];
        var stack = new Stack<int>();
        var onStack = new bool[edges.Length];
        var components = new List<HashSet<int>>();
        var next = 0;

        void Visit(int v)
        {
            index[v] = low[v] = ++next;
            stack.Push(v);
            onStack[v] = true;
            foreach (var w in edges[v] ?? [])
            {
                if (index[w] == 0)
                {
                    Visit(w);
                    low[v] = Math.Min(low[v], low[w]);
                }
                else if (onStack[w])
                {
                    low[v] = Math.Min(low[v], index[w]);
                }
            }

            if (low[v] != index[v])
                return;
            var component = new HashSet<int>();
            int member;
            do
            {
                member = stack.Pop();
                onStack[member] = false;
                component.Add(member);
            } while (member != v);
            components.Add(component);
        }

        for (var v = 0; v < edges.Length; v++)
        {
            if (index[v] == 0)
                Visit(v);
        }

        return components;
    }
}
