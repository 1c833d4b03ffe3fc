using Litestream.Replication;

namespace Datasette.Litestream.Status;

/// <summary>
/// Decides whether data is safe. Pure. "Safe" means: every commit is in at least one replica, or younger than <see cref="LagLimit"/>
/// and on its way. Nothing is called stored that its store has not confirmed.
/// </summary>
internal static class VerdictPolicy
{
    /// <summary>A transaction on its way to a healthy replica for less than this is not yet a reason for alarm.</summary>
    public static readonly TimeSpan LagLimit = TimeSpan.FromSeconds(10);

    /// <summary>Whether one database is safe, and if not, why.</summary>
    /// <param name="status">Its state; null when the engine does not know it (any more).</param>
    /// <param name="name">Its name in the host.</param>
    /// <param name="now">The moment.</param>
    /// <returns>Null when safe; else a sentence without its full stop.</returns>
    public static string? Danger(DatabaseStatus? status, string name, DateTimeOffset now)
    {
        if (status is null)
            return $"{name} is not being replicated";
        if (status.Replicas.Count == 0)
            return $"{name} has no replica";
        if (Best(status) is not { } best || best.Txid.Value == 0)
            return Unstarted(status, name);
        var lag = now - (best.OldestPending ?? now);
        if (best.PendingTransactions > 0 && (lag > LagLimit || IsBad(best.State)))
            return $"The last {StatusText.Span(lag)} of {name} {(lag < TimeSpan.FromSeconds(2) ? "is" : "are")} in no replica";
        return status.State switch
        {
            ReplicationState.Current or ReplicationState.CatchingUp => null,
            ReplicationState.Starting => status.LastSync is null
                ? $"{name} has not been read yet, newer commits than its replica may exist"
                : null,
            _ => $"Commits to {name} since {StatusText.Clock(status.LastSync ?? status.Since, now)} UTC may be in no replica",
        };
    }

    /// <summary>The replica that has come furthest; null when there is none.</summary>
    public static ReplicaStatus? Best(DatabaseStatus status) =>
        status.Replicas.OrderByDescending(replica => replica.Txid.Value).ThenBy(replica => replica.PendingTransactions).FirstOrDefault();

    /// <summary>States in which a replica does not move on by itself.</summary>
    public static bool IsBad(ReplicationState state) =>
        state is ReplicationState.Failing or ReplicationState.Fenced or ReplicationState.Blocked or ReplicationState.Stopped;

    /// <summary>The whole answer.</summary>
    public static Verdict Decide(
        IReadOnlyList<(string Name, DatabaseStatus? Status)> databases,
        IReadOnlyList<string> notReplicated,
        DateTimeOffset now
    )
    {
        var dangers = databases.Select(pair => Danger(pair.Status, pair.Name, now)).OfType<string>().ToList();
        var replicas = databases
            .SelectMany(pair => (pair.Status?.Replicas ?? []).Select(replica => (pair.Name, Replica: replica)))
            .ToList();
        var faults = replicas.Where(pair => IsBad(pair.Replica.State)).ToList();
        var detail = Detail(databases, replicas, dangers.Skip(1), dangers.Count > 0 ? faults : faults.Skip(1), notReplicated, now);
        if (databases.Count == 0)
            return new Verdict(Tone.Warn, "Nothing is replicated", "No attached database has a replica.", detail);
        if (dangers.Count > 0)
            return new Verdict(Tone.Bad, "Not safe", dangers[0] + ".", detail);
        var newest = replicas.Max(pair => pair.Replica.LastUpload);
        var arrived = newest is { } time
            ? $"the newest file arrived {StatusText.Ago(time, now)}"
            : "nothing had to be stored since the start";
        return faults.Count > 0
            ? new Verdict(
                Tone.Warn,
                "Safe, but",
                $"{Fault(faults[0].Name, faults[0].Replica, now)}.",
                $"Every commit is in another replica; {arrived}. {detail}".TrimEnd()
            )
            : new Verdict(Tone.Ok, "Safe", $"Every commit is in a replica; {arrived}.", detail);
    }

