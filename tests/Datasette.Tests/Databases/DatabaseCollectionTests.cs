using Datasette.Databases;
using Testing;
using Xunit;

namespace Datasette.Tests.Databases;

public sealed class DatabaseCollectionTests : IDisposable
{
    private static readonly DatabaseOptions Options = new();
    private readonly TempFolder _folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task AddFile_SameStem_GetsANumber()
    {
        await using var databases = new DatabaseCollection();
        var names = new List<string>();
        databases.DatabaseAdded += d => names.Add(d.Name);
        foreach (var folder in (string[])["a", "b", "c"])
        {
            _folder.CreateFolder(folder);
            databases.AddFile(_folder.Combine(folder, "my data.v1.db"), Options, create: true);
        }

        databases.AddMemory(Options);
        Assert.Equal(["my data.v1", "my data.v1_2", "my data.v1_3", "_memory"], names);
        Assert.Equal("my+data~2Ev1_2", databases["my data.v1_2"]!.Route);
        Assert.Null(databases["nope"]);
        await databases.CheckAsync(Ct);
    }

    [Fact]
    public async Task AddFile_Create_MakesAnEmptyDatabaseInWalMode()
    {
        await using var databases = new DatabaseCollection();
        var database = databases.AddFile(_folder.Combine("new.db"), Options, create: true);
        Assert.Equal(4096, database.SizeBytes);
        Assert.Equal("wal", (await database.ExecuteAsync("pragma journal_mode", ct: Ct)).Scalar);
        Assert.Empty((await database.SchemaAsync(Ct)).Tables);
        Assert.Equal("ok", (await database.ExecuteAsync("pragma integrity_check", ct: Ct)).Scalar);
    }

    [Fact]
    [Trait("Rule", "P028")]
    public async Task AddFile_SameFileTwice_IsRefusedAlsoThroughALink()
    {
        await using var databases = new DatabaseCollection();
        var path = _folder.Combine("x.db");
        databases.AddFile(path, Options, create: true);
        var link = _folder.Combine("link.db");
        File.CreateSymbolicLink(link, path);
        var failure = Assert.Throws<StartupException>(() => databases.AddFile(link, Options));
        Assert.Equal($"Duplicate database file: '{link}' and '{path}' both refer to {path}", failure.Message);
    }

    [Fact]
    public void AddFile_MissingOrFolder_IsRefusedByName()
    {
        var databases = new DatabaseCollection();
        Assert.Contains("nope.db", Assert.Throws<StartupException>(() => databases.AddFile(_folder.Combine("nope.db"), Options)).Message);
        Assert.Contains("directory", Assert.Throws<StartupException>(() => databases.AddFile(_folder.Path, Options)).Message);
        var deep = Assert.Throws<StartupException>(() => databases.AddFile(_folder.Combine("no", "x.db"), Options, create: true));
        Assert.Contains("does not exist", deep.Message);
        Assert.Empty(databases);
    }

    [Fact]
    public async Task Check_FileThatIsNoDatabase_NamesIt()
    {
        await File.WriteAllTextAsync(_folder.Combine("text.db"), new string('x', 5000), Ct);
        await using var databases = new DatabaseCollection();
        databases.AddFile(_folder.Combine("text.db"), Options);
        var failure = await Assert.ThrowsAsync<StartupException>(() => databases.CheckAsync(Ct));
        Assert.Contains("text.db", failure.Message);
        Assert.Contains("is not a database", failure.Message);
    }

    [Fact]
    public async Task Check_EmptyFile_IsAnEmptyDatabase()
    {
        await File.WriteAllTextAsync(_folder.Combine("empty.db"), "", Ct);
        await using var databases = new DatabaseCollection();
        databases.AddFile(_folder.Combine("empty.db"), Options);
        await databases.CheckAsync(Ct);
        Assert.Equal(0, databases["empty"]!.SizeBytes);
    }

    [Fact]
    public async Task Remove_ClosesAndTells()
    {
        await using var databases = new DatabaseCollection();
        databases.AddMemory(Options, "a");
        string? removed = null;
        databases.DatabaseRemoved += d => removed = d.Name;
        Assert.True(await databases.RemoveAsync("a"));
        Assert.False(await databases.RemoveAsync("a"));
        Assert.Equal("a", removed);
        Assert.Empty(databases);
    }

    [Fact]
    public async Task AttachAll_LetsMemoryReadOthers_ButNotWrite()
    {
        await using var databases = new DatabaseCollection();
        var memory = databases.AddMemory(Options);
        foreach (var name in (string[])["one", "other db"])
        {
            var database = databases.AddFile(_folder.Combine(name + ".db"), Options, create: true);
            await database.WriteAsync(c => SqlStatement.Execute(c, $"create table t as select '{name}' as n"), Ct);
        }

        Assert.Empty(databases.AttachAll(memory));
        var rows = await memory.ExecuteAsync("select n from one.t union all select n from [other db].t", ct: Ct);
        Assert.Equal(["one", "other db"], rows.Rows.Select(r => r[0]));
        await Assert.ThrowsAsync<Microsoft.Data.Sqlite.SqliteException>(() => memory.ExecuteAsync("delete from one.t", ct: Ct));
    }

    [Fact]
    public async Task H016_Internal_HoldsTheCatalogue_AndFollowsChangesOnceASecond()
    {
        await using var databases = new DatabaseCollection();
        var data = databases.AddFile(_folder.Combine("data.db"), Options, create: true);
        await data.WriteAsync(c => SqlStatement.Execute(c, "create table t (a)"), Ct);
        var clock = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        await using var @internal = await InternalDatabase.OpenAsync(null, new DatabaseOptions { Time = clock }, Ct);
        await @internal.RefreshAsync(databases, Ct);
        Assert.Equal(
            [
                ["data", "t"],
            ],
            (await Catalogue(@internal)).Rows
        );
        await data.WriteAsync(c => SqlStatement.Execute(c, "create table u (a)"), Ct);
        await @internal.RefreshAsync(databases, Ct);
        Assert.Single((await Catalogue(@internal)).Rows);
        clock.Advance(TimeSpan.FromSeconds(1));
        await @internal.RefreshAsync(databases, Ct);
        Assert.Equal(2, (await Catalogue(@internal)).Rows.Count);
        await databases.RemoveAsync("data");
        await @internal.RefreshAsync(databases, Ct);
        Assert.Empty((await Catalogue(@internal)).Rows);
    }

    [Fact]
    public async Task Internal_InAFile_KeepsQueries()
    {
        var path = _folder.Combine("internal.db");
        await using (var first = await InternalDatabase.OpenAsync(path, ct: Ct))
        {
            await first.Database.WriteAsync(
                c => SqlStatement.Execute(c, "insert into queries (database_name, name, sql) values ('d', 'q', 'select 1')"),
                Ct
            );
        }

        await using var second = await InternalDatabase.OpenAsync(path, ct: Ct);
        Assert.Equal("q", (await second.Database.ExecuteAsync("select name from queries", ct: Ct)).Scalar);
    }

    private static Task<QueryResults> Catalogue(InternalDatabase @internal) =>
        @internal.Database.ExecuteAsync("select database_name, table_name from catalog_tables order by 1, 2", ct: Ct);
}
