using System.Text.Json;
using Datasette.Databases;

namespace Datasette.Views;

/// <summary>The body of an alteration: a list of operations, each checked for itself. Pure.</summary>
/// <remarks>Errors name the place with dots, such as <c>operations.0.add_column.args.name</c>; all are reported at once.</remarks>
internal sealed class AlterRequest
{
    private static readonly Dictionary<string, string[]> Arguments = new()
    {
        ["add_column"] = ["name", "type?", "not_null?", "default?", "default_expr?"],
        ["rename_column"] = ["name", "to"],
        ["alter_column"] = ["name", "type?", "not_null?", "default?", "default_expr?"],
        ["drop_column"] = ["name"],
        ["reorder_columns"] = ["columns"],
        ["set_primary_key"] = ["columns"],
        ["rename_table"] = ["to"],
        ["add_foreign_key"] = ["column", "fk_table", "fk_column?"],
        ["drop_foreign_key"] = ["column"],
        ["set_foreign_keys"] = ["foreign_keys"],
    };

    private readonly List<string> _errors = [];

    /// <exception cref="DatasetteException">400 with everything that is wrong.</exception>
    public static IReadOnlyList<TableOperation> Parse(JsonElement body)
    {
        var request = new AlterRequest();
        var operations = request.Read(body);
        return request._errors.Count == 0 ? operations : throw new DatasetteException(400, request._errors);
    }

    private List<TableOperation> Read(JsonElement body)
    {
        if (body.ValueKind != JsonValueKind.Object)
        {
            _errors.Add("JSON must be an object");
            return [];
        }

        foreach (var key in body.EnumerateObject().Where(p => p.Name != "operations"))
        {
            _errors.Add($"{key.Name}: Extra inputs are not permitted");
        }

        if (!body.TryGetProperty("operations", out var list))
        {
            _errors.Add("operations: Field required");
        }
        else if (list.ValueKind != JsonValueKind.Array)
        {
            _errors.Add("operations: Input should be a valid list");
        }
        else if (list.GetArrayLength() == 0)
        {
            _errors.Add("operations: List should have at least 1 item after validation, not 0");
        }
        else
        {
            return [.. list.EnumerateArray().Select(Operation).OfType<TableOperation>()];
        }

        return [];
    }

    private TableOperation? Operation(JsonElement item, int index)
    {
        var place = $"operations.{index}";
        if (item.ValueKind != JsonValueKind.Object)
        {
            return Wrong(place, "Input should be a valid dictionary");
        }

        if (!item.TryGetProperty("op", out var op))
        {
            return Wrong(place, "Unable to extract tag using discriminator 'op'");
        }

        var name = op.ValueKind == JsonValueKind.String ? op.GetString()! : op.GetRawText();
        if (!Arguments.TryGetValue(name, out var known))
        {
            var expected = string.Join(", ", Arguments.Keys.Select(key => $"'{key}'"));
            return Wrong(place, $"Input tag '{name}' found using 'op' does not match any of the expected tags: {expected}");
        }

        place += "." + name;
        var before = _errors.Count;
        foreach (var key in item.EnumerateObject().Where(p => p.Name is not ("op" or "args")))
        {
            Wrong($"{place}.{key.Name}", "Extra inputs are not permitted");
        }

        if (!item.TryGetProperty("args", out var args))
        {
            return Wrong($"{place}.args", "Field required");
        }

        CheckKeys(args, $"{place}.args", known);
        return _errors.Count == before ? Make(name, args, place) : null;
    }

    private void CheckKeys(JsonElement args, string place, string[] known)
    {
        if (args.ValueKind != JsonValueKind.Object)
        {
            Wrong(place, "Input should be a valid dictionary");
            return;
        }

        foreach (var key in known)
        {
            if (args.TryGetProperty(key.TrimEnd('?'), out var value))
            {
                CheckValue(key.TrimEnd('?'), value, $"{place}.{key.TrimEnd('?')}", isOptional: key.EndsWith('?'));
            }
            else if (!key.EndsWith('?'))
            {
                Wrong($"{place}.{key}", "Field required");
            }
        }

        foreach (var key in args.EnumerateObject().Where(p => !known.Contains(p.Name) && !known.Contains(p.Name + "?")))
        {
            Wrong($"{place}.{key.Name}", "Extra inputs are not permitted");
        }
    }

