namespace Datasette.Databases;

/// <summary>Says that this request runs SQL which a visitor wrote: then narrower limits hold. Flows with the request; off unless begun.</summary>
internal static class VisitorSql
{
    private static readonly AsyncLocal<bool> s_current = new();

    /// <summary>Whether the statements of this request may hold SQL of a visitor.</summary>
    public static bool IsCurrent => s_current.Value;

    /// <summary>Begins for all that follows in this request.</summary>
    public static void Begin() => s_current.Value = true;
}
