namespace Datasette.Liquid;

/// <summary>Something that has a value.</summary>
internal abstract record LiquidExpression
{
    public abstract object? Evaluate(LiquidRun run);
}

/// <summary>A number, a text, true, false, nil, empty or blank.</summary>
internal sealed record LiteralExpression(object? Value) : LiquidExpression
{
    public override object? Evaluate(LiquidRun run) => Value;
}

/// <summary>A variable with the way into it: <c>row.name</c>, <c>row["name"]</c>, <c>rows[0]</c>.</summary>
internal sealed record PathExpression(string Name, IReadOnlyList<(string? Member, LiquidExpression? Index)> Steps) : LiquidExpression
{
    public override object? Evaluate(LiquidRun run)
    {
        var value = run.Get(Name);
        foreach (var (member, index) in Steps)
        {
            if (value is null)
            {
                return null;
            }
            value = member is not null ? Member(value, member) : Index(value, index!.Evaluate(run));
        }
        return value;
    }

    private static object? Member(object value, string name) =>
        value switch
        {
            LiquidMap map => map.Member(name),
            IReadOnlyList<object?> list => name switch
            {
                "size" => (decimal)list.Count,
                "first" => list.Count > 0 ? list[0] : null,
                "last" => list.Count > 0 ? list[^1] : null,
                _ => null,
            },
            string or SafeHtml when name == "size" => (decimal)LiquidText.Of(value).Length,
            _ => null,
        };

    private static object? Index(object value, object? index) =>
        value switch
        {
            LiquidMap map => map.Find(LiquidText.Of(index)),
            IReadOnlyList<object?> list when index is decimal number => At(list, number),
            _ => null,
        };

    private static object? At(IReadOnlyList<object?> list, decimal number)
    {
        var at = number < 0 ? number + list.Count : number;
        return at >= 0 && at < list.Count ? list[(int)at] : null;
    }
}

/// <summary>Whole numbers from one to another.</summary>
internal sealed record RangeExpression(LiquidExpression From, LiquidExpression To) : LiquidExpression
{
    public override object? Evaluate(LiquidRun run)
    {
        var (from, to) = (decimal.Truncate(LiquidText.Number(From.Evaluate(run))), decimal.Truncate(LiquidText.Number(To.Evaluate(run))));
        if (to < from)
        {
            return Array.Empty<object?>();
        }
        // Compared before the difference: it could be larger than a number can be.
        if (to / 2 - from / 2 > LiquidLimits.Items)
        {
            throw LiquidLimits.TooManyItems();
        }
        var list = new object?[(int)(to - from) + 1];
        for (var i = 0; i < list.Length; i++)
        {
            list[i] = from + i;
        }
        return LiquidRun.Checked(list);
    }
}

/// <summary>A value through filters, one after the other: however many there are, they take no stack.</summary>
internal sealed record FilteredExpression(
    LiquidExpression Input,
    IReadOnlyList<(FilterCall Filter, IReadOnlyList<LiquidExpression> Arguments)> Filters
) : LiquidExpression
{
    public override object? Evaluate(LiquidRun run)
    {
        var value = Input.Evaluate(run);
        foreach (var (filter, arguments) in Filters)
        {
            var values = arguments.Count == 0 ? [] : new object?[arguments.Count];
            for (var i = 0; i < values.Length; i++)
            {
                values[i] = arguments[i].Evaluate(run);
            }
            run.CheckTime();
            value = LiquidRun.Checked(filter(value, values, run));
        }
        return value;
    }
}

/// <summary>Two values compared.</summary>
internal sealed record ComparisonExpression(LiquidExpression Left, string Operator, LiquidExpression Right) : LiquidExpression
{
    public override object? Evaluate(LiquidRun run)
    {
        var (left, right) = (Left.Evaluate(run), Right.Evaluate(run));
        return Operator switch
        {
            "==" => LiquidText.AreEqual(left, right),
            "!=" or "<>" => !LiquidText.AreEqual(left, right),
            "contains" => Contains(left, right),
            "<" => LiquidText.Compare(left, right) < 0,
            ">" => LiquidText.Compare(left, right) > 0,
            "<=" => LiquidText.Compare(left, right) <= 0,
            _ => LiquidText.Compare(left, right) >= 0,
        };
    }

    private static bool Contains(object? left, object? right) =>
        left switch
        {
            null => false,
            IReadOnlyList<object?> list => list.Any(item => LiquidText.AreEqual(item, right)),
            LiquidMap map => map.Keys.Contains(LiquidText.Of(right)),
            _ => right is not null && LiquidText.Of(left).Contains(LiquidText.Of(right), StringComparison.Ordinal),
        };
}

/// <summary><c>and</c>, <c>or</c>: as Liquid has them the part behind is looked at as a whole.</summary>
internal sealed record LogicalExpression(IReadOnlyList<LiquidExpression> Parts, IReadOnlyList<bool> IsAnd) : LiquidExpression
{
    public override object? Evaluate(LiquidRun run)
    {
        // From the right, and without recursion: a condition may be long.
        var value = LiquidText.IsTrue(Parts[^1].Evaluate(run));
        for (var i = IsAnd.Count - 1; i >= 0; i--)
        {
            var left = LiquidText.IsTrue(Parts[i].Evaluate(run));
            value = IsAnd[i] ? left && value : left || value;
        }
        return value;
    }
}
