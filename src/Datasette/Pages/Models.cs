using Microsoft.AspNetCore.Html;
using Datasette.Plugins;

namespace Datasette.Pages;

/// <summary>The error page.</summary>
/// <param name="Layout">The frame.</param>
/// <param name="Heading">Its heading.</param>
/// <param name="Message">What is wrong.</param>
/// <param name="Status">The HTTP status.</param>
/// <param name="HomeHref">A way on.</param>
public sealed record ErrorModel(LayoutModel Layout, string Heading, string Message, int Status, string HomeHref);
