using Litestream.Ltx;
using Litestream.Replicas;

namespace Litestream.Replication;

/// <summary>What a replica needs of its database.</summary>
/// <param name="Name">The database's path, for messages.</param>
/// <param name="Files">The local files to upload.</param>
/// <param name="WriteSnapshot">Writes the whole database at its present position to a replica; tells that position before it begins.</param>
/// <param name="GoOnBehind">Tells the database to go on behind a transaction, with a new run.</param>
/// <param name="Sync">Copies what is to be copied into local files now.</param>
internal sealed record ReplicaFeed(
    string Name,
    LocalFiles Files,
    Func<ReplicaClient, Action<Txid>, CancellationToken, Task<LtxFileInfo>> WriteSnapshot,
    Action<Txid> GoOnBehind,
    Func<CancellationToken, Task> Sync
);
