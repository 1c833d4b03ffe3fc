namespace Datasette.Liquid;

/// <summary>Filters of lists. A single value is taken for a list of one, nothing for an empty one.</summary>
internal static class ListFilters
{
    public static void Register(Dictionary<string, FilterCall> filters)
    {
        filters["size"] = (input, _, _) =>
            (decimal)(
                input switch
                {
                    IReadOnlyList<object?> list => list.Count,
                    LiquidMap map => map.Keys.Count(),
                    _ => LiquidText.Of(input).Length,
                }
            );
        filters["first"] = (input, _, _) => List(input) is [var first, ..] ? first : null;
        filters["last"] = (input, _, _) => List(input) is [.., var last] ? last : null;
        filters["join"] = (input, arguments, _) => Join(List(input), arguments.Count > 0 ? LiquidText.Of(arguments[0]) : " ");
        filters["concat"] = (input, arguments, _) => Concat(List(input), List(TextFilters.Argument(arguments, 0)));
        filters["reverse"] = (input, _, _) => List(input).Reverse().ToArray();
        filters["compact"] = (input, _, _) => List(input).Where(item => item is not null).ToArray();
        filters["uniq"] = (input, _, _) => List(input).DistinctBy(Key).ToArray();
        filters["map"] = (input, arguments, _) => List(input).Select(item => Field(item, arguments)).ToArray();
        filters["sort"] = (input, arguments, _) => Sort(List(input), arguments, StringComparer.Ordinal);
        filters["sort_natural"] = (input, arguments, _) => Sort(List(input), arguments, StringComparer.OrdinalIgnoreCase);
        filters["where"] = (input, arguments, _) => List(input).Where(item => Matches(item, arguments)).ToArray();
        filters["reject"] = (input, arguments, _) => List(input).Where(item => !Matches(item, arguments)).ToArray();
        filters["find"] = (input, arguments, _) => List(input).FirstOrDefault(item => Matches(item, arguments));
        filters["sum"] = (input, arguments, _) => List(input).Sum(item => LiquidText.Number(Field(item, arguments)));
        filters["slice"] = (input, arguments, _) => Slice(input, arguments);
        filters["default"] = (input, arguments, _) =>
            new BlankMark(true).Matches(input) || !LiquidText.IsTrue(input) ? TextFilters.Argument(arguments, 0) : input;
    }

    private static IReadOnlyList<object?> List(object? value) =>
        value switch
        {
            null or BlankMark => [],
            IReadOnlyList<object?> list => list,
            LiquidMap map => map.Items(),
            _ => [value],
        };

    private static string Join(IReadOnlyList<object?> list, string separator)
    {
        var texts = new string[list.Count];
        long length = 0;
        for (var i = 0; i < texts.Length; i++)
        {
            texts[i] = LiquidText.Of(list[i]);
            TextFilters.Ensure(length += texts[i].Length + separator.Length);
        }
        return string.Join(separator, texts);
    }

    private static object?[] Concat(IReadOnlyList<object?> first, IReadOnlyList<object?> second) =>
        first.Count + second.Count > LiquidLimits.Items ? throw LiquidLimits.TooManyItems() : [.. first, .. second];

    /// <summary>The item itself, or what it has under the name that is the first argument.</summary>
    private static object? Field(object? item, IReadOnlyList<object?> arguments) =>
        arguments.Count == 0 ? item : (item as LiquidMap)?.Find(LiquidText.Of(arguments[0]));

    private static bool Matches(object? item, IReadOnlyList<object?> arguments)
    {
        var value = Field(item, arguments);
        return arguments.Count > 1 ? LiquidText.AreEqual(value, arguments[1]) : LiquidText.IsTrue(value);
    }

    private static object Key(object? item) =>
        item is decimal or bool ? item
        : item is LiquidMap ? item
        : LiquidText.Of(item);

    private static object?[] Sort(IReadOnlyList<object?> list, IReadOnlyList<object?> arguments, StringComparer texts) =>
        list.Select(item => (Item: item, Key: Field(item, arguments)))
            // Nothing last, numbers by size before texts.
            .OrderBy(pair =>
                pair.Key is null ? 2
                : pair.Key is decimal ? 0
                : 1
            )
            .ThenBy(pair => pair.Key is decimal number ? number : 0)
            .ThenBy(pair => pair.Key is decimal ? "" : LiquidText.Of(pair.Key), texts)
            .Select(pair => pair.Item)
            .ToArray();

    private static object? Slice(object? input, IReadOnlyList<object?> arguments)
    {
        var list = input as IReadOnlyList<object?>;
        var text = list is null ? LiquidText.Of(input) : "";
        var count = list?.Count ?? text.Length;
        var start = LiquidText.Number(TextFilters.Argument(arguments, 0));
        var from = (int)Math.Clamp(start < 0 ? start + count : start, 0, count);
        var length = arguments.Count > 1 ? (int)Math.Clamp(LiquidText.Number(arguments[1]), 0, count - from) : Math.Min(1, count - from);
        return list is null ? text.Substring(from, length) : list.Skip(from).Take(length).ToArray();
    }
}
