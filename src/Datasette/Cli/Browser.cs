using System.ComponentModel;
using System.Diagnostics;

namespace Datasette.Cli;

/// <summary>Opens the page that a person most likely wants to see.</summary>
internal static class Browser
{
    /// <summary>The only table, else the only database, else the home page.</summary>
    public static string FirstPage(DatasetteApp app)
    {
        if (app.Databases.Count != 1)
        {
            return app.UrlPath("/");
        }
        var database = app.Databases.First();
        var tables = database.SchemaAsync().GetAwaiter().GetResult().Tables.Where(table => !table.Hidden).ToList();
        return tables.Count == 1 ? app.UrlOf(database, tables[0].Name) : app.UrlOf(database);
    }

    public static void Open(string url)
    {
        try
        {
            using var _ = Process.Start(new ProcessStartInfo(url) { UseShellExecute = true });
        }
        catch (Exception e) when (e is Win32Exception or InvalidOperationException or PlatformNotSupportedException)
        {
            Console.Error.WriteLine($"No browser could be opened: {e.Message}");
        }
    }
}
