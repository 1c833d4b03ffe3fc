using Litestream.Sqlite;

namespace Litestream.Replication;

/// <summary>How a session opens its source and decides what to copy. A simulation puts one with a planted bug in its place.</summary>
internal class SourceAccess
{
    internal virtual SourceConnection Open(string path, TimeSpan busyTimeout) => SourceConnection.Open(path, busyTimeout);

    /// <summary>As <see cref="SyncPlanner.Plan"/>.</summary>
    internal virtual SyncPlan Plan(SyncPosition? position, WalIndexHeader end, bool held, Func<bool> tailIsOurs) =>
        SyncPlanner.Plan(position, end, held, tailIsOurs);
}
