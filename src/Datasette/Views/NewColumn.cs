namespace Datasette.Views;

/// <summary>One column of a table to be made.</summary>
internal sealed record NewColumn(string Name, string Type)
{
    public bool IsNotNull { get; init; }

    /// <summary>The default as SQL; null without one.</summary>
    public string? Default { get; init; }

    public string? ForeignTable { get; init; }

    /// <summary>Null takes the key of the other table.</summary>
    public string? ForeignColumn { get; init; }
}