    /// <summary>What would be gone if this machine vanished and its replicas did not.</summary>
    public static Loss Lost(IReadOnlyList<(string Name, DatabaseStatus? Status)> databases)
    {
        var (names, transactions, bytes) = (new List<string>(), 0L, 0L);
        DateTimeOffset? since = null;
        var whole = new List<string>();
        foreach (var (name, status) in databases)
        {
            if (status is null || Best(status) is not { } best || best.Txid.Value == 0)
            {
                whole.Add(name);
                continue;
            }
            if (best.PendingTransactions == 0)
                continue;
            names.Add(name);
            transactions += best.PendingTransactions;
            bytes += best.PendingBytes;
            since = best.OldestPending is { } oldest && (since is null || oldest < since) ? oldest : since;
        }
        if (whole.Count > 0)
            return new Loss($"all of {Join(whole)}", since, bytes);
        return names.Count == 0
            ? new Loss("nothing", null, 0)
            : new Loss($"{StatusText.Count(transactions, "transaction")} of {Join(names)}", since, bytes);
    }

    private static string Unstarted(DatabaseStatus status, string name)
    {
        if (IsBad(status.State))
            return $"{name} cannot be read: {status.Cause ?? "no cause known"}";
        if (status.Replicas.FirstOrDefault(replica => IsBad(replica.State)) is { } failing)
            return $"Nothing of {name} is known to be stored: {failing.Name} is {StatusWords.Of(failing.State).Word}";
        return status.Replicas.All(replica => replica.State == ReplicationState.Starting)
            ? $"What is stored of {name} is not known yet"
            : $"The first copy of {name} is not stored yet";
    }

    private static string Fault(string database, ReplicaStatus replica, DateTimeOffset now) =>
        $"{replica.Name} of {database} is {StatusWords.Of(replica.State).Word} since {StatusText.Clock(replica.Since, now)} UTC";

    private static string Detail(
        IReadOnlyList<(string Name, DatabaseStatus? Status)> databases,
        List<(string Name, ReplicaStatus Replica)> replicas,
        IEnumerable<string> dangers,
        IEnumerable<(string Name, ReplicaStatus Replica)> faults,
        IReadOnlyList<string> notReplicated,
        DateTimeOffset now
    )
    {
        var sentences = new List<string>();
        if (replicas.Count > 0)
            sentences.Add(
                $"{replicas.Count(pair => pair.Replica.State == ReplicationState.Current)} of {StatusText.Count(replicas.Count, "replica")} in sync"
            );
        sentences.AddRange(dangers);
        sentences.AddRange(faults.Take(3).Select(pair => Fault(pair.Name, pair.Replica, now)));
        var local = databases.Where(pair => IsOnThisMachineOnly(pair.Status)).ToList();
        if (local.Count > 0)
            sentences.Add(
                $"{Join(local.Select(pair => pair.Name))} {(local.Count == 1 ? "has" : "have")} copies on a disk of this machine only"
            );
        if (notReplicated.Count > 0)
            sentences.Add($"{Join(notReplicated)} {(notReplicated.Count == 1 ? "is" : "are")} not replicated");
        return string.Concat(sentences.Distinct().Select(sentence => sentence + ". ")).TrimEnd();
    }

    /// <summary>There is a copy, but each confirmed one is a folder.</summary>
    private static bool IsOnThisMachineOnly(DatabaseStatus? status)
    {
        var holding = (status?.Replicas ?? []).Where(replica => replica.Txid.Value > 0).ToList();
        return holding.Count > 0 && holding.All(replica => replica.Kind == "file");
    }

    private static string Join(IEnumerable<string> names)
    {
        var list = names.ToList();
        return list.Count switch
        {
            0 => "",
            1 => list[0],
            <= 4 => string.Join(", ", list[..^1]) + " and " + list[^1],
            _ => string.Join(", ", list[..3]) + $" and {list.Count - 3} more",
        };
    }
}
