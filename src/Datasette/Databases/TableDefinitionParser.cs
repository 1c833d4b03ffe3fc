using Datasette.Text;

namespace Datasette.Databases;

/// <summary>Reads the CREATE statement of a table that SQLite has accepted. Pure.</summary>
internal sealed class TableDefinitionParser
{
    private static readonly string[] ColumnWords =
    [
        "constraint",
        "primary",
        "not",
        "null",
        "unique",
        "check",
        "default",
        "collate",
        "references",
        "generated",
        "as",
        "deferrable",
    ];

    private readonly string _sql;
    private readonly List<SqlToken> _tokens;
    private readonly List<ColumnDefinition> _columns = [];
    private readonly List<string> _constraints = [];
    private readonly List<ForeignKeyDefinition> _foreignKeys = [];
    private List<string> _key = [];
    private string _keySuffix = "";
    private int _at;

    private TableDefinitionParser(string sql)
    {
        _sql = sql;
        _tokens = SqlToken.Read(sql);
    }

    /// <exception cref="DatasetteException">400: a statement that is none, or one that is beyond this parser.</exception>
    public static TableDefinition Parse(string sql) => new TableDefinitionParser(sql).Read();

    private TableDefinition Read()
    {
        Expect("create");
        Expect("table");
        var name = Name();
        Expect("(");
        do
        {
            if (
                Peek() is { Kind: SqlTokenKind.Word } word
                && word.Value.ToUpperInvariant() is "CONSTRAINT" or "PRIMARY" or "UNIQUE" or "CHECK" or "FOREIGN"
            )
            {
                while (Peek() is { } next && !next.Is(",") && !next.Is(")"))
                {
                    ReadConstraint();
                }
            }
            else
            {
                ReadColumn();
            }
        } while (Take(","));
        Expect(")");
        return new TableDefinition
        {
            Name = name,
            Columns = _columns,
            PrimaryKey = _key,
            KeySuffix = _keySuffix,
            ForeignKeys = _foreignKeys,
            Constraints = _constraints,
            Options = _at < _tokens.Count ? _sql[_tokens[_at].Start.._tokens[^1].End] : "",
        };
    }

    private void ReadColumn()
    {
        var name = Name();
        var start = _at;
        while (Peek() is { } token && !token.Is(",") && !token.Is(")") && !IsColumnWord(token))
        {
            Skip();
        }

        var column = new ColumnDefinition(name, Since(start)) { StoredName = name };
        while (Peek() is { } token && !token.Is(",") && !token.Is(")"))
        {
            column = ReadPart(column);
        }

        _columns.Add(column);
    }

    private ColumnDefinition ReadPart(ColumnDefinition column)
    {
        var start = _at;
        if (Take("constraint"))
        {
            Name();
        }

        if (Take("primary"))
        {
            Expect("key");
            var suffix = _at;
            while (Peek() is { } next && (next.Is("asc") || next.Is("desc") || next.Is("autoincrement") || next.Is("on")))
            {
                _at += next.Is("on") ? 3 : 1;
            }

            _key = [column.Name];
            _keySuffix = _at > suffix ? " " + Since(suffix) : "";
            return column;
        }

        if (Peek(0, "not") && Peek(1, "null"))
        {
            var words = _at;
            _at += 2;
            SkipConflict();
            return column with { NotNull = Since(words).ToUpperInvariant() };
        }

        if (Take("null"))
        {
            SkipConflict();
            return column;
        }

        if (Take("default"))
        {
            return column with { Default = ReadDefault() };
        }

        if (Peek(0, "references"))
        {
            _foreignKeys.Add(ReadReference([column.Name]));
            return column;
        }

        return ReadOpaque(column, start);
    }

    // UNIQUE, CHECK, COLLATE, GENERATED: kept as they are.
    private ColumnDefinition ReadOpaque(ColumnDefinition column, int start)
    {
        var isGenerated = false;
        if (Take("unique"))
        {
            SkipConflict();
        }
        else if (Take("check"))
        {
            Skip();
        }
        else if (Take("collate"))
        {
            Name();
        }
        else if (Peek(0, "generated") || Peek(0, "as"))
        {
            isGenerated = true;
            _at += Peek(0, "generated") ? 3 : 1;
            Skip();
            _ = Take("stored") || Take("virtual");
        }
        else if (Peek(0, "not") || Peek(0, "deferrable"))
        {
            SkipDeferrable();
        }
        else
        {
            throw Beyond();
        }

        return column with
        {
            Rest = [.. column.Rest, Since(start)],
            IsGenerated = column.IsGenerated || isGenerated,
        };
    }

