using System.Text.RegularExpressions;
using Datasette.Text;
using Microsoft.Data.Sqlite;

namespace Datasette.Databases;

/// <summary>Reads what is in a database: a few statements for all tables at once, not a few for each.</summary>
internal static partial class SchemaReader
{
    /// <summary>Long enough for thousands of tables; a damaged file must not hang the start.</summary>
    public static readonly TimeSpan TimeLimit = TimeSpan.FromSeconds(30);

    private const string TablesSql =
        "select name, type, coalesce(sql, '') from sqlite_master where type in ('table', 'view') order by name";

    // Asked for on its own and matched here: as a join SQLite would read the whole list again for every table.
    private const string ListSql = "select name, type, wr from pragma_table_list where schema = 'main'";

    private const string ColumnsSql =
        "select m.name, c.name, c.type, c.\"notnull\", c.dflt_value, c.pk, c.hidden from sqlite_master m "
        + "join pragma_table_xinfo(m.name) c where m.type in ('table', 'view') order by m.name, c.cid";

    private const string ForeignKeysSql =
        "select m.name, f.id, f.seq, f.\"table\", f.\"from\", f.\"to\" from sqlite_master m "
        + "join pragma_foreign_key_list(m.name) f where m.type = 'table' order by m.name, f.id, f.seq";

    private const string UniqueColumnsSql =
        "select m.name, ii.name from sqlite_master m join pragma_index_list(m.name) il join pragma_index_info(il.name) ii "
        + "where m.type = 'table' and il.\"unique\" = 1 and il.partial = 0 "
        + "and (select count(*) from pragma_index_info(il.name)) = 1 and ii.name is not null order by m.name, ii.name";

    private const string IndexesSql = "select tbl_name, sql from sqlite_master where type = 'index' and sql is not null order by name";

    private static readonly string[] SpatialNames =
    [
        "ElementaryGeometries",
        "SpatialIndex",
        "geometry_columns",
        "spatial_ref_sys",
        "spatialite_history",
        "sql_statements_log",
        "sqlite_sequence",
        "views_geometry_columns",
        "virts_geometry_columns",
        "data_licenses",
        "KNN",
        "KNN2",
    ];

    /// <summary>Reads everything at once.</summary>
    /// <param name="connection">A reader.</param>
    /// <param name="version">The schema version just read on it.</param>
    /// <param name="isConfiguredHidden">Whether configuration hides a table.</param>
    /// <exception cref="SqliteException">SQLite refused, or a damaged file holds what no schema can.</exception>
    public static DatabaseSchema Read(SqliteConnection connection, long version, Func<string, bool> isConfiguredHidden)
    {
        try
        {
            return ReadAll(connection, version, isConfiguredHidden);
        }
        catch (Exception e) when (e is InvalidCastException or ArgumentException or KeyNotFoundException or NullReferenceException)
        {
            // SQLite hands out the rows of a damaged schema as they are: numbers for names, one name twice.
            throw new SqliteException("malformed database schema", SQLitePCL.raw.SQLITE_CORRUPT);
        }
    }

    private static DatabaseSchema ReadAll(SqliteConnection connection, long version, Func<string, bool> isConfiguredHidden)
    {
        var list = SqlStatement
            .Query(connection, ListSql)
            .ToDictionary(r => (string)r[0]!, r => ((string)r[1]!, (long)r[2]! != 0), StringComparer.Ordinal);
        var relations = SqlStatement.Query(connection, TablesSql).Select(r => ToRelation(r, list)).ToList();
        var columns = ReadColumns(connection, relations);
        var indexes = SqlStatement
            .Query(connection, IndexesSql)
            .ToLookup(r => (string)r[0]!, r => (string)r[1]!, StringComparer.OrdinalIgnoreCase);
        var unique = SqlStatement.Query(connection, UniqueColumnsSql).ToLookup(r => (string)r[0]!, r => (string)r[1]!);
        var keys = new ForeignKeySets(
            SqlStatement.Query(connection, ForeignKeysSql),
            relations.ToDictionary(r => r.Name, r => PrimaryKeys(columns[r.Name]))
        );
        var fts = FtsTables(relations);
        var hidden = HiddenNames(relations);

        var tables = relations
            .Where(r => !r.IsView)
            .Select(r => new TableSchema
            {
                Name = r.Name,
                Columns = columns[r.Name],
                Definition = [r.Sql, .. indexes[r.Name]],
                PrimaryKeys = PrimaryKeys(columns[r.Name]),
                IsRowidTable = !r.IsWithoutRowid,
                IsVirtual = r.ListType == "virtual",
                Hidden = hidden.Contains(r.Name) || isConfiguredHidden(r.Name),
                FtsTable = fts.GetValueOrDefault(r.Name),
                ForeignKeysDeclared = keys.Declared(r.Name),
                ForeignKeysOut = keys.Out(r.Name),
                ForeignKeysIn = keys.In(r.Name),
                LabelColumn = LabelColumn(columns[r.Name], unique[r.Name]),
            });
        var views = relations
            .Where(r => r.IsView)
            .Select(r => new ViewSchema
            {
                Name = r.Name,
                Columns = columns[r.Name],
                Definition = [r.Sql],
                FtsTable = fts.GetValueOrDefault(r.Name),
            });
        return new DatabaseSchema([.. tables], [.. views]) { Version = version };
    }

