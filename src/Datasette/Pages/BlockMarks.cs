using System.Collections.Concurrent;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Html;

namespace Datasette.Pages;

/// <summary>
/// Invisible marks around the named blocks of a page, so that a template of the user can take the blocks one by one. They hold a number that is
/// new in each process and never leaves it: nothing in a database can look like one.
/// </summary>
internal static class BlockMarks
{
    /// <summary>Ends a mark, and with it no name.</summary>
    public const char Close = '\u0001';

    private static readonly ConcurrentDictionary<(string Name, bool IsEnd), HtmlString> Made = new();

    /// <summary>Begins a mark; <c>+</c> (begin) or <c>-</c> (end), the name and <see cref="Close"/> follow.</summary>
    public static string Open { get; } = Close + RandomNumberGenerator.GetHexString(16, lowercase: true);

    public static HtmlString Begin(string name) => Mark(name, false);

    public static HtmlString End(string name) => Mark(name, true);

    private static HtmlString Mark(string name, bool isEnd) =>
        Made.GetOrAdd((name, isEnd), static key => new HtmlString($"{Open}{(key.IsEnd ? '-' : '+')}{key.Name}{Close}"));
}