    private string ReadDefault()
    {
        var start = _at;
        if (Peek(0, "+") || Peek(0, "-"))
        {
            _at++;
        }

        var isBlob = Peek(0, "x") && _tokens[_at + 1].Kind == SqlTokenKind.Text && _tokens[_at + 1].Start == _tokens[_at].End;
        Skip();
        if (isBlob)
        {
            _at++;
        }

        return Since(start);
    }

    private void ReadConstraint()
    {
        var start = _at;
        var isNamed = Take("constraint");
        if (isNamed)
        {
            Name();
        }

        if (Take("primary"))
        {
            Expect("key");
            if (PlainNames() is { } names && !isNamed && !Peek(0, "on"))
            {
                _key = names;
                return;
            }

            SkipConflict();
        }
        else if (Take("foreign"))
        {
            Expect("key");
            _foreignKeys.Add(ReadReference(PlainNames() ?? throw Beyond()));
            return;
        }
        else if (Take("unique") || Take("check"))
        {
            Skip();
            SkipConflict();
        }
        else
        {
            throw Beyond();
        }

        _constraints.Add(Since(start));
    }

    private ForeignKeyDefinition ReadReference(IReadOnlyList<string> columns)
    {
        Expect("references");
        var table = Name();
        var others = Peek(0, "(") ? PlainNames() ?? throw Beyond() : [];
        var start = _at;
        while (true)
        {
            if (Take("on"))
            {
                // ON DELETE SET NULL, SET DEFAULT, NO ACTION; CASCADE and RESTRICT are one word.
                _at += Peek(1, "set") || Peek(1, "no") ? 3 : 2;
            }
            else if (Take("match"))
            {
                _at++;
            }
            else if (!SkipDeferrable())
            {
                break;
            }
        }

        return new(columns, table, others, Since(start));
    }

    private bool SkipDeferrable()
    {
        if (!(Peek(0, "deferrable") || (Peek(0, "not") && Peek(1, "deferrable"))))
        {
            return false;
        }

        _at += Peek(0, "not") ? 2 : 1;
        if (Take("initially"))
        {
            _at++;
        }

        return true;
    }

    private void SkipConflict()
    {
        if (Peek(0, "on") && Peek(1, "conflict"))
        {
            _at += 3;
        }
    }

    // A list of names and nothing else between brackets; null, and past it all the same, when it says more.
    private List<string>? PlainNames()
    {
        var start = _at;
        Skip();
        var inner = _tokens[(start + 1)..(_at - 1)];
        var isPlain =
            inner.Count % 2 == 1 && inner.Select((token, i) => i % 2 == 0 ? token.Kind != SqlTokenKind.Mark : token.Is(",")).All(x => x);
        return isPlain ? inner.Where((_, i) => i % 2 == 0).Select(token => token.Value).ToList() : null;
    }

    private static bool IsColumnWord(SqlToken token) =>
        token.Kind == SqlTokenKind.Word && ColumnWords.Contains(token.Value, StringComparer.OrdinalIgnoreCase);

    private SqlToken? Peek() => _at < _tokens.Count ? _tokens[_at] : null;

    private bool Peek(int ahead, string word) => _at + ahead < _tokens.Count && _tokens[_at + ahead].Is(word);

    private bool Take(string word)
    {
        if (!Peek(0, word))
        {
            return false;
        }

        _at++;
        return true;
    }

    private void Expect(string word)
    {
        if (!Take(word))
        {
            throw Beyond();
        }
    }

    private string Name()
    {
        var token = Peek() is { Kind: not SqlTokenKind.Mark } found ? found : throw Beyond();
        _at++;
        return token.Value;
    }

    // One token, or everything between a pair of brackets.
    private void Skip()
    {
        var depth = 0;
        do
        {
            var token = Peek() ?? throw Beyond();
            depth +=
                token.Is("(") ? 1
                : token.Is(")") ? -1
                : 0;
            _at++;
        } while (depth > 0);
    }

    private string Since(int start) => _at > start ? _sql[_tokens[start].Start.._tokens[_at - 1].End] : "";

    private DatasetteException Beyond() =>
        new(400, $"This table's CREATE statement cannot be changed here, near {(_at < _tokens.Count ? _tokens[_at].Value : "its end")}");
}
