using System.Globalization;
using System.Text;
using Litestream.IO;
using Litestream.Ltx;

namespace Litestream.Restore;

/// <summary>The file <c>OUT-txid</c> beside a followed database: the transaction it holds, 16 hex digits and a line feed, as Litestream writes it.</summary>
/// <remarks>
/// It is written after the change that it tells of, and a process may die in between. Then the database is ahead of it, and to apply the same files again
/// is right only as far as they were applied before: any less leaves old pages among new ones. So each change is announced in <c>OUT-txid-next</c> before:
/// the transaction, and the change counter that the database will have with it. The counter in the database then tells whether it came to pass.
/// </remarks>
internal sealed class TxidSidecar(DurableFiles files, string database)
{
    public const string Suffix = "-txid";

    private const string NextSuffix = "-next";

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

    /// <summary>True when changes are announced, so that <see cref="ReadAnnounced"/> is the whole truth.</summary>
    public bool HasAnnounced => files.FileExists(NextPath);

    private string NextPath => Path + NextSuffix;

    /// <summary>The transaction that was announced for this change counter; null when none was, or for another one: then that change did not happen.</summary>
    public Txid? ReadAnnounced(uint changeCounter)
    {
        // A torn one was being written: its change had not begun.
        var text = files.Stat(NextPath) is { SizeBytes: > MaxSize } ? null : files.ReadAllText(NextPath);
        return
            text?.TrimEnd('\n').Split(' ') is [var txid, { Length: 8 } counter]
            && Txid.TryParse(txid, out var announced)
            && uint.TryParse(counter, NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var expected)
            && expected == changeCounter
            ? announced
            : null;
    }

    /// <summary>Tells beforehand which transaction the database holds once its change counter is this one; durable when this returns.</summary>
    public async Task AnnounceAsync(Txid txid, uint changeCounter, CancellationToken cancellationToken)
    {
        // In place: what stood there has come to pass and is in the other file, or never will.
        var isNew = !files.FileExists(NextPath);
        var stream = files.Create(NextPath);
        await using (stream.ConfigureAwait(false))
        {
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"{txid} {changeCounter:x8}\n"), cancellationToken).ConfigureAwait(false);
            await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
            files.Flush(stream);
        }
        if (isNew)
            files.FlushDirectory(System.IO.Path.GetDirectoryName(NextPath)!);
    }

    /// <summary>Forgets what was announced, for a database that is made anew.</summary>
    public void ForgetAnnounced() => files.Delete(NextPath);

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
