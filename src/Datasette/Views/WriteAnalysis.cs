using System.Text.RegularExpressions;
using Datasette.Databases;
using Datasette.Responses;
using Microsoft.Data.Sqlite;

namespace Datasette.Views;

/// <summary>What SQL would do to a database, and whether this visitor may.</summary>
internal sealed partial class WriteAnalysis
{
    private const string Change = "insert-row, update-row, delete-row";

    private readonly SqlAnalysis analysis;

    private WriteAnalysis(Database database, SqlAnalysis analysis, IReadOnlyList<Row> rows)
    {
        Database = database;
        Rows = rows;
        this.analysis = analysis;
    }

    /// <summary>One operation with the rights it needs.</summary>
    internal sealed record Row(SqlAccess Access, string? Required, bool IsAllowed);

    public Database Database { get; }

    public IReadOnlyList<Row> Rows { get; }

    public bool IsWrite => Rows.Any(row => !row.Access.IsRead);

    /// <summary>The table into which it only inserts; null when it does anything else. What triggers do besides does not count.</summary>
    public string? InsertedInto =>
        Rows.Where(row => row.Access is { IsRead: false, Source: null }).ToList() is [{ Access: { Operation: "insert", Table: { } table } }]
            ? table
            : null;

    /// <exception cref="DatasetteException">400 for SQL that SQLite does not understand, 403 for what nobody may do here.</exception>
    public static async Task<WriteAnalysis> OfAsync(ViewContext v, Database database, string sql)
    {
        if (Vacuum().IsMatch(sql))
        {
            throw new DatasetteException(403, "VACUUM is not allowed in user-supplied SQL");
        }
        SqlAnalysis analysis;
        try
        {
            analysis = await database.AnalyzeAsync(sql, v.Ct);
        }
        catch (SqliteException e)
        {
            throw new DatasetteException(400, $"Could not analyze query: {SqlErrors.Message(e)}");
        }
        var found = analysis.Accesses;
        if (analysis.Functions.FirstOrDefault(ReadAuthorizer.IsDangerous) is { } function)
        {
            throw new DatasetteException(403, $"Unsupported SQL function: {function}");
        }
        if (found.FirstOrDefault(access => !access.IsKnown) is { } strange)
        {
            throw new DatasetteException(403, $"Unsupported SQL operation: {strange.Operation} {strange.Kind}");
        }
        if (found.FirstOrDefault(access => access.Database != "main") is { } elsewhere)
        {
            throw new DatasetteException(403, $"Writes to the database {elsewhere.Database} are not allowed");
        }
        await EnsurePlainTablesAsync(v, database, found);
        var rows = new List<Row>();
        foreach (var access in found)
        {
            var required = Required(access);
            rows.Add(new(access, required, await IsAllowedAsync(v, database, access, required)));
        }
        return new(database, analysis, rows);
    }

    /// <summary>Holds the statement to what was found here, when it runs.</summary>
    public async Task<WriteGuard> GuardAsync(ViewContext v)
    {
        var readable = Rows.Any(row => row.Access is { Operation: "create", Kind: "view" }) ? await ReadableAsync(v) : null;
        return new(analysis, readable);
    }

    /// <summary>What the visitor may view, by the schema of this moment.</summary>
    private async Task<HashSet<string>> ReadableAsync(ViewContext v)
    {
        var names = (await v.App.Rights.ListAsync("view-table", v.Actor, Database.Name, v.Ct))
            .Select(resource => resource.Child!)
            .ToHashSet(StringComparer.OrdinalIgnoreCase);
        var schema = await Database.SchemaAsync(v.Ct);
        foreach (var name in schema.Tables.Select(table => table.Name).Concat(schema.Views.Select(view => view.Name)))
        {
            // The catalogue may be a second old.
            if (!names.Contains(name) && await v.AllowedAsync("view-table", Database.Name, name))
            {
                names.Add(name);
            }
        }
        if (await v.AllowedAsync("execute-sql", Database.Name))
        {
            names.UnionWith(["sqlite_master", "sqlite_sequence", "sqlite_stat1", "sqlite_stat4"]);
        }
        return names;
    }

    /// <exception cref="DatasetteException">403 that names the first right that is missing.</exception>
    public void EnsureAllowed()
    {
        if (Rows.FirstOrDefault(row => !row.IsAllowed) is { } denied)
        {
            throw new DatasetteException(
                403,
                $"Permission denied: need {denied.Required} on {Database.Name}{(denied.Access.Table is { } table ? "/" + table : "")}"
            );
        }
    }

    public List<object> ToJson(bool withAllowed) =>
        Rows.Select(row =>
            {
                var map = new JsonMap
                {
                    { "operation", row.Access.Operation },
                    { "database", Database.Name },
                    { "table", row.Access.Table },
                    { "required_permission", row.Required },
                    { "source", row.Access.Source },
                };
                if (withAllowed)
                {
                    map.Add("allowed", row.IsAllowed);
                }
                return (object)map;
            })
            .ToList();

    /// <summary>The tables behind a full-text index keep an order of their own: a row too many and the index is lost.</summary>
    private static async Task EnsurePlainTablesAsync(ViewContext v, Database database, IReadOnlyList<SqlAccess> found)
    {
        var written = found.Where(access => access.Operation is "insert" or "update" or "delete" && access.Source is null).ToList();
        if (written.Count == 0)
        {
            return;
        }
        var kinds = (await database.ExecuteAsync("select name, type from pragma_table_list where schema = 'main'", ct: v.Ct)).Rows.ToLookup(
            row => (string)row[0]!,
            row => (string)row[1]!,
            StringComparer.OrdinalIgnoreCase
        );
        foreach (var access in written)
        {
            var kind = kinds[access.Table ?? ""].FirstOrDefault();
            if (kind is "virtual" or "shadow")
            {
                throw new DatasetteException(403, $"Writes to {kind} tables are not allowed: {access.Table}");
            }
        }
    }

    private static string? Required(SqlAccess access) =>
        (access.Operation, access.Kind) switch
        {
            ("read", _) when SqlAnalyzer.IsAboutAll(access.Table) => "execute-sql",
            ("read", _) => "view-table",
            ("insert" or "update", _) => Change,
            ("delete", _) => "delete-row",
            ("create", "table") => "create-table",
            ("create", "view") => "create-view",
            ("drop", "table") => "drop-table",
            ("drop", "view") => "drop-view",
            _ => "alter-table",
        };

    private static async Task<bool> IsAllowedAsync(ViewContext v, Database database, SqlAccess access, string? required)
    {
        foreach (var action in (required ?? "").Split(", "))
        {
            var child = action is "create-table" or "create-view" or "execute-sql" ? null : access.Table;
            if (!await v.AllowedAsync(action, database.Name, child))
            {
                return false;
            }
        }
        return true;
    }

    [GeneratedRegex(
        @"^(?>(\s|--[^\n]*(\n|$)|/\*.*?\*/)*)vacuum\b",
        RegexOptions.IgnoreCase | RegexOptions.Singleline | RegexOptions.CultureInvariant,
        1000
    )]
    private static partial Regex Vacuum();
}
