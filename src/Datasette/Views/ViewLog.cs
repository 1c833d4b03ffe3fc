using Microsoft.Extensions.Logging;

namespace Datasette.Views;

/// <summary>What the operator should know of what visitors did.</summary>
internal static partial class ViewLog
{
    /// <summary>SQL of a visitor failed, or ran out of time.</summary>
    public static void SqlFailed(ViewContext v, string database, string error) =>
        SqlFailed(v.App.Loggers.CreateLogger("Datasette"), database, error);

    [LoggerMessage(Level = LogLevel.Warning, Message = "SQL error in {Database}: {Error}")]
    private static partial void SqlFailed(ILogger logger, string database, string error);
}
