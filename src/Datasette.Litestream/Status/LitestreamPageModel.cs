using Datasette.Pages;

namespace Datasette.Litestream.Status;

/// <summary>What the slice <c>Litestream</c> shows: the host's frame and the content. Public only because slices are; made by the plugin alone.</summary>
public sealed class LitestreamPageModel
{
    internal LitestreamPageModel(LayoutModel layout, StatusPage status)
    {
        Layout = layout;
        Status = status;
    }

    /// <summary>The frame.</summary>
    public LayoutModel Layout { get; }

    /// <summary>The content.</summary>
    internal StatusPage Status { get; }
}
