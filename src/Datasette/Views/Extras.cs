using Datasette.Databases;
using Datasette.Responses;

namespace Datasette.Views;

/// <summary>What <c>_extra</c> may add to data, by name, with how to find it.</summary>
internal sealed class Extras
{
    private readonly List<Extra> known = [];

    private sealed record Extra(string Name, string Description, Func<ValueTask<object?>> Find);

    public void Add(string name, string description, Func<ValueTask<object?>> find) => known.Add(new(name, description, find));

    public void Add(string name, string description, Func<object?> find) => Add(name, description, () => ValueTask.FromResult(find()));

    /// <summary>The names asked for: <c>_extra=a,b</c>, repeated or both.</summary>
    public static IReadOnlyList<string> Asked(QueryArgs args) =>
        !args.Has("_extra")
            ? []
            : args.All("_extra")
                .SelectMany(value => value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
                .Distinct()
                .ToList();

    /// <summary>Adds what was asked for.</summary>
    /// <exception cref="DatasetteException">400: names that nobody knows.</exception>
    public async Task FillAsync(ViewContext v, JsonMap target, Func<string, bool>? skip = null)
    {
        var asked = Asked(v.Args);
        Add("extras", "What can be asked for with _extra", () => List(v, asked));
        var unknown = asked.Where(name => known.All(extra => extra.Name != name)).Order(StringComparer.Ordinal).ToList();
        if (unknown.Count > 0)
        {
            throw new DatasetteException(400, "Unknown _extra: " + string.Join(", ", unknown));
        }
        foreach (var extra in known.Where(extra => asked.Contains(extra.Name) && skip?.Invoke(extra.Name) != true))
        {
            target.Add(extra.Name, await extra.Find());
        }
    }

    private List<object> List(ViewContext v, IReadOnlyList<string> asked) =>
        known
            .Select(extra =>
            {
                var selected = asked.Contains(extra.Name);
                var args = selected ? v.Args.WithoutPair("_extra", extra.Name) : v.Args.With("_extra", extra.Name);
                return (object)
                    new JsonMap
                    {
                        { "name", extra.Name },
                        { "description", extra.Description },
                        { "toggle_url", v.Absolute(v.App.UrlPath(args.ToPath(v.Path))) },
                        { "selected", selected },
                    };
            })
            .ToList();

    /// <summary>The request as the server saw it.</summary>
    public static JsonMap RequestJson(ViewContext v)
    {
        var args = new JsonMap();
        foreach (var key in v.Args.Pairs.Select(pair => pair.Key).Distinct())
        {
            args.Add(key, v.Args.All(key).ToList<object?>());
        }
        var path = v.State.FullPath;
        return new JsonMap
        {
            { "url", v.Absolute(v.Args.ToPath(path)) },
            { "path", path },
            { "full_path", v.Args.ToPath(path) },
            { "host", v.Http.Request.Host.Value },
            { "args", args },
        };
    }

    public static JsonMap ParametersJson(IReadOnlyDictionary<string, object?> parameters)
    {
        var map = new JsonMap();
        foreach (var (name, value) in parameters)
        {
            map.Add(name, value);
        }
        return map;
    }

    public static JsonMap ColumnDetails(RelationSchema relation)
    {
        var map = new JsonMap();
        foreach (var column in relation.Columns)
        {
            map.Add(
                column.Name,
                new JsonMap
                {
                    { "type", column.Type },
                    { "sqlite_type", column.Affinity },
                    { "notnull", column.NotNull },
                    { "default", column.Default },
                    { "is_pk", column.PkPosition > 0 },
                    { "pk_position", column.PkPosition },
                    { "hidden", column.Hidden },
                }
            );
        }
        return map;
    }

    /// <summary>The HTML of cells that a plugin renders, a map of columns for each row.</summary>
    public static List<object> RenderedCells(
        ViewContext v,
        string database,
        string? table,
        IReadOnlyList<string> columns,
        IReadOnlyList<object?[]> rows
    ) =>
        rows.Select(row =>
            {
                var map = new JsonMap();
                for (var i = 0; i < columns.Count; i++)
                {
                    if (
                        (
                            v.App.Hooks.RenderCell(v.App, new(row[i], columns[i], table, database, columns, row, v.Http))
                            ?? ColumnTypes.Render(v, database, table, columns[i], row[i])
                        ) is
                        { } html
                    )
                    {
                        using var writer = new StringWriter();
                        html.WriteTo(writer, System.Text.Encodings.Web.HtmlEncoder.Default);
                        map.Add(columns[i], writer.ToString());
                    }
                }
                return (object)map;
            })
            .ToList();

    public static JsonMap UrlVars(ViewContext v)
    {
        var map = new JsonMap();
        foreach (System.Text.RegularExpressions.Group group in v.Match.Groups)
        {
            if (!char.IsAsciiDigit(group.Name[0]))
            {
                map.Add(group.Name, group.Success ? group.Value : null);
            }
        }
        return map;
    }

    public static string Definition(RelationSchema relation) => string.Join('\n', relation.Definition.Select(sql => sql + ";"));
}
