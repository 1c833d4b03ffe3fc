using System.Text.Json.Nodes;

namespace Datasette.Tables;

/// <summary>What surrounds a table page: limits of the instance, rights of the actor, configuration of the table. Immutable.</summary>
public sealed record TableQueryOptions
{
    /// <summary>Rows of a page when nobody says otherwise. Default 100.</summary>
    public int DefaultPageSize { get; init; } = 100;

    /// <summary>Most rows of a page. Default 1000.</summary>
    public int MaxReturnedRows { get; init; } = 1000;

    /// <summary>Whether the actor may run SQL, so that <c>_where</c> works. Default true.</summary>
    public bool AllowWhere { get; init; } = true;

    /// <summary>The block of the table in the configuration; an empty one by default.</summary>
    public JsonObject TableConfig { get; init; } = [];

    /// <summary>Conditions beside those of the query string; none by default.</summary>
    public IReadOnlyList<AddedCondition> Added { get; init; } = [];

    /// <summary>Rows whose key is the same, because it is NULL, in the order of their rowid. Default false; see <see cref="TablePage.NeedsTieBreak"/>.</summary>
    public bool BreakTies { get; init; }

    /// <summary>No page size and no further page: what a stream of all rows needs. Default false.</summary>
    public bool IsUnlimited { get; init; }
}

/// <summary>Conditions that somebody adds to a page's own. Immutable.</summary>
/// <param name="Conditions">SQL conditions; all must hold.</param>
/// <param name="Parameters">Values of their parameters by name without colon, which nobody else may use.</param>
/// <param name="Words">How they are called in the page's description.</param>
public sealed record AddedCondition(
    IReadOnlyList<string> Conditions,
    IReadOnlyDictionary<string, object?> Parameters,
    IReadOnlyList<string> Words
);
