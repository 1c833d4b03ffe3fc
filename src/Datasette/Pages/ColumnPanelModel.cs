namespace Datasette.Pages;

/// <summary>One column as it can be chosen, sorted by and asked about.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Note">Its type and constraints in words.</param>
/// <param name="IsShown">Whether it is shown now.</param>
/// <param name="IsFixed">Whether it is always shown: part of the key.</param>
/// <param name="Links">What can be done with it, each as a link.</param>
public sealed record ColumnChoice(string Name, string Note, bool IsShown, bool IsFixed, IReadOnlyList<TextLink> Links)
{
    /// <summary>What the metadata says of it; null for nothing.</summary>
    public string? Description { get; init; }
}

/// <summary>
/// All columns of a table with what can be done with each: a form and links, which the script shows again as a menu at each column's head.
/// </summary>
/// <param name="Action">Where the form goes.</param>
/// <param name="Hidden">Arguments that the form keeps.</param>
/// <param name="Columns">The columns: those shown in their order, then the others.</param>
public sealed record ColumnPanelModel(
    string Action,
    IReadOnlyList<KeyValuePair<string, string>> Hidden,
    IReadOnlyList<ColumnChoice> Columns
)
{
    /// <summary>The name of the database.</summary>
    public required string Database { get; init; }

    /// <summary>The name of the table.</summary>
    public required string Table { get; init; }

    /// <summary>Shows all columns; null when all are shown.</summary>
    public string? AllHref { get; init; }

    /// <summary>How many are not shown.</summary>
    public int HiddenCount => Columns.Count(column => !column.IsShown);
}
