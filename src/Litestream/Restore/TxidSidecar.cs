using System.Text;
using Litestream.IO;
using Litestream.Ltx;

namespace Litestream.Restore;

/// <summary>The file <c>OUT-txid</c> beside a followed database: the transaction it holds, 16 hex digits and a line feed, as Litestream writes it.</summary>
internal sealed class TxidSidecar(DurableFiles files, string database)
{
    public const string Suffix = "-txid";

    private const int MaxSize = 64;

    public string Path => database + Suffix;

    /// <summary>The transaction; null when there is no such file.</summary>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.Corrupt"/>: the file says something else than a transaction.</exception>
    public Txid? Read()
    {
        // Some blanks at most; what is longer is not read at all.
        var text = files.Stat(Path) is { SizeBytes: > MaxSize } ? "" : files.ReadAllText(Path);
        if (text is null)
            return null;
        return Txid.TryParse(text.AsSpan().TrimEnd(), out var txid) && !txid.IsNone
            ? txid
            : throw new LitestreamException(LitestreamError.Corrupt, $"{Path} does not hold a transaction (16 hex digits)")
            {
                Path = Path,
                Hint = $"which state {database} holds is unknown: remove both and restore anew",
            };
    }

    /// <summary>Replaces the file; durable when this returns.</summary>
    public Task WriteAsync(Txid txid, CancellationToken cancellationToken) =>
        AtomicFile.WriteAsync(
            files,
            Path,
            async (stream, cancel) =>
            {
                await stream.WriteAsync(Encoding.ASCII.GetBytes($"{txid}\n"), cancel).ConfigureAwait(false);
                return txid;
            },
            cancellationToken
        );
}
