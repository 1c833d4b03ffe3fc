namespace Datasette.Liquid;

/// <summary>How a node ended.</summary>
internal enum Flow
{
    Normal,
    Break,
    Continue,
}

/// <summary>A part of a template that writes something.</summary>
internal abstract record LiquidNode(int Line)
{
    public abstract Flow Write(LiquidRun run, LimitedWriter writer);
}

/// <summary>Nodes one after the other.</summary>
internal sealed class LiquidBlock(IReadOnlyList<LiquidNode> nodes)
{
    /// <summary>Blocks within blocks in all files together: each costs a piece of the stack.</summary>
    private const int MostDeep = 4 * LiquidLimits.Nesting;

    public Flow Write(LiquidRun run, LimitedWriter writer)
    {
        if (++run.Budget.Depth > MostDeep)
        {
            throw LiquidLimits.TooNested();
        }
        var flow = Flow.Normal;
        for (var i = 0; i < nodes.Count && flow == Flow.Normal; i++)
        {
            flow = nodes[i].Write(run, writer);
        }
        run.Budget.Depth--;
        return flow;
    }
}

internal sealed record TextNode(int Line, string Text) : LiquidNode(Line)
{
    public override Flow Write(LiquidRun run, LimitedWriter writer)
    {
        writer.WriteRaw(Text);
        return Flow.Normal;
    }
}

internal sealed record OutputNode(int Line, LiquidExpression Value) : LiquidNode(Line)
{
    public override Flow Write(LiquidRun run, LimitedWriter writer)
    {
        run.Step(Line);
        writer.Write(Value.Evaluate(run));
        return Flow.Normal;
    }
}

internal sealed record AssignNode(int Line, string Name, LiquidExpression Value) : LiquidNode(Line)
{
    public override Flow Write(LiquidRun run, LimitedWriter writer)
    {
        run.Step(Line);
        run.Set(Name, Value.Evaluate(run));
        return Flow.Normal;
    }
}

internal sealed record CaptureNode(int Line, string Name, LiquidBlock Block) : LiquidNode(Line)
{
    public override Flow Write(LiquidRun run, LimitedWriter writer)
    {
        run.Step(Line);
        var text = new LimitedWriter(run.Encoder);
        var flow = Block.Write(run, text);
        run.Set(Name, new SafeHtml(text.ToString()));
        return flow;
    }
}

/// <summary>if, elsif, else; unless.</summary>
internal sealed record IfNode(int Line, IReadOnlyList<(LiquidExpression? Condition, bool Wanted, LiquidBlock Block)> Branches)
    : LiquidNode(Line)
{
    public override Flow Write(LiquidRun run, LimitedWriter writer)
    {
        run.Step(Line);
        foreach (var (condition, wanted, block) in Branches)
        {
            if (condition is null || LiquidText.IsTrue(condition.Evaluate(run)) == wanted)
            {
                return block.Write(run, writer);
            }
        }
        return Flow.Normal;
    }
}

/// <summary>case, when, else.</summary>
internal sealed record CaseNode(
    int Line,
    LiquidExpression Value,
    IReadOnlyList<(IReadOnlyList<LiquidExpression>? Values, LiquidBlock Block)> Branches
) : LiquidNode(Line)
{
    public override Flow Write(LiquidRun run, LimitedWriter writer)
    {
        run.Step(Line);
        var value = Value.Evaluate(run);
        foreach (var (values, block) in Branches)
        {
            if (values is null || values.Any(other => LiquidText.AreEqual(value, other.Evaluate(run))))
            {
                return block.Write(run, writer);
            }
        }
        return Flow.Normal;
    }
}

internal sealed record ForNode(int Line, string Name, LiquidExpression Source, LiquidBlock Block, LiquidBlock? Else) : LiquidNode(Line)
{
    public LiquidExpression? Limit { get; init; }

    public LiquidExpression? Offset { get; init; }

    public bool IsReversed { get; init; }

