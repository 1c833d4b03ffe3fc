namespace Litestream.IO;

/// <summary>What Linux tells of itself under <c>/proc</c>: text that is no file on any disk, so nothing of a database can be opened here.</summary>
internal static class ProcFiles
{
    private const string Root = "/proc/";

    /// <summary>All of it; null when it is not there or hidden from us.</summary>
    /// <param name="name">Path below <c>/proc</c>.</param>
    internal static string? Read(string name)
    {
        try
        {
            return File.ReadAllText(Root + name);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
