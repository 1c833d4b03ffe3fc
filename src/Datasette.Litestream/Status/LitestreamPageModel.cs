using Datasette.Pages;

namespace Datasette.Litestream.Status;

/// <summary>What the slice <c>Litestream</c> needs: the host's frame and the content.</summary>
/// <param name="Layout">The frame.</param>
/// <param name="Status">The content.</param>
internal sealed record LitestreamPageModel(LayoutModel Layout, StatusPage Status);
