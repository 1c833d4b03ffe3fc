namespace Litestream.Sqlite;

/// <summary>The two salts that mark one life of a WAL: from one restart to the next. Both 0: the WAL was never written.</summary>
internal readonly record struct WalSalt(uint Salt1, uint Salt2)
{
    internal static WalSalt None => default;

    internal bool IsNone => Salt1 == 0 && Salt2 == 0;

    public override string ToString() => $"{Salt1:x8}-{Salt2:x8}";
}
