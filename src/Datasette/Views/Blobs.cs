using Datasette.Responses;
using Datasette.Tables;

namespace Datasette.Views;

/// <summary>Bytes of cells: where they are, and how they are sent.</summary>
internal static class Blobs
{
    /// <summary>Where the bytes of a query's cell can be had: the same query, the column and the hash that finds the row.</summary>
    public static string QueryHref(ViewContext v, string column, byte[] blob)
    {
        var args = v.Args.Without("_size", "_blob_column", "_blob_hash").With("_blob_column", column).With("_blob_hash", Cells.Hash(blob));
        var path =
            v.Format is { } format && v.Path.EndsWith("." + format, StringComparison.Ordinal) ? v.Path[..^(format.Length + 1)] : v.Path;
        return v.App.UrlPath(args.ToPath(path + ".blob"));
    }

    public static byte[] Bytes(object? value) =>
        value switch
        {
            null => [],
            byte[] bytes => bytes,
            _ => System.Text.Encoding.UTF8.GetBytes(PageToken.Text(value)),
        };

    public static Response Answer(byte[] bytes, string name)
    {
        var safe = string.Concat(name.Select(c => c is < ' ' or '"' or '\\' or > '~' ? '_' : c));
        return Respond.Bytes(bytes, "application/binary").With("Content-Disposition", $"attachment; filename=\"{safe}.blob\"");
    }
}
