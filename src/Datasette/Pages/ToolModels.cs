namespace Datasette.Pages;

/// <summary>One control of a tool's form.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Such as <c>text</c>, <c>textarea</c>, <c>select</c>, <c>checkbox</c>, <c>hidden</c>.</param>
/// <param name="Label">What stands before it.</param>
/// <param name="Value">Its value.</param>
public sealed record ToolField(string Name, string Type, string Label, string Value = "")
{
    /// <summary>Choices of a select.</summary>
    public IReadOnlyList<OptionModel> Options { get; init; } = [];

    /// <summary>Whether a checkbox is ticked.</summary>
    public bool IsChecked { get; init; }
}

/// <summary>Controls that belong together.</summary>
/// <param name="Heading">Their heading; null for none.</param>
/// <param name="Fields">The controls.</param>
/// <param name="Level">2 for a heading of the page, 3 for one below it.</param>
public sealed record ToolGroup(string? Heading, IReadOnlyList<ToolField> Fields, int Level = 2)
{
    /// <summary>Whether it is closed until somebody opens it: a heading above many boxes to tick.</summary>
    public bool IsFolded => Heading is not null && Fields.Count > 1 && Fields.All(control => control.Type == "checkbox");
}

/// <summary>A form of a tool.</summary>
/// <param name="Method"><c>get</c> or <c>post</c>.</param>
/// <param name="Action">Where it goes.</param>
/// <param name="Submit">The label of its button.</param>
/// <param name="Groups">Its controls.</param>
public sealed record ToolForm(string Method, string Action, string Submit, IReadOnlyList<ToolGroup> Groups)
{
    /// <summary>A class of its own; null for none.</summary>
    public string? Class { get; init; }

    /// <summary>What the script does with it: value of <c>data-tool</c>; null for nothing.</summary>
    public string? Tool { get; init; }
}

/// <summary>A list of links with a heading.</summary>
/// <param name="Heading">The heading.</param>
/// <param name="Links">The links.</param>
public sealed record ToolLinks(string Heading, IReadOnlyList<TextLink> Links);

/// <summary>One choice among several.</summary>
/// <param name="Text">What it shows.</param>
/// <param name="Href">Chooses it, or takes the choice back.</param>
/// <param name="IsChosen">Whether it is chosen.</param>
public sealed record ToolChip(string Text, string Href, bool IsChosen);

/// <summary>Choices with a label.</summary>
/// <param name="Label">What is chosen.</param>
/// <param name="Items">The choices.</param>
public sealed record ToolChips(string Label, IReadOnlyList<ToolChip> Items);

/// <summary>A plain table of texts.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Head">Names of the columns.</param>
/// <param name="Rows">The rows.</param>
public sealed record ToolTable(string Id, IReadOnlyList<string> Head, IReadOnlyList<IReadOnlyList<string>> Rows);

/// <summary>A page with forms for those who build on the host: API explorer, tokens, permission tools.</summary>
/// <param name="Layout">The frame.</param>
/// <param name="Heading">Its heading.</param>
public sealed record ToolModel(LayoutModel Layout, string Heading)
{
    /// <summary>Sentences under the heading.</summary>
    public IReadOnlyList<string> Intro { get; init; } = [];

    /// <summary>Where to read more, and the other tools.</summary>
    public IReadOnlyList<TextLink> See { get; init; } = [];

    /// <summary>Tools of the same kind; the one whose address this page has is marked.</summary>
    public IReadOnlyList<TextLink> Tabs { get; init; } = [];

    /// <summary>The address of this page, without arguments; null where no tab can be this page.</summary>
    public string? Path { get; init; }

    /// <summary>What went wrong.</summary>
    public IReadOnlyList<string> Errors { get; init; } = [];

    /// <summary>What came out, in one line.</summary>
    public string? Result { get; init; }

    /// <summary>Whether a place for a script's error is kept.</summary>
    public bool HasErrorPlace { get; init; }

    /// <summary>The heading of <see cref="Secret"/>.</summary>
    public string? SecretHeading { get; init; }

    /// <summary>Text to copy, shown this once.</summary>
    public string? Secret { get; init; }

    /// <summary>How <see cref="Secret"/> is used, as a command to copy; null for none.</summary>
    public string? SecretUse { get; init; }

    /// <summary>The heading before the forms; null for none.</summary>
    public string? FormsHeading { get; init; }

    /// <summary>The forms.</summary>
    public IReadOnlyList<ToolForm> Forms { get; init; } = [];

    /// <summary>Text shown as it is, such as JSON.</summary>
    public string? Output { get; init; }

    /// <summary>As <see cref="Output"/>, below the forms that asked for it.</summary>
    public string? FinalOutput { get; init; }

    /// <summary>The heading before the tables; null for none.</summary>
    public string? TablesHeading { get; init; }

    /// <summary>Tables below the forms; those without rows are left out.</summary>
    public IReadOnlyList<ToolTable> Tables { get; init; } = [];

    /// <summary>Choices below the forms, each group in a line; the chosen ones are marked.</summary>
    public IReadOnlyList<ToolChips> Chips { get; init; } = [];

    /// <summary>Lists of links below the forms.</summary>
    public IReadOnlyList<ToolLinks> Lists { get; init; } = [];
}
