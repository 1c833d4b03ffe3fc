namespace Datasette.Databases;

/// <summary>One wish of an alteration, in the words of the interface.</summary>
/// <param name="Location">Where it stands in the request, for errors.</param>
internal abstract record TableOperation(string Location);

internal sealed record AddColumn(string Location, ColumnDefinition Column, bool IsDefaultConstant) : TableOperation(Location);

internal sealed record RenameColumn(string Location, string Name, string To) : TableOperation(Location);

/// <param name="Location">Where it stands.</param>
/// <param name="Name">The column.</param>
/// <param name="Type">SQLite's type; null leaves it.</param>
/// <param name="IsNotNull">Null leaves it.</param>
/// <param name="HasDefault">Whether <paramref name="Default"/> counts; then null takes the default away.</param>
/// <param name="Default">As SQL.</param>
internal sealed record AlterColumn(string Location, string Name, string? Type, bool? IsNotNull, bool HasDefault, string? Default)
    : TableOperation(Location);

internal sealed record DropColumn(string Location, string Name) : TableOperation(Location);

internal sealed record ReorderColumns(string Location, IReadOnlyList<string> Columns) : TableOperation(Location);

internal sealed record SetPrimaryKey(string Location, IReadOnlyList<string> Columns) : TableOperation(Location);

internal sealed record RenameTable(string Location, string To) : TableOperation(Location);

internal sealed record AddForeignKey(string Location, string Column, string Table, string? OtherColumn) : TableOperation(Location);

internal sealed record DropForeignKey(string Location, string Column) : TableOperation(Location);

internal sealed record SetForeignKeys(string Location, IReadOnlyList<AddForeignKey> Keys) : TableOperation(Location);
