using Datasette.Responses;
using Datasette.Tables;
using Microsoft.AspNetCore.Http;

namespace Datasette.Views;

/// <summary>Only the rows of a table's page, for a script that puts them into one.</summary>
internal static class FragmentView
{
    private static readonly string[] Quick = ["_nocount", "_nofacet", "_nosuggest"];

    public static async Task<IResult> ShowAsync(ViewContext v)
    {
        var database = v.Database;
        var schema = await database.SchemaAsync(v.Ct);
        var relation = schema.Relation(v.TableName) ?? throw new DatasetteException(404, "Table not found");
        await v.EnsureAllowedAsync("view-table", database.Name, relation.Name);
        PageHeaders.NoReferrer(v);
        var pairs = v.Args.Pairs.Where(pair => pair.Key != "_row" && !Quick.Contains(pair.Key));
        if (v.Args["_row"] is { } segment)
        {
            if (relation is not Databases.TableSchema table)
            {
                throw new DatasetteException(400, "_row is not available for views: their rows have no key");
            }
            var row = RowQuery.Parse(table, segment);
            var keys = row.KeyColumns.ToHashSet();
            pairs = pairs
                .Where(pair => !keys.Contains(Column(pair.Key)))
                .Concat(row.KeyColumns.Select((key, i) => KeyValuePair.Create(TableFilters.KeyOf(key), row.KeyValues[i])));
        }
        pairs = pairs.Concat(Quick.Select(name => KeyValuePair.Create(name, "1")));
        var narrowed = v.WithArgs(QueryArgs.FromPairs(pairs));
        var data = await TableData.LoadAsync(narrowed, database, schema, relation);
        var rows = await TablePageBuilder.RowsAsync(narrowed, data);
        var template = new PageTemplate("table")
        {
            RowNames = PageTemplates.Rows("table", database.Name, relation.Name),
            Variables = () => PageVariables.OfRows(data, rows),
        };
        return Respond.Html(Pages.Rows.Create(rows), 200, template);
    }

    private static string Column(string key)
    {
        var at = key.LastIndexOf("__", StringComparison.Ordinal);
        return at > 0 ? key[..at] : key;
    }
}
