using Datasette.Plugins;
using Microsoft.Data.Sqlite;

namespace Almanac;

/// <summary>The first example of docs/guides/plugins.md.</summary>
public sealed class FirstPlugin : DatasettePlugin
{
    public override string Name => "first";

    public override string Version => "1.0";

    public override void PrepareConnection(SqliteConnection connection, string database, IDatasette datasette) =>
        connection.CreateFunction("greeting", () => $"Hello from {database}");
}
