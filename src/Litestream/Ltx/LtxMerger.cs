namespace Litestream.Ltx;

/// <summary>Merges LTX files of neighbouring transactions into one: of each page the newest, none beyond the final size.</summary>
/// <remarks>
/// The inputs stay the caller's, to be disposed by him. Every input is read to its end and proved before the merge reports its own end.
/// Defects are <see cref="LitestreamException"/>: <see cref="LitestreamError.Corrupt"/>, or <see cref="LitestreamError.Gap"/> when transactions are missing between two inputs.
/// </remarks>
public static class LtxMerger
{
    /// <summary>Writes the merge as an LTX file without checksums of the database, as Litestream does.</summary>
    /// <param name="inputsAscending">At least one, in the order of their transactions, none read from yet.</param>
    /// <param name="output">Where to; written from its position on, flushed, left open.</param>
    /// <param name="legacyPageFrames">See <see cref="LtxEncoder"/>.</param>
    /// <param name="cancellationToken">Ends the merge; what is in <paramref name="output"/> is then of no use.</param>
    /// <returns>The header of the file written.</returns>
    public static async Task<LtxHeader> MergeAsync(
        IReadOnlyList<LtxDecoder> inputsAscending,
        Stream output,
        bool legacyPageFrames,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(output);
        using var pages = Open(inputsAscending);
        if (pages.Header.Commit == 0)
            throw new LitestreamException(
                LitestreamError.Corrupt,
                "merge of LTX files: the last one empties the database, which a file without checksums cannot say"
            );
        var encoder = new LtxEncoder(output, pages.Header, legacyPageFrames);
        await using (encoder.ConfigureAwait(false))
        {
            while (await pages.MoveNextAsync(cancellationToken).ConfigureAwait(false))
                await encoder.WritePageAsync(pages.PageNumber, pages.Page, cancellationToken).ConfigureAwait(false);
            await encoder.FinishAsync(cancellationToken).ConfigureAwait(false);
        }
        return pages.Header;
    }

    /// <summary>Starts a merge whose pages the caller takes one by one. Checks the headers beside one another; reads nothing yet.</summary>
    /// <param name="inputsAscending">At least one, in the order of their transactions, none read from yet.</param>
    /// <exception cref="ArgumentException">No inputs.</exception>
    public static LtxMergedPages Open(IReadOnlyList<LtxDecoder> inputsAscending)
    {
        ArgumentNullException.ThrowIfNull(inputsAscending);
        if (inputsAscending.Count == 0)
            throw new ArgumentException("A merge needs at least one input.", nameof(inputsAscending));
        for (var i = 1; i < inputsAscending.Count; i++)
            CheckNeighbours(inputsAscending[i - 1].Header, inputsAscending[i].Header);
        return new LtxMergedPages([.. inputsAscending]);
    }

    /// <summary>Throws when a file cannot follow another one: other page size, missing transactions, or nothing new.</summary>
    internal static void CheckNeighbours(LtxHeader before, LtxHeader next)
    {
        var names = $"{before.MinTxid}-{before.MaxTxid} and {next.MinTxid}-{next.MaxTxid}";
        if (before.PageSize != next.PageSize)
            throw new LitestreamException(
                LitestreamError.Corrupt,
                $"LTX files {names} have page sizes {before.PageSize} and {next.PageSize}"
            );
        if (next.MinTxid.Value - 1 > before.MaxTxid.Value)
            throw new LitestreamException(LitestreamError.Gap, $"transactions are missing between LTX files {names}")
            {
                MinTxid = before.MaxTxid.Next(),
                MaxTxid = next.MinTxid.Previous(),
            };
        if (next.MaxTxid <= before.MaxTxid)
            throw new LitestreamException(LitestreamError.Corrupt, $"LTX files {names} are not in order");
    }
}
