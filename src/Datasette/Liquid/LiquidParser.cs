namespace Datasette.Liquid;

/// <summary>From the parts of a source to nodes. Used once.</summary>
internal sealed class LiquidParser(LiquidLanguage language, IReadOnlyList<Part> parts)
{
    private int at;
    private int depth;

    /// <summary>The tag that ended a block.</summary>
    private (string Name, ExpressionParser Words, int Line) end;

    public LiquidBlock Parse() => Block(null, 0);

    /// <summary>Nodes up to one of the tags that end the block, which is then in <see cref="end"/>.</summary>
    private LiquidBlock Block(string? opener, int line, params ReadOnlySpan<string> ends)
    {
        if (++depth > LiquidLimits.Nesting)
        {
            throw new LiquidException(LiquidLimits.TooNested().Message, line);
        }
        var nodes = new List<LiquidNode>();
        while (at < parts.Count)
        {
            var part = parts[at++];
            if (part.Kind == PartKind.Text)
            {
                nodes.Add(new TextNode(part.Line, part.Content));
            }
            else if (part.Kind == PartKind.Output)
            {
                var expression = new ExpressionParser(language, part.Content, part.Line);
                nodes.Add(new OutputNode(part.Line, expression.Filtered()));
                expression.EnsureEnd();
            }
            else
            {
                var (name, rest) = Name(part);
                if (ends.Contains(name))
                {
                    depth--;
                    end = (name, rest, part.Line);
                    return new LiquidBlock(nodes);
                }
                nodes.Add(Tag(name, rest, part.Line, opener));
            }
        }
        if (opener is not null)
        {
            throw new LiquidException($"{{% {opener} %}} has no {{% end{opener} %}}", line);
        }
        depth--;
        return new LiquidBlock(nodes);
    }

    private (string Name, ExpressionParser Words) Name(Part part)
    {
        var length = 0;
        while (length < part.Content.Length && (char.IsLetterOrDigit(part.Content[length]) || part.Content[length] == '_'))
        {
            length++;
        }
        return (part.Content[..length], new ExpressionParser(language, part.Content[length..], part.Line));
    }

    private LiquidNode Tag(string name, ExpressionParser rest, int line, string? opener)
    {
        LiquidNode node = name switch
        {
            "assign" => Assign(rest, line),
            "echo" => new OutputNode(line, rest.Filtered()),
            "if" => If(rest, line),
            "unless" => Unless(rest, line),
            "case" => Case(rest, line),
            "for" => For(rest, line),
            "capture" => Capture(rest, line),
            "break" => new FlowNode(line, Flow.Break),
            "continue" => new FlowNode(line, Flow.Continue),
            "cycle" => Cycle(rest, line),
            "increment" or "decrement" => new CounterNode(line, rest.RequireName("the name of a counter"), name == "increment"),
            _ when language.Tags.TryGetValue(name, out var tag) => new HostNode(line, tag, rest.Arguments()),
            _ => throw Unknown(name, line, opener),
        };
        rest.EnsureEnd();
        return node;
    }

    private LiquidException Unknown(string name, int line, string? opener)
    {
        if (name.StartsWith("end", StringComparison.Ordinal) || name is "else" or "elsif" or "when")
        {
            return new(
                opener is null
                    ? $"{{% {name} %}} ends nothing"
                    : $"{{% {name} %}} stands in a {{% {opener} %}}, which ends with {{% end{opener} %}}",
                line
            );
        }
        var known = new[] { "if", "unless", "case", "for", "assign", "capture", "cycle", "comment", "raw" }.Concat(language.Tags.Keys);
        return new($"there is no tag '{name}'. There are: {string.Join(", ", known)}", line);
    }

    private static AssignNode Assign(ExpressionParser rest, int line)
    {
        var name = rest.RequireName("the name of a variable");
        rest.Require("=");
        return new(line, name, rest.Filtered());
    }

