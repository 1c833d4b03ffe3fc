using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Datasette.Databases;

/// <summary>SQLite's failures in SQLite's own words.</summary>
public static class SqlErrors
{
    private const string Prefix = "SQLite Error ";

    /// <summary>SQLite's message, without the adornment that the ADO.NET layer puts around it.</summary>
    /// <param name="failure">A failure from this room or from a <see cref="SqliteCommand"/>.</param>
    public static string Message(SqliteException failure)
    {
        var text = failure.Message;
        if (!text.StartsWith(Prefix, StringComparison.Ordinal))
        {
            return text;
        }

        var start = text.IndexOf('\'');
        var end = text.LastIndexOf('\'');
        return start >= 0 && end > start ? text[(start + 1)..end] : text;
    }

    /// <summary>Where in its text a statement is wrong: characters from the start; null when SQLite names no place.</summary>
    /// <param name="failure">A failure to prepare a statement.</param>
    public static int? Place(SqliteException failure) => failure.Data[PlaceKey] as int?;

    internal const string PlaceKey = "sql_offset";

    internal static SqliteException FromConnection(sqlite3 db, int rc)
    {
        var extended = raw.sqlite3_extended_errcode(db);
        var text = raw.sqlite3_errmsg(db).utf8_to_string();
        if ((extended & 0xff) != (rc & 0xff))
        {
            extended = rc;
            text = raw.sqlite3_errstr(rc).utf8_to_string();
        }

        return new SqliteException(text, rc & 0xff, extended);
    }
}