    private void CheckValue(string key, JsonElement value, string place, bool isOptional)
    {
        if ((isOptional && value.ValueKind == JsonValueKind.Null) || key == "default")
        {
            return;
        }

        switch (key)
        {
            case "not_null" when value.ValueKind is not (JsonValueKind.True or JsonValueKind.False):
                Wrong(place, "Input should be a valid boolean");
                break;
            case "columns":
                CheckNames(value, place);
                break;
            case "foreign_keys":
                CheckList(value, place, (item, at) => CheckKeys(item, at, Arguments["add_foreign_key"]));
                break;
            case "type" when value.ValueKind != JsonValueKind.String || value.GetString() is not ("text" or "integer" or "float" or "blob"):
                Wrong(place, "Input should be 'text', 'integer', 'float' or 'blob'");
                break;
            case not ("not_null" or "type") when value.ValueKind != JsonValueKind.String:
                Wrong(place, "Input should be a valid string");
                break;
            case "name" or "to" or "column" or "fk_table" or "fk_column" when value.GetString()!.Trim().Length == 0:
                Wrong(place, "String should have at least 1 character");
                break;
        }
    }

    private void CheckNames(JsonElement value, string place)
    {
        CheckList(value, place, (item, at) => CheckValue("name", item, at, isOptional: false));
        if (value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 0)
        {
            Wrong(place, "List should have at least 1 item after validation, not 0");
        }
    }

    private void CheckList(JsonElement value, string place, Action<JsonElement, string> check)
    {
        if (value.ValueKind != JsonValueKind.Array)
        {
            Wrong(place, "Input should be a valid list");
            return;
        }

        var index = 0;
        foreach (var item in value.EnumerateArray())
        {
            check(item, $"{place}.{index++}");
        }
    }

    private TableOperation? Make(string op, JsonElement args, string place)
    {
        try
        {
            return op switch
            {
                "add_column" => new AddColumn(place, NewColumn(args), Text(args, "default_expr") is null),
                "rename_column" => new RenameColumn(place, Text(args, "name")!, Text(args, "to")!),
                "alter_column" => new AlterColumn(
                    place,
                    Text(args, "name")!,
                    Text(args, "type") is { } type ? ColumnSql.TypeOf(type) : null,
                    args.TryGetProperty("not_null", out var flag) && flag.ValueKind != JsonValueKind.Null ? flag.GetBoolean() : null,
                    args.TryGetProperty("default", out _) || Text(args, "default_expr") is not null,
                    DefaultOf(args)
                ),
                "drop_column" => new DropColumn(place, Text(args, "name")!),
                "reorder_columns" => new ReorderColumns(place, Names(args)),
                "set_primary_key" => new SetPrimaryKey(place, Names(args)),
                "rename_table" when !CreateTableRequest.IsTableName(Text(args, "to")!) => Wrong($"{place}.args.to", "Invalid table name"),
                "rename_table" => new RenameTable(place, Text(args, "to")!),
                "add_foreign_key" => Key(args, place),
                "drop_foreign_key" => new DropForeignKey(place, Text(args, "column")!),
                _ => new SetForeignKeys(place, [.. args.GetProperty("foreign_keys").EnumerateArray().Select(key => Key(key, place))]),
            };
        }
        catch (DatasetteException e)
        {
            return Wrong($"{place}.args", e.Message);
        }
    }

    private static ColumnDefinition NewColumn(JsonElement args) =>
        new(Text(args, "name")!, ColumnSql.TypeOf(Text(args, "type")))
        {
            NotNull = args.TryGetProperty("not_null", out var flag) && flag.ValueKind == JsonValueKind.True ? "NOT NULL" : null,
            Default = DefaultOf(args),
        };

    // A default of null is none.
    private static string? DefaultOf(JsonElement args) =>
        args.TryGetProperty("default", out var value) && value.ValueKind == JsonValueKind.Null && Text(args, "default_expr") is null
            ? null
            : ColumnSql.Default(args);

    private static AddForeignKey Key(JsonElement args, string place) =>
        new(place, Text(args, "column")!, Text(args, "fk_table")!, Text(args, "fk_column"));

    private static string[] Names(JsonElement args) => [.. args.GetProperty("columns").EnumerateArray().Select(name => name.GetString()!)];

    private static string? Text(JsonElement args, string key) =>
        args.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private TableOperation? Wrong(string place, string problem)
    {
        _errors.Add($"{place}: {problem}");
        return null;
    }
}
