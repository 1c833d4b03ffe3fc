using Datasette.Databases;
using Datasette.Plugins;

namespace Datasette.Views;

/// <summary>The way to a page: home, database, table; each only if the actor may go there.</summary>
internal static class Crumbs
{
    public static async ValueTask<IReadOnlyList<MenuLink>> OfAsync(ViewContext v, Database? database = null, string? table = null)
    {
        var crumbs = new List<MenuLink>();
        if (await v.AllowedAsync("view-instance"))
        {
            crumbs.Add(new("home", v.App.UrlPath("/")));
        }
        if (database is not null && await v.AllowedAsync("view-database", database.Name))
        {
            crumbs.Add(new(database.Name, v.App.UrlOf(database)));
        }
        if (database is not null && table is not null && await v.AllowedAsync("view-table", database.Name, table))
        {
            crumbs.Add(new(table, v.App.UrlOf(database, table)));
        }
        return crumbs;
    }
}
