using System.Globalization;
using Litestream.Ltx;
using Litestream.Restore;

namespace Litestream.Cli.Commands;

/// <summary>What a restore is asked to do, checked as far as the command line alone tells.</summary>
internal sealed record RestoreRequest
{
    public required Sources Sources { get; init; }

    public required string OutputPath { get; init; }

    public RestoreTarget Target { get; init; } = RestoreTarget.Latest;

    public IntegrityCheckMode IntegrityCheck { get; init; }

    public int Parallelism { get; init; } = 8;

    public bool IfReplicaExists { get; init; }

    public bool Force { get; init; }

    public static Txid? ParseTxid(string? text)
    {
        if (text is null)
            return null;
        if (!Txid.TryParse(text, out var txid))
            throw new FlagException($"invalid value \"{text}\" for flag -txid: invalid txid format")
            {
                Hint = "16 hex digits, for example -txid 000000000000000a; 'litestream ltx' lists them",
            };
        return !txid.IsNone
            ? txid
            : throw new CliException("-txid 0000000000000000 is no transaction") { Hint = "leave -txid out for the newest state" };
    }

    public static IntegrityCheckMode ParseIntegrityCheck(string? text) =>
        text switch
        {
            null or "none" => IntegrityCheckMode.None,
            "quick" => IntegrityCheckMode.Quick,
            "full" => IntegrityCheckMode.Full,
            _ => throw new CliException($"invalid -integrity-check value: {text}"),
        };

    public static int ParseParallelism(string? text) =>
        text is null ? 8
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0 ? number
        : throw new CliException($"invalid -parallelism value: {text}") { Hint = "-parallelism 8" };

    public static TimeSpan ParseFollowInterval(string? text) =>
        text is null ? TimeSpan.FromSeconds(1)
        : GoDuration.TryParse(text, out var interval) && interval > TimeSpan.Zero ? interval
        : throw new CliException($"invalid -follow-interval value: {text}") { Hint = "-follow-interval 1s" };
}
