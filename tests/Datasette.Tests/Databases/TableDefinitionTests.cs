using Datasette.Databases;
using Microsoft.Data.Sqlite;
using Xunit;

namespace Datasette.Tests.Databases;

/// <summary>A CREATE statement taken apart and written again makes the same table.</summary>
public sealed class TableDefinitionTests
{
    private static readonly string[] Facts =
    [
        "select name, type, \"notnull\", dflt_value, pk, hidden from pragma_table_xinfo('t') order by cid",
        "select seq, \"table\", \"from\", \"to\", on_update, on_delete from pragma_foreign_key_list('t') order by \"from\", \"table\"",
        "select \"unique\", origin, partial, (select group_concat(name || ' ' || coll || ' ' || \"desc\") from pragma_index_xinfo(l.name)) "
            + "from pragma_index_list('t') l order by 4",
        "select wr, strict from pragma_table_list('t')",
    ];

    [Theory]
    [InlineData("create table t (id integer primary key, title text, score real)")]
    [InlineData("CREATE TABLE t(a,b,c)")]
    [InlineData("create table if not exists main.t (\"a \"\"b\" varchar(20) not null default 'it''s', [c d] decimal(10, 2), `e``f` int)")]
    [InlineData("create table t (id integer primary key autoincrement, a text unique on conflict ignore collate nocase)")]
    [InlineData(
        "create table t (id int primary key desc, a default -1, b default (1 + 2), c default current_timestamp, d default x'00ff')"
    )]
    [InlineData("create table t (a, b, primary key (a, b)) without rowid")]
    [InlineData("create table t (a integer, b text, primary key (b desc, a), unique (a, b)) ")]
    [InlineData("create table t (a integer, primary key (a))")]
    [InlineData(
        "create table t (a integer not null, b text check (b <> ','), constraint positive check (a > 0), constraint pair unique (a, b)) strict"
    )]
    [InlineData(
        "create table t (a references o, b integer references o(id) on delete set null on update cascade deferrable initially deferred)"
    )]
    [InlineData("create table t (a, b, foreign key (a, b) references p(x, y) on delete cascade, foreign key (a) references o)")]
    [InlineData("create table t (a integer, b as (a * 2), c integer generated always as (a + 1) stored not null)")]
    [InlineData("create table t (a /* not, null */ text -- , b\n, \"primary\" text, 'quoted' text, ünïcode text null)")]
    [InlineData("create table t (a double precision, b unsigned big int not null on conflict abort default 1e5, c constraint x not null)")]
    [InlineData("create table t (a, check (a > 0) unique (a))")]
    public void Definition_ParsedAndWritten_MakesTheSameTable(string sql)
    {
        var before = FactsOf(sql);
        var parsed = TableDefinitionParser.Parse(StoredSqlOf(sql));
        Assert.Equal("t", parsed.Name);
        Assert.Equal(before, FactsOf(parsed.ToSql("t")));
    }

    private static string StoredSqlOf(string sql)
    {
        using var connection = Open(sql);
        return (string)SqlStatement.Scalar(connection, "select sql from sqlite_master where name = 't'")!;
    }

    private static List<string> FactsOf(string sql)
    {
        using var connection = Open(sql);
        return [.. Facts.SelectMany(fact => SqlStatement.Query(connection, fact)).Select(row => string.Join('|', row.Select(Upper)))];
    }

    // How a type is written is not what it is.
    private static object? Upper(object? value) =>
        value is string text ? text.ToUpperInvariant().Replace("FLOAT", "REAL", StringComparison.Ordinal) : value;

    private static SqliteConnection Open(string sql)
    {
        var connection = new SqliteConnection("Data Source=:memory:;Foreign Keys=False");
        connection.Open();
        SqlStatement.Execute(connection, sql);
        return connection;
    }
}
