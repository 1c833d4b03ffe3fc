using Datasette.Databases;
using Datasette.Pages;
using Datasette.Responses;
using Datasette.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;

namespace Datasette.Views;

/// <summary>What a person can do about an error: what was probably meant, and the ways on. Tells nothing that the visitor may not see.</summary>
internal static class ErrorHints
{
    /// <summary>The hint for an answer of a status.</summary>
    /// <param name="app">The instance.</param>
    /// <param name="context">The request.</param>
    /// <param name="state">What is known of it.</param>
    /// <param name="status">The status of the answer.</param>
    public static async ValueTask<ErrorHint> OfAsync(DatasetteApp app, HttpContext context, RequestState state, int status)
    {
        var parts = state.Path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        try
        {
            var places = await PlacesAsync(app, state, parts, status, context.RequestAborted);
            return status == StatusCodes.Status403Forbidden ? places with { Explanation = Forbidden(state) } : places;
        }
        catch (Exception e) when (e is SqliteException or QueryInterruptedException or DatasetteException)
        {
            // The error itself is told in any case; a schema that cannot be read gives no names to choose from.
            return ErrorHint.None;
        }
    }

    private static string Forbidden(RequestState state) =>
        state.Actor is { } actor
            ? $"You are signed in as {LayoutBuilder.NameOf(actor.Json)}, who may not do this. Whoever runs this server can allow it."
            : "You are not signed in. Sign in, or ask whoever runs this server.";

    private static async ValueTask<ErrorHint> PlacesAsync(
        DatasetteApp app,
        RequestState state,
        string[] parts,
        int status,
        CancellationToken ct
    )
    {
        if (parts is [] or ["-", ..])
        {
            return ErrorHint.None;
        }
        var name = TildeEncoding.Decode(parts[0]);
        var databases = (await app.Rights.ListAsync("view-database", state.Actor, null, ct)).Select(resource => resource.Parent).ToList();
        if (!databases.Contains(name) || app.Databases[name] is not { } database)
        {
            return status == StatusCodes.Status404NotFound && app.Databases[name] is null
                ? NoDatabase(app, name, databases)
                : ErrorHint.None;
        }
        var home = new TextLink($"All tables of {name}", app.UrlOf(database));
        if (parts is [_] or [_, "-", ..])
        {
            return new(null, [home]);
        }
        var wanted = TildeEncoding.Decode(parts[1]);
        var schema = await database.KnownSchemaAsync(ct);
        var tables = (await app.Rights.ListAsync("view-table", state.Actor, name, ct)).Select(resource => resource.Child!).ToList();
        if (tables.Contains(wanted) && schema.Relation(wanted) is not null)
        {
            return new(null, [new($"The table {wanted}", app.UrlOf(database, wanted)), home]);
        }
        return status == StatusCodes.Status404NotFound && schema.Relation(wanted) is null
            ? NoTable(app, database, wanted, tables, home)
            : new(null, [home]);
    }

    private static ErrorHint NoDatabase(DatasetteApp app, string name, List<string> databases)
    {
        var links = new List<TextLink>();
        if (NearestName.Of(name, databases) is { } near && app.Databases[near] is { } database)
        {
            links.Add(new($"The nearest name: {near}", app.UrlOf(database)));
        }
        // The name is not repeated: a link to this site must not be able to put words on its pages.
        return new("There is no database of this name here.", links);
    }

    private static ErrorHint NoTable(DatasetteApp app, Database database, string wanted, List<string> tables, TextLink home)
    {
        var links = new List<TextLink>();
        if (NearestName.Of(wanted, tables) is { } near)
        {
            links.Add(new($"The nearest name: {near}", app.UrlOf(database, near)));
        }
        links.Add(home);
        return new($"There is no table, view or query of this name in the database {database.Name}.", links);
    }
}
