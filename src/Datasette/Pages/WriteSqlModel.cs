namespace Datasette.Pages;

/// <summary>One thing that SQL would do.</summary>
/// <param name="Operation">Such as <c>insert</c>.</param>
/// <param name="Table">What it is done to; empty where there is none.</param>
/// <param name="Source">The trigger or view that leads there; null when the SQL itself names it.</param>
/// <param name="Needed">The permissions it needs.</param>
/// <param name="IsAllowed">Whether the visitor has them.</param>
public sealed record OperationModel(string Operation, string Table, string? Source, string Needed, bool IsAllowed);

/// <summary>Statements to begin with.</summary>
/// <param name="Tables">The tables they can be about.</param>
/// <param name="Kinds">The value and the label of each.</param>
public sealed record SqlTemplatesModel(IReadOnlyList<OptionModel> Tables, IReadOnlyList<KeyValuePair<string, string>> Kinds);

/// <summary>The page for SQL that writes.</summary>
public sealed record WriteSqlModel
{
    /// <summary>The frame.</summary>
    public required LayoutModel Layout { get; init; }

    /// <summary>Its heading.</summary>
    public required string Heading { get; init; }

    /// <summary>Six hex digits.</summary>
    public required string Color { get; init; }

    /// <summary>Where its form goes.</summary>
    public required string Action { get; init; }

    /// <summary>The SQL.</summary>
    public required string Sql { get; init; }

    /// <summary>Its parameters.</summary>
    public required IReadOnlyList<ParameterModel> Parameters { get; init; }

    /// <summary>What it would do.</summary>
    public required IReadOnlyList<OperationModel> Operations { get; init; }

    /// <summary>Statements to begin with; null where there are none.</summary>
    public SqlTemplatesModel? Templates { get; init; }

    /// <summary>Why it cannot be run; null when it can.</summary>
    public string? DisabledReason { get; init; }

    /// <summary>Whether the button is disabled without a script too.</summary>
    public bool IsDisabled { get; init; }

    /// <summary>What went wrong; null when nothing did.</summary>
    public string? Error { get; init; }

    /// <summary>What was done; null before anything was.</summary>
    public string? Result { get; init; }

    /// <summary>The row that was inserted; null when it is not one row, or not known.</summary>
    public string? RowHref { get; init; }

    /// <summary>What RETURNING gave; null without it.</summary>
    public RowsModel? Rows { get; init; }

    /// <summary>Whether it gave more than is shown.</summary>
    public bool IsTruncated { get; init; }
}
