using System.Text.Encodings.Web;
using Datasette.Liquid;
using Datasette.Templates;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Datasette.Tests.Liquid;

/// <summary>The template language by itself.</summary>
public sealed class LiquidTests
{
    private static readonly LiquidLanguage Language = new();

    private static string Render(string source, params (string Name, object? Value)[] values)
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2024, 2, 29, 13, 5, 9, TimeSpan.Zero));
        var map = new ObjectMap(values.Select(pair => new KeyValuePair<string, object?>(pair.Name, pair.Value)));
        var run = new LiquidRun(map, new LiquidBudget(time), HtmlEncoder.Default);
        var writer = new LimitedWriter(HtmlEncoder.Default);
        LiquidTemplate.Parse(source, Language).Write(run, writer);
        return writer.ToString();
    }

    private static string RenderSome(string source) =>
        Render(
            source,
            ("text", "Ada Lovelace"),
            ("html", new SafeHtml("<i>x</i>")),
            ("n", 7),
            ("list", new object?[] { 3, "b", null, 1, "A", 3 }),
            ("rows", new[] { Row("Bo", 2), Row("Al", 1), Row("Cy", null) }),
            ("none_there", null)
        );

    private static ObjectMap Row(string name, int? age) => new([new("name", name), new("age", age)]);

    [Theory]
    [InlineData("a{{ text }}b", "aAda Lovelaceb")]
    [InlineData("{{ nothing }}{{ none_there.deep[0].x }}", "")]
    [InlineData("{{ '<' }}{{ html }}{{ html | strip }}", "&lt;<i>x</i>&lt;i&gt;x&lt;/i&gt;")]
    [InlineData("{{ true }} {{ nil }} {{ 1.50 }} {{ -3 }}", "true  1.50 -3")]
    [InlineData("{{ list }}", "3b1A3")]
    [InlineData("{{ rows[0] }}", "{&quot;name&quot;:&quot;Bo&quot;,&quot;age&quot;:2}")]
    [InlineData("{{ rows[-1].name }}{{ rows.first.name }}{{ rows.last['name'] }}{{ rows.size }}{{ text.size }}", "CyBoCy312")]
    [InlineData("a {{- 'x' -}} b {%- if true -%} c {%- endif %} d", "axbc d")]
    [InlineData(
        "{% raw %}{{ x }}{% endraw %}{% comment %}{% if %}{% endcomment %}{% # remark %}{%- comment -%} x {%- endcomment -%} !",
        "{{ x }}!"
    )]
    [InlineData("{{ \"}}\" }}{{ '%}' }}{ {", "}}%}{ {")]
    // Conditions.
    [InlineData("{% if n > 6 and n < 8 %}yes{% endif %}{% if n == 8 or text %}yes{% endif %}", "yesyes")]
    [InlineData(
        "{% if true or false and false %}right{% endif %}{% if false and false or true %}{% else %}to left{% endif %}",
        "rightto left"
    )]
    [InlineData("{% if '' %}a{% endif %}{% if 0 %}b{% endif %}{% if nil %}c{% elsif n == 7 %}d{% else %}e{% endif %}", "abd")]
    [InlineData("{% unless n == 7 %}a{% else %}b{% endunless %}", "b")]
    [InlineData("{% if text contains 'Love' %}a{% endif %}{% if list contains 3 %}b{% endif %}{% if list contains 9 %}c{% endif %}", "ab")]
    [InlineData(
        "{% if '' == blank %}a{% endif %}{% if ' ' == empty %}b{% endif %}{% if nothing == blank %}c{% endif %}{% if rows != empty %}d{% endif %}",
        "acd"
    )]
    [InlineData(
        "{% if 'a' < 'b' %}a{% endif %}{% if 'a' < 1 %}b{% endif %}{% if '10' > 9 %}c{% endif %}{% if nothing > 1 %}d{% endif %}",
        "ac"
    )]
    [InlineData(
        "{% case n %}{% when 1, 2 %}a{% when 7 or 8 %}b{% else %}c{% endcase %}{% case text %} x {% when 'q' %}d{% else %}e{% endcase %}",
        "be"
    )]
    // Loops.
    [InlineData("{% for i in (1..3) %}{{ forloop.index }}{{ i }}{% unless forloop.last %},{% endunless %}{% endfor %}", "11,22,33")]
    [InlineData("{% for x in list limit: 2 offset: 1 %}[{{ x }}]{% endfor %}{% for x in list reversed %}{{ x }}{% endfor %}", "[b][]3A1b3")]
    [InlineData(
        "{% for x in nothing %}a{% else %}none{% endfor %}{% for x in 'one' %}{{ x }}{% endfor %}{% for i in (3..1) %}x{% endfor %}",
        "noneone"
    )]
    [InlineData(
        "{% for i in (1..9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}",
        "13"
    )]
    [InlineData(
        "{% for i in (1..2) %}{% for j in (1..2) %}{{ forloop.parentloop.index }}{{ forloop.rindex0 }} {% endfor %}{% endfor %}",
        "11 10 21 20 "
    )]
    [InlineData("{% for pair in rows[0] %}{{ pair[0] }}={{ pair[1] }};{% endfor %}", "name=Bo;age=2;")]
    [InlineData("{% for i in (1..3) %}{% cycle 'a', 'b' %}{% endfor %}{% increment c %}{% increment c %}{% decrement c %}", "aba011")]
    // Variables.
    [InlineData("{% assign x = text | upcase | slice: 0, 3 %}{{ x }}{% capture y %}<b>{{ '<' }}{% endcapture %}{{ y }}", "ADA<b>&lt;")]
    [InlineData("{% for i in (1..2) %}{% assign s = i %}{% endfor %}{{ s }}{{ i }}", "2")]
    // Filters.
    [InlineData(
        "{{ 7 | divided_by: 2 }} {{ 7 | divided_by: 2.0 }} {{ -7 | modulo: 3 }} {{ '3' | plus: '4' }} {{ 2 | times: 3 | minus: 1 }}",
        "3 3.5 2 7 5"
    )]
    [InlineData(
        "{{ 2.5 | round }} {{ 2.345 | round: 2 }} {{ 2.1 | ceil }} {{ 2.9 | floor }} {{ -2 | abs }} {{ 5 | at_most: 3 }}",
        "3 2.35 3 2 2 3"
    )]
    [InlineData(
        "{{ list | compact | join: '-' }} {{ list | uniq | size }} {{ list | sort | join }} {{ list | sort_natural | last }}",
        "3-b-1-A-3 5 1 3 3 A b  "
    )]
    [InlineData(
        "{{ rows | map: 'name' | join: ',' }} {{ rows | where: 'age', 1 | map: 'name' }} {{ rows | sort: 'age' | map: 'name' }}",
        "Bo,Al,Cy Al AlBoCy"
    )]
    [InlineData(
        "{{ rows | sum: 'age' }} {{ rows | reject: 'age' | map: 'name' }}{% assign f = rows | find: 'name', 'Bo' %}{{ f.age }}",
        "3 Cy2"
    )]
    [InlineData("{{ list | reverse | first }}{{ list | concat: rows | size }}{{ 'abc' | slice: -2, 2 }}{{ list | slice: 1, 1 }}", "39bcb")]
    [InlineData(
        "{{ 'a-b-c' | replace: '-', '+' }}{{ 'a-b-c' | remove_first: '-' }}{{ 'a-b' | remove: '-' }}{{ 'x' | append: 'y' | prepend: 'w' }}",
        "a&#x2B;b&#x2B;cab-cabwxy"
    )]
    [InlineData(
        "{{ 'a long text' | truncate: 6 }} {{ 'a long text' | truncatewords: 2 }} {{ '😀😀' | truncate: 4, '' | size }} {{ 'x' | truncate }}",
        "a l... a long... 4 x"
    )]
    [InlineData(
        "{{ 'abc' | capitalize }}{{ ' a ' | lstrip | size }}{{ 'a b&' | url_encode }}{{ 'a+b%26' | url_decode }}",
        "Abc2a&#x2B;b%26a b&amp;"
    )]
    [InlineData("{{ '<b>&amp;</b>' | strip_html }}{{ '&lt;<' | escape_once }}{{ 'a<\nb' | newline_to_br }}", "&amp;&lt;&lt;a&lt;<br>\nb")]
    [InlineData("{{ '' | default: 'd' }}{{ false | default: 'd' }}{{ 0 | default: 'd' }}{{ rows | default: 'd' | size }}", "dd03")]
    [InlineData(
        "{{ 'now' | date: '%Y-%m-%d %H:%M:%S %a %b %-d %j %p %I %%' }} {{ 0 | date: '%F' }} {{ 'no date' | date: '%Y' }}",
        "2024-02-29 13:05:09 Thu Feb 29 060 PM 01 % 1970-01-01 no date"
    )]
    [InlineData(
        "{{ rows | json }}{{ '</script>' | json }}",
        "[{\"name\":\"Bo\",\"age\":2},{\"name\":\"Al\",\"age\":1},{\"name\":\"Cy\",\"age\":null}]\"\\u003C/script\\u003E\""
    )]
    [InlineData("{{ 1234567.891 | number }} {{ '12345' | number }} {{ 'x' | number }}", "1,234,567.891 12,345 x")]
    public void C120_Source_Gives(string source, string expected) => Assert.Equal(expected, RenderSome(source));

    [Theory]
    [InlineData("{% if x %}\n\n", 1, "{% if %} has no {% endif %}")]
    [InlineData("\n{% endif %}", 2, "{% endif %} ends nothing")]
    [InlineData("{% for x in y %}\n{% endif %}", 2, "{% endif %} stands in a {% for %}, which ends with {% endfor %}")]
    [InlineData("\n\n{{ x", 3, "a {{ has no }}")]
    [InlineData("{{ 'x }}", 1, "a {{ has no }}")]
    [InlineData("{{ x | }}", 1, "the name of a filter is expected, but there is the end of the tag")]
    [InlineData("{{ x y }}", 1, "the end of the tag is expected, but there is 'y'")]
    [InlineData("{{ }}", 1, "a value is expected")]
    [InlineData("{{ a.1 }}", 1, "a name behind the dot is expected")]
    [InlineData("{{ a[1 }}", 1, "']' is expected")]
    [InlineData("{{ a & b }}", 1, "'&' has no meaning here")]
    [InlineData("{{ 99999999999999999999999999999999 }}", 1, "is no number")]
    [InlineData("{% assign = 1 %}", 1, "the name of a variable is expected, but there is '='")]
    [InlineData("{% for x of y %}", 1, "'in' is expected")]
    [InlineData("{% for x in y by: 2 %}{% endfor %}", 1, "reversed, limit: or offset: is expected")]
    [InlineData("{% else %}", 1, "ends nothing")]
    [InlineData("{% wibble %}", 1, "there is no tag 'wibble'. There are: if, unless, case, for")]
    [InlineData("{% raw %}", 1, "{% raw %} has no {% endraw %}")]
    public void C120_Error_NamesItsLine(string source, int line, string expected)
    {
        var failure = Assert.Throws<LiquidException>(() => LiquidTemplate.Parse(source, Language));
        Assert.Equal(line, failure.Line);
        Assert.Contains(expected, failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{% for i in (1..2000) %}{% for j in (1..2000) %}{% endfor %}{% endfor %}", 0, "steps")]
    [InlineData("{% for i in (1..9000) %}{{ i | plus: 1 }}{% endfor %}", 1, "seconds")]
    [InlineData("{% for i in (1..90000) %}{% for j in (1..10) %}{% endfor %}{% endfor %}", 5, "seconds")]
    public void C120_Limits_OfStepsAndTime(string source, int millisecondsBetweenLooksAtTheClock, string expected)
    {
        var time = new FakeTimeProvider { AutoAdvanceAmount = TimeSpan.FromMilliseconds(millisecondsBetweenLooksAtTheClock) };
        var run = new LiquidRun(new ObjectMap([]), new LiquidBudget(time), HtmlEncoder.Default);
        var template = LiquidTemplate.Parse(source, Language);
        var failure = Assert.Throws<LiquidException>(() => template.Write(run, new LimitedWriter(HtmlEncoder.Default)));
        Assert.Contains(expected, failure.Message, StringComparison.Ordinal);
        Assert.Equal(1, run.Line);
    }

    private static readonly string[] Pieces =
    [
        "{{",
        "}}",
        "{%",
        "%}",
        "{%-",
        "-%}",
        "{#",
        "#}",
        " if ",
        " elsif ",
        " else ",
        " endif ",
        " for x in ",
        " endfor ",
        " unless ",
        " endunless ",
        " case x ",
        " when ",
        " endcase ",
        " assign a = ",
        " capture a ",
        " endcapture ",
        " raw ",
        " endraw ",
        " comment ",
        " endcomment ",
        " cycle ",
        " increment c ",
        " break ",
        " continue ",
        "a",
        "list",
        "rows",
        "text",
        ".name",
        "[0]",
        "[",
        "]",
        "(1..",
        "(",
        ")",
        "..",
        " | ",
        " split: ",
        " join: ",
        " append: ",
        " replace: ",
        " concat: ",
        " slice: ",
        " truncate: ",
        " date: ",
        " sort ",
        " map: ",
        ":",
        ",",
        "'",
        "\"",
        "'x'",
        " 1 ",
        " -9 ",
        " 1e9 ",
        "99999999999",
        " == ",
        " and ",
        " or ",
        " contains ",
        "\n",
        " ",
        "é",
        "😀",
        "\0",
        "<",
        "block",
        "super()",
    ];

    [Fact]
    public void C120_RandomSources_FailWithALineOrAreRendered()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("DATASETTE_SEED"), out var given) ? given : Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var rendered = 0;
        for (var i = 0; i < 10_000; i++)
        {
            // Half of them are put together so that they can be read more often.
            var source = string.Concat(
                Enumerable
                    .Range(0, random.Next(1, 14))
                    .Select(_ =>
                        i % 2 == 0
                            ? Pieces[random.Next(Pieces.Length)]
                            : $"{{{{ {Pieces[random.Next(30, 35)]} | {Pieces[random.Next(42, 53)].Trim(' ', '|')} {Pieces[random.Next(30, 35)]} }}}}"
                    )
            );
            try
            {
                _ = JinjaCheck.Find(source).Count();
                RenderSome(source);
                rendered++;
            }
            catch (LiquidException)
            {
                // Said what is wrong.
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                Assert.Fail($"seed {seed}: {source} -> {e}");
            }
        }
        Assert.True(rendered > 200, $"only {rendered} could be read");
    }
}