    private CaptureNode Capture(ExpressionParser rest, int line)
    {
        var name = rest.RequireName("the name of a variable");
        rest.EnsureEnd();
        var node = new CaptureNode(line, name, Block("capture", line, "endcapture"));
        end.Words.EnsureEnd();
        return node;
    }

    private IfNode If(ExpressionParser rest, int line)
    {
        var branches = new List<(LiquidExpression?, bool, LiquidBlock)>();
        var condition = Condition(rest);
        var block = Block("if", line, "elsif", "else", "endif");
        branches.Add((condition, true, block));
        while (end.Name == "elsif")
        {
            condition = Condition(end.Words);
            block = Block("if", line, "elsif", "else", "endif");
            branches.Add((condition, true, block));
        }
        AddElse(branches, "if", line);
        return new(line, branches);
    }

    private IfNode Unless(ExpressionParser rest, int line)
    {
        var branches = new List<(LiquidExpression?, bool, LiquidBlock)>();
        var condition = Condition(rest);
        branches.Add((condition, false, Block("unless", line, "else", "endunless")));
        AddElse(branches, "unless", line);
        return new(line, branches);
    }

    private void AddElse(List<(LiquidExpression?, bool, LiquidBlock)> branches, string opener, int line)
    {
        if (end.Name == "else")
        {
            end.Words.EnsureEnd();
            branches.Add((null, true, Block(opener, line, "end" + opener)));
        }
        end.Words.EnsureEnd();
    }

    private static LiquidExpression Condition(ExpressionParser rest)
    {
        var condition = rest.Condition();
        rest.EnsureEnd();
        return condition;
    }

    private CaseNode Case(ExpressionParser rest, int line)
    {
        var value = rest.Value();
        rest.EnsureEnd();
        // What stands before the first when is never written.
        Block("case", line, "when", "else", "endcase");
        var branches = new List<(IReadOnlyList<LiquidExpression>?, LiquidBlock)>();
        while (end.Name == "when")
        {
            var values = new List<LiquidExpression> { end.Words.Value() };
            while (end.Words.TakeSymbol(",") || end.Words.TakeWord("or"))
            {
                values.Add(end.Words.Value());
            }
            end.Words.EnsureEnd();
            branches.Add((values, Block("case", line, "when", "else", "endcase")));
        }
        if (end.Name == "else")
        {
            end.Words.EnsureEnd();
            branches.Add((null, Block("case", line, "endcase")));
        }
        return new(line, value, branches);
    }

    private ForNode For(ExpressionParser rest, int line)
    {
        var name = rest.RequireName("the name of a variable");
        if (!rest.TakeWord("in"))
        {
            throw rest.Unexpected("'in'");
        }
        var source = rest.Value();
        LiquidExpression? limit = null;
        LiquidExpression? offset = null;
        var reversed = false;
        while (!rest.IsAtEnd)
        {
            if (rest.TakeWord("reversed"))
            {
                reversed = true;
            }
            else if (rest.TakeWord("limit"))
            {
                rest.Require(":");
                limit = rest.Value();
            }
            else if (rest.TakeWord("offset"))
            {
                rest.Require(":");
                offset = rest.Value();
            }
            else if (!rest.TakeSymbol(","))
            {
                throw rest.Unexpected("reversed, limit: or offset:");
            }
        }
        var block = Block("for", line, "else", "endfor");
        LiquidBlock? otherwise = null;
        if (end.Name == "else")
        {
            end.Words.EnsureEnd();
            otherwise = Block("for", line, "endfor");
        }
        end.Words.EnsureEnd();
        return new(line, name, source, block, otherwise)
        {
            Limit = limit,
            Offset = offset,
            IsReversed = reversed,
        };
    }

    private CycleNode Cycle(ExpressionParser rest, int line)
    {
        var values = rest.Values();
        var group = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"cycle {at}");
        if (rest.TakeSymbol(":"))
        {
            group = "cycle " + values[0];
            values = rest.Values();
        }
        return new(line, group, values);
    }
}
