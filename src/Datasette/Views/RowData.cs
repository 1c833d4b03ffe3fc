using Datasette.Databases;
using Datasette.Tables;

namespace Datasette.Views;

/// <summary>One row as it was read.</summary>
internal sealed record RowData(
    Database Database,
    DatabaseSchema Schema,
    TableSchema Table,
    RowQuery Query,
    IReadOnlyList<string> Columns,
    object?[] Row,
    TimeSpan Elapsed
);
