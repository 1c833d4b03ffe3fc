using System.Text;
using Litestream.Cli;
using Litestream.Cli.Commands;
using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Restore;
using Litestream.Restore.V3;
using Litestream.S3;
using Litestream.Sqlite;
using Litestream.Tests.Restore.V3;

namespace Litestream.Tests.Fuzz;

/// <summary>Names, addresses and other small texts.</summary>
internal static partial class FuzzTargets
{
    private static FuzzTarget LtxNames() =>
        new(
            "ltx-names",
            [
                Keys((9, 1, 16), (1, 17, 32), (1, 33, 48), (0, 49, 49), (0, 50, 50)),
                Keys((9, 1, 16), (9, 1, 40), (2, 1, 30), (1, 20, 60), (0, 17, 17), (0, 61, 61), (0, 255, ulong.MaxValue)),
                Keys((0, 1, 1), (0, 2, 2), (0, 5, 5)),
            ],
            text =>
            {
                var client = new ReplicaClient(new NamesStore(Encoding.Latin1.GetString(text).Split('\n')), ReplicaLayout.Folders);
                var points = Wait(RestorePlanner.ListPointsAsync(client, TimestampAccuracy.Listing, CancellationToken.None));
                var listing = new ReplicaListing(client, TimeProvider.System);
                listing.LoadAsync(CancellationToken.None).GetAwaiter().GetResult();
                if (points.Count > 0 && listing.Reach() < points[^1].Txid)
                    throw new InvalidOperationException($"points up to {points[^1].Txid}, but reach {listing.Reach()}");
                RestoreTarget[] targets =
                [
                    RestoreTarget.Latest,
                    new(points.Count > 0 ? points[text.Length % points.Count].Txid : Txid.First),
                    new(new Txid(17)),
                    new(new Txid(ulong.MaxValue)),
                ];
                var plan = Wait(RestorePlanner.PlanFilesAsync(client, targets[text.Length % targets.Length], CancellationToken.None));
                var reach = 0ul;
                foreach (var file in plan.Files)
                {
                    if (file.MinTxid.Value - 1 > reach || file.MaxTxid.Value <= reach)
                        throw new InvalidOperationException($"{file.FileName} does not follow {reach:x16}");
                    reach = file.MaxTxid.Value;
                }
            }
        );

    private static byte[] Keys(params (int Level, ulong Min, ulong Max)[] files) =>
        Encoding.Latin1.GetBytes(
            string.Join('\n', files.Select(f => ReplicaLayout.Folders.Key(f.Level, new Txid(f.Min), new Txid(f.Max))))
        );

    private static FuzzTarget V3Names() =>
        new(
            "v3-names",
            [
                Encoding.Latin1.GetBytes(
                    string.Join(
                        '\n',
                        V3Sample.SnapshotKey(V3Sample.A, 0),
                        V3Sample.SegmentKey(V3Sample.A, 0, 0),
                        V3Sample.SegmentKey(V3Sample.A, 0, 4152)
                    )
                ),
                Encoding.Latin1.GetBytes(
                    string.Join(
                        '\n',
                        V3Sample.SnapshotKey(V3Sample.B, 255),
                        V3Sample.SegmentKey(V3Sample.B, 255, 0),
                        V3Sample.SegmentKey(V3Sample.B, 256, 0)
                    )
                ),
            ],
            text =>
            {
                var backup = Wait(V3Backup.ListAsync(new NamesStore(Encoding.Latin1.GetString(text).Split('\n')), CancellationToken.None));
                RestoreTarget[] targets =
                [
                    RestoreTarget.Latest,
                    new() { Generation = V3Sample.A, Index = 0 },
                    new() { Generation = V3Sample.B, Index = uint.MaxValue },
                    new(Timestamp: DateTimeOffset.UnixEpoch),
                ];
                V3Planner.Plan(backup, targets[text.Length % targets.Length]);
            }
        );

    private static FuzzTarget Url() =>
        new(
            "url",
            [
                "s3://bucket/path?endpoint=http://h:1&region=us-east-1&partSize=5"u8.ToArray(),
                "file:///var/lib/a%20b"u8.ToArray(),
                "sftp://user:pass%40@host:22/a/../b//c"u8.ToArray(),
                "abs://account@container/x"u8.ToArray(),
                "../relative/folder"u8.ToArray(),
            ],
            bytes =>
            {
                var url = ReplicaUrl.Parse(Encoding.UTF8.GetString(bytes), "/base");
                _ = url.ToString();
                _ = ReplicaUrl.Parse(Encoding.Latin1.GetString(bytes), "/base").GetHashCode();
            }
        );

    private static FuzzTarget S3SettingsOfUrl() =>
        new(
            "s3-settings",
            [
                "s3://bucket/path?endpoint=http://h:1&region=us-east-1&part-size=5MB&concurrency=3&force-path-style=true"u8.ToArray(),
                "s3://bucket.localhost:9000/path?skip-verify=true&sign-payload=false&storage-class=STANDARD_IA"u8.ToArray(),
                "s3://bucket.s3.eu-west-1.amazonaws.com/path?sse-kms-key-id=x"u8.ToArray(),
                "s3://bucket.nyc3.digitaloceanspaces.com/a?access-key-id=a&secret-access-key=b"u8.ToArray(),
                "s3://arn:aws:s3:us-east-1:123456789012:accesspoint/name/path"u8.ToArray(),
                "s3://b/x?endpoint=https://x.r2.cloudflarestorage.com&sse-customer-key=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="u8.ToArray(),
            ],
            bytes =>
            {
                var url = ReplicaUrl.Parse(Encoding.UTF8.GetString(bytes), "/base");
                if (url.Scheme != "s3")
                    return;
                _ = S3Options.Create(new ReplicaOptions { Url = url }, _ => null).Location;
            }
        );

    private static FuzzTarget Texts() =>
        new(
            "texts",
            [
                "000000000000000a"u8.ToArray(),
                "000000000000000a/8000000000000000"u8.ToArray(),
                "0000000000000001-00000000000000ff.ltx"u8.ToArray(),
                "2026-01-31T12:00:00.123456789Z"u8.ToArray(),
                "2026-01-31T12:00:00.5+01:00"u8.ToArray(),
                "1h30m5.5s200ms"u8.ToArray(),
                "15m ago"u8.ToArray(),
                "1: POSIX  ADVISORY  WRITE 4242 fd:01:1234567 1073741824 1073742335"u8.ToArray(),
                "2: POSIX  ADVISORY  READ 17 00:2a:99 123 EOF"u8.ToArray(),
                "[::1]:9090"u8.ToArray(),
            ],
            bytes =>
            {
                var text = Encoding.UTF8.GetString(bytes);
                _ = Txid.TryParse(text, out _);
                _ = LtxPosition.TryParse(text, out _);
                _ = LtxFileInfo.TryParseFileName(text, out _, out _);
                _ = StoredTimestamp.TryParse(text, out _);
                _ = GoDuration.TryParse(text, out _);
                _ = LockHolders.Parse(text);
                try
                {
                    RestoreTime.Parse(text, TimeProvider.System);
                }
                catch (CliException)
                {
                    // The command line's own kind of typed error.
                }
                if (text.Contains(':', StringComparison.Ordinal))
                    MetricsServer.CheckAddress(text);
            }
        )
        {
            ShortRun = 5000,
        };
}
