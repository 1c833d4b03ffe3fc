using System.Globalization;

namespace Litestream.Restore.V3;

/// <summary>From a wish to the objects of a backup of Litestream 0.3 that fulfil it. Pure; prefers an error to an older state than was asked for.</summary>
internal static class V3Planner
{
    /// <summary>Decides.</summary>
    /// <exception cref="LitestreamException">
    /// <see cref="LitestreamError.NotFound"/>: not that state; <see cref="LitestreamError.Gap"/>: a WAL index before it is missing;
    /// <see cref="LitestreamError.InvalidConfiguration"/>: a wish that contradicts itself.
    /// </exception>
    public static V3Plan Plan(V3Backup backup, RestoreTarget target)
    {
        Check(target);
        var generations = Generations(backup, target);
        var snapshot =
            generations
                .SelectMany(g => g.Snapshots.Select(s => (Snapshot: s, Generation: g)))
                .Where(c => !(c.Snapshot.Timestamp > target.Timestamp) && !(c.Snapshot.Index > target.Index))
                .OrderBy(c => target.Index is null ? c.Snapshot.Timestamp : default)
                .ThenBy(c => c.Generation.Newest)
                .ThenBy(c => c.Snapshot.Index)
                .Select(c => c.Snapshot)
                .LastOrDefault()
            ?? throw NoSnapshot(backup, generations, target);
        var following = generations.Single(g => g.Name == snapshot.Generation).Segments.Where(s => s.Index >= snapshot.Index).ToList();
        if (target.Index is { } index && index != snapshot.Index && following.All(s => s.Index < index))
            throw NotFound(
                $"generation {snapshot.Generation} has no WAL index {index:x8}",
                following.Count == 0 ? $"its last one is {snapshot.Index:x8}" : $"its last one is {following[^1].Index:x8}"
            );
        // Up to the first one that is too new: to leave out only that one would leave a hole.
        var wanted = following.TakeWhile(s => !(s.Index > target.Index) && !(s.Timestamp > target.Timestamp)).ToList();
        var passed = following.Skip(wanted.Count + 1).Any(s => s.Timestamp <= target.Timestamp) ? following[wanted.Count] : null;
        var plan = new V3Plan(snapshot, wanted, passed);
        ThrowOnMissingIndex(plan);
        return plan;
    }

    private static void Check(RestoreTarget target)
    {
        if (target.Index is null)
            return;
        if (target.Timestamp is not null)
            throw new LitestreamException(LitestreamError.InvalidConfiguration, "restore either to a WAL index or to a time, not to both");
        if (target.Generation is null)
            throw new LitestreamException(LitestreamError.InvalidConfiguration, "a WAL index needs its generation")
            {
                Hint = "each generation counts from 0; 'litestream generations' lists them",
            };
    }

    private static IReadOnlyList<V3Generation> Generations(V3Backup backup, RestoreTarget target)
    {
        if (backup.IsEmpty)
            throw NotFound("no backup of Litestream 0.3: the replica holds no generations", null);
        if (target.Generation is not { } name)
            return backup.Generations;
        return backup.Generations.FirstOrDefault(g => g.Name == name) is { } found
            ? [found]
            : throw NotFound(
                $"generation {name} is not in this replica",
                $"it has {string.Join(", ", backup.Generations.Select(g => g.Name))}"
            );
    }

    private static LitestreamException NoSnapshot(V3Backup backup, IReadOnlyList<V3Generation> generations, RestoreTarget target)
    {
        var oldest = backup.Generations.SelectMany(g => g.Snapshots).MinBy(s => s.Timestamp);
        var hint = oldest is null ? null : $"the oldest state is {oldest} of {RestorePlan.Format(oldest.Timestamp)}";
        if (target.Index is { } index)
            return NotFound($"generation {generations[0].Name} has no snapshot up to WAL index {index:x8}", hint);
        if (target.Timestamp is { } time && generations.Any(g => g.Snapshots.Count > 0))
            return NotFound($"no snapshot from {RestorePlan.Format(time)} or before", hint);
        return NotFound($"no snapshot in {string.Join(", ", generations.Select(g => $"generation {g.Name}"))}", hint);
    }

    private static void ThrowOnMissingIndex(V3Plan plan)
    {
        var expected = (ulong)plan.Snapshot.Index;
        V3Segment? previous = null;
        foreach (var segment in plan.Segments)
        {
            if (segment.Index == previous?.Index)
                continue;
            if (segment.Index != expected)
                throw Gap(plan, $"WAL index {expected:x8} is missing, the next object is {segment}", previous);
            if (segment.Offset != 0)
                throw Gap(
                    plan,
                    $"the start of WAL index {segment.Index:x8} is missing (offset 00000000), the next object is {segment}",
                    previous
                );
            previous = segment;
            expected++;
        }
    }

    private static LitestreamException Gap(V3Plan plan, string message, V3Segment? before) =>
        new(LitestreamError.Gap, string.Create(CultureInfo.InvariantCulture, $"generation {plan.Generation}: {message}"))
        {
            Hint = before is null
                ? "an older state may be there: 'litestream snapshots' lists them"
                : $"an older state: -generation {before.Generation} -index {before.Index:x8}",
        };

    private static LitestreamException NotFound(string message, string? hint) => new(LitestreamError.NotFound, message) { Hint = hint };
}
