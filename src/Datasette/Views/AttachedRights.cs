using Datasette.Databases;
using Microsoft.Data.Sqlite;

namespace Datasette.Views;

/// <summary>SQL in a database that has others attached (<c>--crossdb</c>) reads those only with the right to run SQL there.</summary>
internal static class AttachedRights
{
    /// <exception cref="DatasetteException">403 that names the right.</exception>
    public static async Task EnsureAsync(ViewContext v, Database database, string sql)
    {
        var attached = await NamesAsync(v, database);
        if (attached.Count == 0)
        {
            return;
        }
        var closed = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var name in attached)
        {
            if (!await v.AllowedAsync("execute-sql", name))
            {
                closed.Add(name);
            }
        }
        if (closed.Count == 0)
        {
            return;
        }
        SqlAnalysis analysis;
        try
        {
            analysis = await database.AnalyzeAsync(sql, v.Ct);
        }
        catch (SqliteException)
        {
            // It will fail where it is run, in the words of whoever shows it; and then it has read nothing.
            return;
        }
        foreach (var access in analysis.All)
        {
            if (closed.Contains(access.Database))
            {
                throw new DatasetteException(403, $"Permission denied: need execute-sql on {access.Database}");
            }
            if (SqlAnalyzer.IsAboutAll(access.Table) && access.Table!.StartsWith("pragma_", StringComparison.OrdinalIgnoreCase))
            {
                throw new DatasetteException(403, "Permission denied: pragma functions would tell of databases that are closed to you");
            }
        }
    }

    /// <summary>The names under which other databases are attached.</summary>
    public static async Task<IReadOnlyList<string>> NamesAsync(ViewContext v, Database database)
    {
        if (!database.IsMemory)
        {
            return [];
        }
        var rows = await database.ExecuteAsync("select name from pragma_database_list where name not in ('main', 'temp')", ct: v.Ct);
        return rows.Rows.Select(row => (string)row[0]!).ToList();
    }
}
