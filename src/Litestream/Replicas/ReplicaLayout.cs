using System.Globalization;
using Litestream.Ltx;

namespace Litestream.Replicas;

/// <summary>How LTX files are named in a store: the two layouts of Litestream 0.5.</summary>
public sealed class ReplicaLayout
{
    private readonly bool _hexLevels;

    private ReplicaLayout(bool hexLevels) => _hexLevels = hexLevels;

    /// <summary>Folders, GCS, Azure, SFTP, WebDAV, NATS: <c>ltx/LEVEL/MIN-MAX.ltx</c>, level in decimal.</summary>
    public static ReplicaLayout Folders { get; } = new(hexLevels: false);

    /// <summary>S3 and OSS: <c>LLLL/MIN-MAX.ltx</c>, level as four hex digits, no <c>ltx/</c>.</summary>
    public static ReplicaLayout Buckets { get; } = new(hexLevels: true);

    /// <summary>The common start of all keys of a level, ending with a slash.</summary>
    public string LevelPrefix(int level) =>
        _hexLevels
            ? string.Create(CultureInfo.InvariantCulture, $"{level:x4}/")
            : string.Create(CultureInfo.InvariantCulture, $"ltx/{level}/");

    /// <summary>The key of one file.</summary>
    public string Key(int level, Txid min, Txid max) => LevelPrefix(level) + LtxFileInfo.FormatFileName(min, max);
}
