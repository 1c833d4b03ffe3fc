using Datasette.Text;

namespace Datasette.Databases;

/// <summary>From one definition of a table to the next. Pure.</summary>
internal static class TableChanges
{
    /// <summary>The definition after an operation; renames are SQLite's own work.</summary>
    /// <param name="table">The definition before.</param>
    /// <param name="operation">What is wished.</param>
    /// <param name="keyOf">The columns of another table's key; null when there is no such table.</param>
    /// <exception cref="DatasetteException">400: it names what is not there, or would leave a table that cannot be.</exception>
    public static TableDefinition Apply(TableDefinition table, TableOperation operation, Func<string, IReadOnlyList<string>?> keyOf) =>
        operation switch
        {
            AddColumn add => Add(table, add),
            AlterColumn alter => Alter(table, alter),
            DropColumn drop => Drop(table, drop),
            ReorderColumns order => Reorder(table, order),
            SetPrimaryKey key => SetKey(table, key),
            AddForeignKey add => WithKey(table, add, keyOf),
            DropForeignKey drop => WithoutKey(table, Known(table, drop.Column, drop.Location)),
            SetForeignKeys set => set.Keys.Aggregate(
                table with
                {
                    ForeignKeys = [.. table.ForeignKeys.Where(k => k.Columns.Count > 1)],
                },
                (changed, key) => WithKey(changed, key, keyOf)
            ),
            _ => throw new ArgumentOutOfRangeException(nameof(operation)),
        };

    private static TableDefinition Add(TableDefinition table, AddColumn add)
    {
        return table.Column(add.Column.Name) is null
            ? table with
            {
                Columns = [.. table.Columns, add.Column],
            }
            : throw Bad(add.Location, $"duplicate column name: {add.Column.Name}");
    }

    private static TableDefinition Alter(TableDefinition table, AlterColumn alter)
    {
        var column = Known(table, alter.Name, alter.Location);
        if (column.IsGenerated && (alter.HasDefault || alter.IsNotNull is not null))
        {
            throw Bad(alter.Location, $"{column.Name} is a generated column: only its type can change");
        }

        var changed = column with
        {
            Type = alter.Type ?? column.Type,
            NotNull = alter.IsNotNull switch
            {
                true => column.NotNull ?? "NOT NULL",
                false => null,
                null => column.NotNull,
            },
            Default = alter.HasDefault ? alter.Default : column.Default,
        };
        return table with { Columns = [.. table.Columns.Select(c => ReferenceEquals(c, column) ? changed : c)] };
    }

    // A column that is not there is gone already, as the original has it.
    private static TableDefinition Drop(TableDefinition table, DropColumn drop)
    {
        if (table.Column(drop.Name) is not { } column)
        {
            return table;
        }

        if (table.PrimaryKey.Any(column.IsNamed))
        {
            throw Bad(drop.Location, $"{column.Name} is part of the primary key; set another key first");
        }

        var parts = table.Constraints.Concat(table.Columns.Where(c => c != column).SelectMany(c => c.Rest));
        if (parts.FirstOrDefault(part => SqlToken.Read(part).Exists(t => t.Names(column.Name))) is { } user)
        {
            throw Bad(drop.Location, $"{column.Name} is used by {user}");
        }

        if (table.ForeignKeys.Any(k => k.Columns.Count > 1 && k.Columns.Any(column.IsNamed)))
        {
            throw Bad(drop.Location, $"{column.Name} is part of a compound foreign key");
        }

        return table.Columns.Count == 1
            ? throw Bad(drop.Location, $"{column.Name} is the only column")
            : WithoutKey(table, column) with
            {
                Columns = [.. table.Columns.Where(c => c != column)],
            };
    }

    private static TableDefinition Reorder(TableDefinition table, ReorderColumns order)
    {
        var first = order.Columns.Select(name => Known(table, name, order.Location)).ToList();
        return first.Distinct().Count() == first.Count
            ? table with
            {
                Columns = [.. first, .. table.Columns.Except(first)],
            }
            : throw Bad(order.Location, "a column is named twice");
    }

    private static TableDefinition SetKey(TableDefinition table, SetPrimaryKey key)
    {
        var columns = key.Columns.Select(name => Known(table, name, key.Location).Name).ToList();
        if (columns.Distinct(StringComparer.OrdinalIgnoreCase).Count() != columns.Count)
        {
            throw Bad(key.Location, "a column is named twice");
        }

        if (columns.SequenceEqual(table.PrimaryKey, StringComparer.OrdinalIgnoreCase))
        {
            return table;
        }

        return table with
        {
            PrimaryKey = columns,
            KeySuffix = "",
            Constraints = [.. table.Constraints.Where(c => !IsKey(c))],
        };
    }

    public static bool IsKey(string constraint)
    {
        var tokens = SqlToken.Read(constraint);
        return tokens[tokens[0].Is("constraint") ? 2 : 0].Is("primary");
    }

    private static TableDefinition WithKey(TableDefinition table, AddForeignKey add, Func<string, IReadOnlyList<string>?> keyOf)
    {
        var column = Known(table, add.Column, add.Location);
        var isOwn = table.Name.Equals(add.Table, StringComparison.OrdinalIgnoreCase);
        var keys = (isOwn ? table.PrimaryKey : keyOf(add.Table)) ?? throw Bad(add.Location, $"Table not found: {add.Table}");
        var other =
            add.OtherColumn
            ?? (keys is [var key] ? key : throw Bad(add.Location, $"Could not detect single primary key for table '{add.Table}'"));
        var reference = new ForeignKeyDefinition([column.Name], add.Table, [other]);
        return table with { ForeignKeys = [.. WithoutKey(table, column).ForeignKeys, reference] };
    }

    private static TableDefinition WithoutKey(TableDefinition table, ColumnDefinition column) =>
        table with
        {
            ForeignKeys = [.. table.ForeignKeys.Where(k => !(k.Columns is [var own] && column.IsNamed(own)))],
        };

    private static ColumnDefinition Known(TableDefinition table, string name, string location) =>
        table.Column(name) ?? throw Bad(location, $"Column not found: {name}");

    private static DatasetteException Bad(string location, string message) => new(400, $"{location}: {message}");
}
