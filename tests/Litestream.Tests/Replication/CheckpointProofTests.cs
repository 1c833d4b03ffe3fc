using Litestream.Replication;
using Xunit;

namespace Litestream.Tests.Replication;

/// <summary>The sample of moved pages: which pages it knows, and what it says about a file.</summary>
public sealed class CheckpointProofTests
{
    private readonly Dictionary<uint, byte[]> _file = [];
    private readonly CheckpointProof _proof = new();

    [Fact]
    public void SamePages_NothingIsWrong_AndTheSampleIsBounded()
    {
        for (uint i = 1; i <= 500; i++)
            Copy(i, (byte)i);
        var read = 0;
        var wrong = _proof.Compare(
            (n, page) =>
            {
                read++;
                _file[n].CopyTo(page);
            },
            8,
            500
        );
        Assert.Empty(wrong);
        Assert.Equal(CheckpointProof.MostPages, read);
    }

    [Fact]
    public void NewestVersionCounts_AlsoOfPagesThatWereInTheSampleBefore()
    {
        for (byte version = 0; version < 9; version++)
        for (uint i = 1; i <= 40; i++)
            Copy(i, version);
        Assert.Empty(_proof.Compare(Read, 8, 40));
    }

    [Fact]
    public void LostPage_IsNamed_ButNotOneThatWasCutOff()
    {
        for (uint i = 1; i <= 10; i++)
            Copy(i, 1);
        _file[3] = new byte[8];
        _file[7] = new byte[8];
        _file[10] = new byte[8];
        Assert.Equal([3, 7], _proof.Compare(Read, 8, 9));
        Assert.Empty(_proof.Compare(Read, 8, 9)); // a new sample begins
    }

    [Fact]
    public void EveryPageHasAChance()
    {
        var seen = new HashSet<uint>();
        for (var round = 0; round < 300; round++)
        {
            for (uint i = 1; i <= 60; i++)
                Copy(i, 1);
            _proof.Compare(
                (n, page) =>
                {
                    seen.Add(n);
                    _file[n].CopyTo(page);
                },
                8,
                60
            );
        }
        Assert.Equal(60, seen.Count);
    }

    private void Copy(uint page, byte content)
    {
        _file[page] = [content, 1, 2, 3, 4, 5, 6, (byte)page];
        _proof.Observe(page, _file[page]);
    }

    private void Read(uint number, Span<byte> page) => _file[number].CopyTo(page);
}
