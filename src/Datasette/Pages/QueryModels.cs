namespace Datasette.Pages;

/// <summary>One parameter of a query.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Value">Its value.</param>
public sealed record ParameterModel(string Name, string Value);

/// <summary>The page of SQL by hand or of a stored query.</summary>
public sealed record QueryModel
{
    /// <summary>The frame.</summary>
    public required LayoutModel Layout { get; init; }

    /// <summary>Its heading.</summary>
    public required string Heading { get; init; }

    /// <summary>Six hex digits.</summary>
    public required string Color { get; init; }

    /// <summary>The action menu.</summary>
    public required ActionsModel Actions { get; init; }

    /// <summary>What metadata tells.</summary>
    public required DescriptionModel Description { get; init; }

    /// <summary>Where the form goes.</summary>
    public required string Action { get; init; }

    /// <summary>What came out, such as <c>returning 2 rows</c>; empty before the first run.</summary>
    public required string Outcome { get; init; }

    /// <summary>The SQL.</summary>
    public required string Sql { get; init; }

    /// <summary>Whether it can be changed here.</summary>
    public bool IsEditable { get; init; }

    /// <summary>Whether it writes, and so is sent by POST.</summary>
    public bool IsWrite { get; init; }

    /// <summary>Whether the database may be written to.</summary>
    public bool CanWrite { get; init; }

    /// <summary>Whether it is not shown.</summary>
    public bool IsHidden { get; init; }

    /// <summary>Shows or hides the SQL.</summary>
    public required string ToggleHref { get; init; }

    /// <summary>Arguments that the form keeps.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Hidden { get; init; } = [];

    /// <summary>The parameters.</summary>
    public IReadOnlyList<ParameterModel> Parameters { get; init; } = [];

    /// <summary>What went wrong; null when nothing did.</summary>
    public string? Error { get; init; }

    /// <summary>What can be done about the error; null when nothing more is known.</summary>
    public string? Advice { get; init; }

    /// <summary>Where parameters are asked for while SQL is typed; null when it cannot be changed here.</summary>
    public string? ParametersHref { get; init; }

    /// <summary>Where this query can be stored; null when it cannot.</summary>
    public string? SaveHref { get; init; }

    /// <summary>The SQL before, at and behind the place where it is wrong; null when that is not known.</summary>
    public (string Before, string Marked, string Behind)? ErrorPlace { get; init; }

    /// <summary>The SQL in the editor; null where it is already.</summary>
    public string? EditHref { get; init; }

    /// <summary>The result as JSON; null without a result.</summary>
    public string? JsonHref { get; init; }

    /// <summary>The result as CSV; null without rows.</summary>
    public string? CsvHref { get; init; }

    /// <summary>Formats of plugins.</summary>
    public IReadOnlyList<TextLink> Formats { get; init; } = [];

    /// <summary>How long it took and whether rows are missing.</summary>
    public string? Note { get; init; }

    /// <summary>The rows; null without any.</summary>
    public RowsModel? Rows { get; init; }

    /// <summary>What stops a query.</summary>
    public required string Limits { get; init; }
}