    /// <summary>The column that names a row of a table without configuration, or null.</summary>
    internal static string? LabelColumn(IReadOnlyList<ColumnInfo> columns, IEnumerable<string> uniqueColumns)
    {
        var uniqueTexts = columns
            .Where(c => c.Affinity == "TEXT" && uniqueColumns.Contains(c.Name, StringComparer.OrdinalIgnoreCase))
            .Select(c => c.Name)
            .ToArray();
        if (uniqueTexts.Length == 1)
        {
            return uniqueTexts[0];
        }

        var named = columns.FirstOrDefault(c => c.Name.ToLowerInvariant() is "name" or "title");
        if (named is not null)
        {
            return named.Name;
        }

        return columns.Count == 2 && columns.Any(c => c.Name is "id" or "pk")
            ? columns.FirstOrDefault(c => c.Name is not ("id" or "pk"))?.Name
            : null;
    }

    private static Relation ToRelation(object?[] row, Dictionary<string, (string Type, bool IsWithoutRowid)> list)
    {
        var (type, isWithoutRowid) = list.GetValueOrDefault((string)row[0]!, ("table", false));
        return new Relation((string)row[0]!, (string)row[1]! == "view", (string)row[2]!, type, isWithoutRowid);
    }

    private static Dictionary<string, IReadOnlyList<ColumnInfo>> ReadColumns(SqliteConnection connection, List<Relation> relations)
    {
        var result = relations.ToDictionary(r => r.Name, _ => (IReadOnlyList<ColumnInfo>)[], StringComparer.Ordinal);
        try
        {
            foreach (var group in SqlStatement.Query(connection, ColumnsSql).GroupBy(r => (string)r[0]!))
            {
                result[group.Key] = [.. group.Select(Column)];
            }
        }
        catch (SqliteException)
        {
            // One broken view or table of a missing module fails the common question; ask one by one and let only that one go without columns.
            foreach (var relation in relations)
            {
                result[relation.Name] = ColumnsOf(connection, relation);
            }
        }

        return result;
    }

    private static IReadOnlyList<ColumnInfo> ColumnsOf(SqliteConnection connection, Relation relation)
    {
        try
        {
            var sql = "select '', name, type, \"notnull\", dflt_value, pk, hidden from pragma_table_xinfo(:table) order by cid";
            return [.. SqlStatement.Query(connection, sql, new Dictionary<string, object?> { ["table"] = relation.Name }).Select(Column)];
        }
        catch (SqliteException) when (relation.IsView)
        {
            return [];
        }
    }

    private static ColumnInfo Column(object?[] row)
    {
        return new ColumnInfo(
            (string)row[1]!,
            (string?)row[2] ?? "",
            (long)row[3]! != 0,
            row[4] as string,
            (int)(long)row[5]!,
            (int)(long)row[6]!
        );
    }

    private static string[] PrimaryKeys(IReadOnlyList<ColumnInfo> columns)
    {
        return [.. columns.Where(c => c.PkPosition > 0).OrderBy(c => c.PkPosition).Select(c => c.Name)];
    }

    // The first declaring table in name order wins; a full-text table is its own index.
    private static Dictionary<string, string> FtsTables(List<Relation> relations)
    {
        var result = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var relation in relations)
        {
            if (!FtsModule().IsMatch(relation.Sql))
            {
                continue;
            }

            result[relation.Name] = relation.Name;
            if (FtsContent().Match(relation.Sql) is { Success: true } match)
            {
                result.TryAdd(Unquote(match.Groups["name"].Value), relation.Name);
            }
        }

        return result;
    }

    private static HashSet<string> HiddenNames(List<Relation> relations)
    {
        var hidden = new HashSet<string>(StringComparer.Ordinal);
        var isSpatial = relations.Any(r => r.Name == "geometry_columns");
        foreach (var relation in relations)
        {
            var name = relation.Name;
            if (
                name.StartsWith('_')
                || relation.ListType == "shadow"
                || name is "sqlite_stat1" or "sqlite_stat2" or "sqlite_stat3" or "sqlite_stat4"
                || (FtsModule().IsMatch(relation.Sql) && FtsContent().IsMatch(relation.Sql))
                || (isSpatial && (SpatialNames.Contains(name) || name.StartsWith("idx_", StringComparison.Ordinal)))
            )
            {
                hidden.Add(name);
            }
        }

        return hidden;
    }

    private static string Unquote(string name)
    {
        if (name.Length < 2)
        {
            return name;
        }

        return name[0] switch
        {
            '[' => name[1..^1],
            '"' or '\'' or '`' => name[1..^1].Replace(new string(name[0], 2), name[..1], StringComparison.Ordinal),
            _ => name,
        };
    }

    [GeneratedRegex(
        @"^\s*create\s+virtual\s+table\b.*?\busing\s+fts[345]\b",
        RegexOptions.IgnoreCase | RegexOptions.Singleline | RegexOptions.CultureInvariant
    )]
    private static partial Regex FtsModule();

    [GeneratedRegex(
        """\bcontent\s*=\s*(?<name>\[[^\]]*\]|"(?:[^"]|"")*"|'(?:[^']|'')*'|`(?:[^`]|``)*`|[^\s,)]+)""",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant
    )]
    private static partial Regex FtsContent();

    private sealed record Relation(string Name, bool IsView, string Sql, string ListType, bool IsWithoutRowid);
}
