namespace Litestream.Ltx;

/// <summary>The order that pages must have in a file: ascending, within the database, never the lock page; in snapshots without a gap.</summary>
internal struct LtxPageOrder(LtxHeader header)
{
    private readonly uint _commit = header.Commit;
    private readonly uint _lockPage = header.LockPage;
    private readonly bool _isSnapshot = header.IsSnapshot;
    private uint _last;

    /// <summary>Takes the next page; the rule it breaks as text, null when none.</summary>
    public string? Next(uint pageNumber)
    {
        if (pageNumber > _commit)
            return $"page {pageNumber} lies beyond the database of {_commit} pages";
        if (pageNumber == _lockPage)
            return $"page {pageNumber} is the lock page, which is never stored";
        if (_isSnapshot && pageNumber != After(_last))
            return $"page {pageNumber} stands where a snapshot needs page {After(_last)}";
        if (pageNumber <= _last)
            return $"page {pageNumber} follows page {_last}: pages must ascend";
        _last = pageNumber;
        return null;
    }

    /// <summary>Ends the pages; the rule that is broken as text, null when none.</summary>
    public readonly string? End()
    {
        if (!_isSnapshot)
            return null;
        var next = After(_last);
        // 0: the last possible page number was reached.
        return next != 0 && next <= _commit ? $"the snapshot ends before page {next} of {_commit}" : null;
    }

    private readonly uint After(uint pageNumber) => pageNumber + 1 == _lockPage ? pageNumber + 2 : pageNumber + 1;
}