    public override Flow Write(LiquidRun run, LimitedWriter writer)
    {
        run.Step(Line);
        var items = Items(run);
        if (items.Count == 0)
        {
            return Else?.Write(run, writer) ?? Flow.Normal;
        }
        var loop = new LoopMap(items.Count, run.Get("forloop"));
        run.EnterScope();
        run.SetHere("forloop", loop);
        for (var i = 0; i < items.Count; i++)
        {
            run.Step(Line);
            loop.Index = i;
            run.SetHere(Name, items[i]);
            if (Block.Write(run, writer) == Flow.Break)
            {
                break;
            }
        }
        run.LeaveScope();
        return Flow.Normal;
    }

    private IReadOnlyList<object?> Items(LiquidRun run)
    {
        IReadOnlyList<object?> items = Source.Evaluate(run) switch
        {
            IReadOnlyList<object?> list => list,
            LiquidMap map => map.Items(),
            null or BlankMark or "" => [],
            var single => [single],
        };
        var offset = (int)Math.Clamp(LiquidText.Number(Offset?.Evaluate(run)), 0, items.Count);
        var limit = Limit is null ? items.Count : (int)Math.Clamp(LiquidText.Number(Limit.Evaluate(run)), 0, items.Count);
        if (offset > 0 || limit < items.Count)
        {
            items = items.Skip(offset).Take(limit).ToList();
        }
        return IsReversed ? items.Reverse().ToList() : items;
    }
}

/// <summary>What a loop tells about itself.</summary>
internal sealed class LoopMap(int length, object? parent) : LiquidMap
{
    public int Index { get; set; }

    public override IEnumerable<string> Keys => ["index", "index0", "rindex", "rindex0", "first", "last", "length"];

    public override object? Find(string name) =>
        name switch
        {
            "index" => (decimal)(Index + 1),
            "index0" => (decimal)Index,
            "rindex" => (decimal)(length - Index),
            "rindex0" => (decimal)(length - Index - 1),
            "first" => Index == 0,
            "last" => Index == length - 1,
            "length" => (decimal)length,
            "parentloop" => parent,
            _ => null,
        };
}

/// <summary>break, continue.</summary>
internal sealed record FlowNode(int Line, Flow Flow) : LiquidNode(Line)
{
    public override Flow Write(LiquidRun run, LimitedWriter writer)
    {
        run.Step(Line);
        return Flow;
    }
}

/// <summary>cycle: one value after the other.</summary>
internal sealed record CycleNode(int Line, string Group, IReadOnlyList<LiquidExpression> Values) : LiquidNode(Line)
{
    public override Flow Write(LiquidRun run, LimitedWriter writer)
    {
        run.Step(Line);
        var at = run.Counters.GetValueOrDefault(Group);
        run.Counters[Group] = (at + 1) % Values.Count;
        writer.Write(Values[at].Evaluate(run));
        return Flow.Normal;
    }
}

/// <summary>increment, decrement: a counter of its own, which no assign touches.</summary>
internal sealed record CounterNode(int Line, string Name, bool IsUp) : LiquidNode(Line)
{
    public override Flow Write(LiquidRun run, LimitedWriter writer)
    {
        run.Step(Line);
        var key = "counter " + Name;
        var value = run.Counters.GetValueOrDefault(key);
        run.Counters[key] = IsUp ? value + 1 : value - 1;
        writer.Write((decimal)(IsUp ? value : value - 1));
        return Flow.Normal;
    }
}

/// <summary>A tag of the host.</summary>
internal sealed record HostNode(int Line, TagCall Tag, IReadOnlyList<(string? Name, LiquidExpression Value)> Arguments) : LiquidNode(Line)
{
    public override Flow Write(LiquidRun run, LimitedWriter writer)
    {
        run.Step(Line);
        Tag(run, writer, Arguments.Select(argument => new LiquidArgument(argument.Name, argument.Value.Evaluate(run))).ToList());
        return Flow.Normal;
    }
}
