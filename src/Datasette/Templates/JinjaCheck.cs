using System.Text.RegularExpressions;

namespace Datasette.Templates;

/// <summary>Something of Jinja in a template, and how it is said in Liquid.</summary>
/// <param name="Line">Its line, from 1.</param>
/// <param name="Tag">The tag.</param>
/// <param name="Advice">What to write instead.</param>
internal sealed record JinjaFinding(int Line, string Tag, string Advice);

/// <summary>Templates of the original are written in Jinja. What would be shown wrong or not at all here is found, with the way to convert it.</summary>
internal static partial class JinjaCheck
{
    private static readonly (char Kind, Regex Pattern, string Advice)[] Rules =
    [
        ('#', Any(), "comments are {% comment %} ... {% endcomment %}"),
        ('%', Extends(), "delete this line: a template holds only the content of its page, and base.html wraps every page by itself"),
        ('%', BlockContent(), "delete this line and its endblock: what a template writes is the content; {{ content }} is the host's own"),
        ('%', Block(), "write {% capture NAME %} ... {% endcapture %}; in base.html write {{ NAME }}"),
        ('%', EndBlock(), "write {% endcapture %}, or delete the line where it ends the block content"),
        ('%', Set(), "write {% assign name = value %}, or {% capture name %} ... {% endcapture %}"),
        ('%', Elif(), "write {% elsif ... %}"),
        ('%', Macro(), "put the piece into a file of its own and write {% render \"_piece.html\", name: value %}"),
        ('%', TwoVariables(), "a loop has one variable: {% for pair in map %} {{ pair[0] }} {{ pair[1] }} {% endfor %}"),
        ('%', Context(), "write {% include \"name.html\" %}: it sees all variables"),
        ('%', Test(), "write {% if x %} or {% if x == nil %}"),
        ('%', Not(), "write {% unless x %} ... {% endunless %} or {% if x == false %}"),
        ('{', Super(), "write {{ content }} (or the name of the block): until it is replaced it holds the host's own"),
        ('{', Safe(), "write | raw"),
        ('{', Loop(), "write forloop.index, forloop.first, forloop.last"),
        ('{', PageFunction(), "write it as a statement: {% custom_status 404 %}, {% custom_header \"name\", \"value\" %}"),
        ('{', Urls(), "write filters: {{ \"/path\" | url }}, {{ database | database_url }}, {{ table | table_url: database }}"),
        ('{', CalledFilter(), "arguments of a filter follow a colon: {{ x | default: \"none\" }}"),
        ('{', Call(), "there are no functions to call; docs/guides/templates.md lists the filters"),
        ('{', Conditional(), "write {% if x %}a{% else %}b{% endif %}"),
    ];

    public static IEnumerable<JinjaFinding> Find(string source)
    {
        foreach (var tag in TagScanner.Scan(source))
        {
            foreach (var (kind, pattern, advice) in Rules)
            {
                if (kind == tag.Kind && pattern.IsMatch(tag.Text))
                {
                    yield return new(tag.Line, Show(tag), advice);
                    break;
                }
            }
        }
    }

    private static string Show(TemplateTag tag) =>
        tag.Kind switch
        {
            '{' => "{{ " + Short(tag.Shown) + " }}",
            '#' => "{# ... #}",
            _ => "{% " + Short(tag.Shown) + " %}",
        };

    private static string Short(string text) => text.Length > 80 ? text[..80] + "..." : text;

    [GeneratedRegex("")]
    private static partial Regex Any();

    [GeneratedRegex(@"^extends\b")]
    private static partial Regex Extends();

    [GeneratedRegex(@"^block\s+content\b")]
    private static partial Regex BlockContent();

    [GeneratedRegex(@"^block\b")]
    private static partial Regex Block();

    [GeneratedRegex(@"^endblock\b")]
    private static partial Regex EndBlock();

    [GeneratedRegex(@"^(set|endset)\b")]
    private static partial Regex Set();

    [GeneratedRegex(@"^elif\b")]
    private static partial Regex Elif();

    [GeneratedRegex(
        @"^(macro|endmacro|call|endcall|import|from|with|endwith|autoescape|endautoescape|filter|endfilter|do|trans|endtrans)\b"
    )]
    private static partial Regex Macro();

    [GeneratedRegex(@"^for\s+\w+\s*,")]
    private static partial Regex TwoVariables();

    [GeneratedRegex(@"^include\b.*\b(context|ignore\s+missing)\b")]
    private static partial Regex Context();

    [GeneratedRegex(@"^(if|elsif|unless)\b.*\bis\s+(not\s+)?\w")]
    private static partial Regex Test();

    [GeneratedRegex(@"^(if|elsif|unless)\b.*\bnot\s")]
    private static partial Regex Not();

    [GeneratedRegex(@"\bsuper\s*\(")]
    private static partial Regex Super();

    [GeneratedRegex(@"\|\s*safe\b")]
    private static partial Regex Safe();

    [GeneratedRegex(@"\bloop\.")]
    private static partial Regex Loop();

    [GeneratedRegex(@"^(custom_\w+|raise_404)\s*\(")]
    private static partial Regex PageFunction();

    [GeneratedRegex(@"\burls\.\w+\s*\(")]
    private static partial Regex Urls();

    [GeneratedRegex(@"\|\s*\w+\s*\(")]
    private static partial Regex CalledFilter();

    [GeneratedRegex(@"\w\s*\(")]
    private static partial Regex Call();

    [GeneratedRegex(@"\S\s+if\s+\S")]
    private static partial Regex Conditional();
}
