namespace Datasette.Liquid;

/// <summary>Reads what stands in one tag.</summary>
internal sealed class ExpressionParser(LiquidLanguage language, string tag, int line)
{
    private static readonly string[] Comparisons = ["==", "!=", "<>", "<", ">", "<=", ">="];
    private readonly List<Token> tokens = LiquidTokens.Split(tag, line);
    private int at;
    private int brackets;

    private Token Next => at < tokens.Count ? tokens[at] : new(TokenKind.End, "");

    public bool IsAtEnd => at >= tokens.Count;

    public LiquidException Unexpected(string wanted) => new($"{wanted} is expected, but there is {Next}", line);

    public void EnsureEnd()
    {
        if (!IsAtEnd)
        {
            throw Unexpected("the end of the tag");
        }
    }

    public bool TakeSymbol(string symbol) => Take(TokenKind.Symbol, symbol);

    public bool TakeWord(string word) => Take(TokenKind.Name, word);

    public void Require(string symbol)
    {
        if (!TakeSymbol(symbol))
        {
            throw Unexpected($"'{symbol}'");
        }
    }

    public string RequireName(string what)
    {
        if (Next.Kind != TokenKind.Name)
        {
            throw Unexpected(what);
        }
        return tokens[at++].Text;
    }

    /// <summary>A value with filters: what is written out or assigned.</summary>
    public LiquidExpression Filtered()
    {
        var value = Condition();
        var filters = new List<(FilterCall, IReadOnlyList<LiquidExpression>)>();
        while (TakeSymbol("|"))
        {
            var name = RequireName("the name of a filter");
            if (!language.Filters.TryGetValue(name, out var filter))
            {
                throw new LiquidException($"there is no filter '{name}'. docs/guides/templates.md lists them", line);
            }
            filters.Add((filter, TakeSymbol(":") ? Values() : []));
        }
        return filters.Count == 0 ? value : new FilteredExpression(value, filters);
    }

    /// <summary>A value, compared and combined: what stands in <c>if</c>.</summary>
    public LiquidExpression Condition()
    {
        var parts = new List<LiquidExpression> { Comparison() };
        var isAnd = new List<bool>();
        while (Next is { Kind: TokenKind.Name, Text: "and" or "or" })
        {
            isAnd.Add(tokens[at++].Text == "and");
            parts.Add(Comparison());
        }
        return parts.Count == 1 ? parts[0] : new LogicalExpression(parts, isAnd);
    }

    /// <summary>Values with commas between them.</summary>
    public List<LiquidExpression> Values()
    {
        var values = new List<LiquidExpression> { Value() };
        while (TakeSymbol(","))
        {
            values.Add(Value());
        }
        return values;
    }

    /// <summary>Values and named values with commas between them, up to the end; a first comma may be left out.</summary>
    public List<(string? Name, LiquidExpression Value)> Arguments()
    {
        var arguments = new List<(string?, LiquidExpression)>();
        while (!IsAtEnd)
        {
            var isNamed = Next.Kind == TokenKind.Name && at + 1 < tokens.Count && tokens[at + 1] is { Kind: TokenKind.Symbol, Text: ":" };
            var name = isNamed ? tokens[at].Text : null;
            at += isNamed ? 2 : 0;
            arguments.Add((name, Value()));
            TakeSymbol(",");
        }
        return arguments;
    }

    public LiquidExpression Value()
    {
        var token = Next;
        at++;
        switch (token.Kind)
        {
            case TokenKind.Number:
                return new LiteralExpression(token.Number);
            case TokenKind.Text:
                return new LiteralExpression(token.Text);
            case TokenKind.Name:
                return Literal(token.Text) is { } literal ? literal : Path(token.Text);
            case TokenKind.Symbol when token.Text == "(":
                return Nested(Range);
            default:
                at--;
                throw Unexpected("a value");
        }
    }

    private static LiteralExpression? Literal(string name) =>
        name switch
        {
            "true" => new(true),
            "false" => new(false),
            "nil" or "null" or "none" => new(null),
            "empty" => new(new BlankMark(true)),
            "blank" => new(new BlankMark(false)),
            _ => null,
        };

    private RangeExpression Range()
    {
        var from = Value();
        Require("..");
        var to = Value();
        Require(")");
        return new(from, to);
    }

    private PathExpression Path(string name)
    {
        var steps = new List<(string?, LiquidExpression?)>();
        while (true)
        {
            if (TakeSymbol("."))
            {
                steps.Add((RequireName("a name behind the dot"), null));
            }
            else if (TakeSymbol("["))
            {
                steps.Add((null, Nested(Value)));
                Require("]");
            }
            else
            {
                return new(name, steps);
            }
        }
    }

    private LiquidExpression Comparison()
    {
        var left = Value();
        if (Next.Kind == TokenKind.Symbol && Comparisons.Contains(Next.Text) || Next is { Kind: TokenKind.Name, Text: "contains" })
        {
            var symbol = tokens[at++].Text;
            return new ComparisonExpression(left, symbol, Value());
        }
        return left;
    }

    /// <summary>Brackets within brackets cost a piece of the stack each.</summary>
    private T Nested<T>(Func<T> inner)
    {
        if (++brackets > LiquidLimits.Brackets)
        {
            throw new LiquidException($"brackets are nested deeper than {LiquidLimits.Brackets}", line);
        }
        var value = inner();
        brackets--;
        return value;
    }

    private bool Take(TokenKind kind, string text)
    {
        if (Next.Kind == kind && Next.Text == text)
        {
            at++;
            return true;
        }
        return false;
    }
}
