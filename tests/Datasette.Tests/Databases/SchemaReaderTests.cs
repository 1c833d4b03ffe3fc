using Datasette.Databases;
using SQLitePCL;
using Testing;
using Xunit;

namespace Datasette.Tests.Databases;

public sealed class SchemaReaderTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Read_TablesViewsKeysAndColumns()
    {
        var schema = await ReadAsync(
            """
            create table pair (b text, a integer, c text default 'x''y' not null, g text generated always as (c || '!'), primary key (a, b)) without rowid;
            create table plain (x, y blob);
            create view v as select a, b as "odd name" from pair;
            create index on_c on pair (c);
            """
        );
        var pair = schema.Table("pair")!;
        Assert.Equal(["a", "b"], pair.PrimaryKeys);
        Assert.Equal(["a", "b"], pair.RowKeys);
        Assert.False(pair.IsRowidTable);
        Assert.Equal(["b", "a", "c", "g"], pair.ColumnNames);
        Assert.Equal(new ColumnInfo("c", "TEXT", true, "'x''y'", 0, 0), pair.Column("c")! with { Type = "TEXT" });
        Assert.Equal(2, pair.Column("g")!.Hidden);
        Assert.Equal(["CREATE INDEX on_c on pair (c)"], pair.Definition.Skip(1));
        var plain = schema.Table("plain")!;
        Assert.True(plain.UsesRowid);
        Assert.Equal(["rowid"], plain.RowKeys);
        Assert.Equal(["BLOB", "BLOB"], plain.Columns.Select(c => c.Affinity));
        var view = schema.View("v")!;
        Assert.Equal(["a", "odd name"], view.ColumnNames);
        Assert.Empty(view.RowKeys);
        Assert.Null(schema.Table("v"));
    }

    [Fact]
    public async Task Read_ForeignKeys_FromBothSides_WithoutCompoundOnes()
    {
        var schema = await ReadAsync(
            """
            create table one (id integer primary key, name text);
            create table two (x, y, primary key (x, y));
            create table refs (id integer primary key, a integer references ONE(id), b integer references one, c references gone(z), p, q,
              foreign key (p, q) references two (x, y));
            """
        );
        var refs = schema.Table("refs")!;
        Assert.Equal([new("gone", "c", "z"), new("one", "a", "id"), new("one", "b", "id")], refs.ForeignKeysOut);
        Assert.Equal([new("gone", "c", "z"), new("one", "b", "id"), new("one", "a", "id")], refs.ForeignKeysDeclared);
        Assert.Equal([new("refs", "id", "a"), new("refs", "id", "b")], schema.Table("one")!.ForeignKeysIn);
        Assert.Empty(schema.Table("two")!.ForeignKeysIn);
    }

    [Fact]
    public async Task Read_HiddenAndFullTextTables()
    {
        var schema = await ReadAsync(
            """
            create table docs (id integer primary key, "we""ird" text);
            create table "t""q" (a text);
            create virtual table docs_fts using fts5 (text, content="docs");
            create virtual table tq_fts using FTS4 ("a", content='t"q');
            create virtual table own using fts5 (body);
            create virtual table "nothing" using fts5 (body, content='');
            create table _private (a);
            create table stats (a primary key);
            insert into stats values (1);
            analyze;
            """
        );
        Assert.Equal(
            ["docs", "own", "stats", "t\"q"],
            schema.Tables.Where(t => !t.Hidden).Select(t => t.Name).Order(StringComparer.Ordinal)
        );
        Assert.Contains(schema.Tables, t => t.Name == "sqlite_stat1" && t.Hidden);
        Assert.Equal("docs_fts", schema.Table("docs")!.FtsTable);
        Assert.Equal("tq_fts", schema.Table("t\"q")!.FtsTable);
        Assert.Equal("own", schema.Table("own")!.FtsTable);
        Assert.Null(schema.Table("stats")!.FtsTable);
        Assert.True(schema.Table("own")!.IsVirtual);
        Assert.Equal(["body", "own", "rank"], schema.Table("own")!.ColumnNames);
    }

    [Theory]
    [Trait("Rule", "H176")]
    [InlineData("create table t (id integer primary key, slug text unique, name text)", "slug")]
    [InlineData("create table t (id text primary key, name text)", "id")]
    [InlineData("create table t (id integer primary key, a text unique, b text unique, Title text)", "Title")]
    [InlineData("create table t (a, Name text, title text)", "Name")]
    [InlineData("create table t (id integer primary key, v)", "v")]
    [InlineData("create table t (v, pk integer primary key)", "v")]
    [InlineData("create table t (id, pk)", null)]
    [InlineData("create table t (a, b)", null)]
    [InlineData("create table t (id integer primary key, a, b)", null)]
    public async Task LabelColumn_FollowsTheRule(string sql, string? expected)
    {
        Assert.Equal(expected, (await ReadAsync(sql)).Table("t")!.LabelColumn);
    }

    [Fact]
    public async Task Read_BrokenView_LosesOnlyItsOwnColumns()
    {
        var schema = await ReadAsync(
            "create table t (a); create view v as select a from t; create view w as select a from v; drop table t; create table u (x);"
        );
        Assert.Equal(["x"], schema.Table("u")!.ColumnNames);
        Assert.Empty(schema.View("v")!.Columns);
    }

    [Fact]
    public async Task Schema_ChangedElsewhere_IsSeenAfterASecond_AndOurOwnChangesAtOnce()
    {
        var path = _folder.Combine("s.db");
        using var other = TestDatabase.Open(path);
        other.Execute("create table a (x)");
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        time.Advance(TimeSpan.FromSeconds(1));
        await using var database = Database.File("s", path, new DatabaseOptions { Time = time });
        var first = await database.SchemaAsync(Ct);
        other.Execute("create table b (x)");
        Assert.Same(first, await database.SchemaAsync(Ct));
        time.Advance(TimeSpan.FromSeconds(1.1));
        var second = await database.SchemaAsync(Ct);
        Assert.Equal(2, second.Tables.Count);
        time.Advance(TimeSpan.FromSeconds(1.1));
        Assert.Same(second, await database.SchemaAsync(Ct));
        await database.WriteAsync(c => SqlStatement.Execute(c, "create table c (x)"), Ct);
        Assert.Equal(3, (await database.SchemaAsync(Ct)).Tables.Count);
    }

    [Fact]
    public void Read_ThousandsOfTables_WorkGrowsAsTheirNumber()
    {
        var (half, all) = (WorkOf(1500), WorkOf(3000));
        Assert.True(all < half * 3, $"1,500 tables took {half} steps of SQLite, 3,000 took {all}");
    }

    /// <summary>Hundreds of steps that SQLite makes to tell what is in a database with so many tables.</summary>
    private int WorkOf(int tables)
    {
        var path = _folder.Combine($"{tables}.db");
        using var connection = TestDatabase.Open(path);
        connection.Execute(
            "begin;"
                + string.Concat(
                    Enumerable.Range(0, tables).Select(i => $"create table t{i} (id integer primary key, r references t{i / 2});")
                )
                + "commit;"
        );
        var steps = 0;
        raw.sqlite3_progress_handler(connection.Handle, 100, _ => ++steps * 0, null);
        var schema = SchemaReader.Read(connection, 1, _ => false);
        Assert.Equal(tables, schema.Tables.Count);
        Assert.Equal(2, schema.Table("t5")!.ForeignKeysIn.Count);
        return steps;
    }

    [Theory]
    [InlineData("VARCHAR(30)", "TEXT")]
    [InlineData("charint", "INTEGER")]
    [InlineData("", "BLOB")]
    [InlineData("double precision", "REAL")]
    [InlineData("date", "NUMERIC")]
    [InlineData("ANY", "NUMERIC")]
    [InlineData("floating point", "INTEGER")]
    public void Affinity_FollowsSqlite(string type, string affinity) => Assert.Equal(affinity, ColumnAffinity.Of(type));

    private async Task<DatabaseSchema> ReadAsync(string sql)
    {
        var path = _folder.Combine("s.db");
        using (var connection = TestDatabase.Open(path))
        {
            connection.Execute(sql);
        }

        await using var database = Database.File("s", path, new DatabaseOptions());
        return await database.SchemaAsync(Ct);
    }
}
