using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Datasette.Tests.Templates;

/// <summary>Templates that are wrong, changed, written for Jinja, or hostile.</summary>
public sealed class FaultTests
{
    [Theory]
    [InlineData("{% extends \"base.html\" %}", "table.html:1: {% extends \"base.html\" %} - delete this line")]
    [InlineData("\n{% block content %}x{% endblock %}", "table.html:2: {% block content %} - delete this line and its endblock")]
    [InlineData("{% block title %}", "write {% capture NAME %}")]
    [InlineData("{{ super() }}", "write {{ content }}")]
    [InlineData("{{ x|safe }}", "write | raw")]
    [InlineData("{{- x | safe -}}", "write | raw")]
    [InlineData("{% set x = 1 %}", "write {% assign name = value %}")]
    [InlineData("{% if a %}{% elif b %}{% endif %}", "write {% elsif ... %}")]
    [InlineData("{% macro m(x) %}{% endmacro %}", "put the piece into a file of its own")]
    [InlineData("{% for k, v in m.items() %}{% endfor %}", "a loop has one variable")]
    [InlineData("{{ loop.index }}", "write forloop.index")]
    [InlineData("{# a remark #}", "comments are {% comment %}")]
    [InlineData("{{ urls.table(a, b) }}", "write filters")]
    [InlineData("{{ x | default('a') }}", "arguments of a filter follow a colon")]
    [InlineData("{{ custom_status(404) }}", "write it as a statement")]
    [InlineData("{{ row.display(\"x\") }}", "no functions to call")]
    [InlineData("{{ 'a' if b else 'c' }}", "write {% if x %}a{% else %}b{% endif %}")]
    [InlineData("{% if x is none %}{% endif %}", "write {% if x %}")]
    [InlineData("{% if not x %}{% endif %}", "write {% unless x %}")]
    [InlineData("{% include \"a.html\" ignore missing %}", "write {% include")]
    public async Task C121_Jinja_StopsTheStart_WithFileLineAndTheWayToConvert(string template, string expected)
    {
        var failure = await Assert.ThrowsAsync<StartupException>(() => TemplateSite.StartAsync(("table.html", template)));
        Assert.Contains("Jinja", failure.Message, StringComparison.Ordinal);
        Assert.Contains("docs/guides/templates.md", failure.Message, StringComparison.Ordinal);
        Assert.Contains(expected, failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{{ \"{% extends %} super() |safe\" }}")]
    [InlineData("{% comment %}{{ super() }}{% endcomment %}{% raw %}{% extends \"a\" %}{{ x|safe }}{% endraw %}")]
    [InlineData("<style>@media print{#nav{display:none} #a{color:red}}</style>")]
    [InlineData("{% if this_is_set %}{% endif %}{{ notice | default: \"a (b)\" }}{{ iffy }}")]
    public async Task C121_Liquid_IsNotTakenForJinja(string template)
    {
        await using var site = await TemplateSite.StartAsync(("table.html", template));
        await site.TextAsync("/data/people");
    }

    [Fact]
    public async Task C121_AllFilesAreRead_AlsoThoseOfFolders_AndTheListIsShort()
    {
        var failure = await Assert.ThrowsAsync<StartupException>(() =>
            TemplateSite.StartAsync(
                ("a.html", string.Concat(Enumerable.Repeat("{{ super() }}\n", 15))),
                ("pages/x/{y}.html", "{% extends \"b\" %}")
            )
        );
        Assert.Contains("a.html:10:", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("a.html:11:", failure.Message, StringComparison.Ordinal);
        Assert.EndsWith("and 6 more", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a\n\n{% if x %}", "table.html:")]
    [InlineData("a\n{{ x | shout }}", "table.html:2: there is no filter 'shout'")]
    [InlineData("a\n{% nonsense %}", "table.html:2:")]
    [InlineData("a\n{{ x ", "table.html:2:")]
    [InlineData("a\n{% for x in %}{% endfor %}", "table.html:2:")]
    public async Task C120_SyntaxErrors_StopTheStart_WithTheirLine(string template, string expected)
    {
        var failure = await Assert.ThrowsAsync<StartupException>(() => TemplateSite.StartAsync(("table.html", template)));
        Assert.Contains(expected, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task C120_Changes_AreReadWithoutARestart()
    {
        await using var site = await TemplateSite.StartAsync(("table.html", "one {% include \"_part.html\" %}"), ("_part.html", "a"));
        Assert.Equal("one a", await site.ContentAsync("/data/people"));
        site.Save("_part.html", "b");
        Assert.Equal("one b", await site.ContentAsync("/data/people"));
        site.Save("table.html", "two");
        Assert.Equal("two", await site.ContentAsync("/data/people"));
        site.Save("table-data-people.html", "three");
        Assert.Equal("three", await site.ContentAsync("/data/people"));
        site.Delete("table-data-people.html");
        site.Delete("table.html");
        Assert.Contains("rows-and-columns", await site.ContentAsync("/data/people"), StringComparison.Ordinal);
        site.Save("base.html", "wrapped {{ content }}");
        Assert.StartsWith("wrapped ", await site.TextAsync("/data/people"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("x\n{% extends \"base.html\" %}", "table.html:2: {% extends &quot;base.html&quot; %} is Jinja")]
    [InlineData("x\n\n{% if", "table.html:3:")]
    [InlineData("x\n{{ 1 | divided_by: 0 }}", "table.html:2: a number is divided by zero")]
    [InlineData("x\n{% include \"gone.html\" %}", "table.html:2: there is no template &#x27;gone.html&#x27;")]
    [InlineData("x\n{% include \"../data.db\" %}", "table.html:2: there is no template")]
    [InlineData("x\n{% include \"/etc/hostname\" %}", "table.html:2: there is no template")]
    public async Task C120_Error_IsOneMessageWithFileAndLine_AndOtherPagesGoOn(string template, string expected)
    {
        await using var site = await TemplateSite.StartAsync(("404.html", "mine {{ error }}"));
        site.Save("table.html", template);
        var text = await site.TextAsync("/data/people", 500);
        Assert.Contains(expected, text, StringComparison.Ordinal);
        Assert.Contains("as soon as the file is saved", text, StringComparison.Ordinal);
        Assert.Equal(200, (await site.GetAsync("/data")).Status);
        Assert.Equal(200, (await site.GetAsync("/data/people.json")).Status);
        site.Save("table.html", "mended");
        Assert.Equal("mended", await site.ContentAsync("/data/people"));
    }

    [Fact]
    [Trait("Rule", "H026")]
    public async Task C120_BrokenErrorTemplateOrFrame_IsToldByTheHostsOwnPage()
    {
        await using var site = await TemplateSite.StartAsync();
        site.Save("404.html", "{{ 1 | divided_by: 0 }}");
        Assert.Contains("404.html:1: a number is divided by zero", await site.TextAsync("/nowhere", 500), StringComparison.Ordinal);
        site.Save("base.html", "\n{% bad");
        Assert.Contains("base.html:2:", await site.TextAsync("/data/people", 500), StringComparison.Ordinal);
        Assert.Equal(404, (await site.GetAsync("/nowhere.json")).Status);
        Assert.Equal(200, (await site.GetAsync("/-/")).Status);
    }

    [Fact]
    public async Task C120_Error_IsOneLineOfTheLog()
    {
        var log = new LogLines();
        using var folder = new Testing.TempFolder();
        folder.CreateFolder("templates");
        await using var server = await Datasette.Hosting.DatasetteServer.StartAsync(
            new Datasette.Hosting.ServeOptions
            {
                Memory = true,
                Port = 0,
                TemplateFolder = folder.Combine("templates"),
            },
            [],
            TestContext.Current.CancellationToken,
            logging: logging => logging.AddProvider(log)
        );
        await File.WriteAllTextAsync(
            folder.Combine("templates", "index.html"),
            "a\n{{ 1 | divided_by: 0 }}",
            TestContext.Current.CancellationToken
        );
        var answer = await Conformance.Answer.SendAsync(server.Port, "GET", "/?x=1", [], null, TestContext.Current.CancellationToken);
        Assert.Equal(500, answer.Status);
        Assert.Equal(
            ["Error: Template index.html:2: a number is divided by zero (GET /)"],
            log.Lines.Where(line => line.Contains("emplate", StringComparison.Ordinal))
        );
    }

    private sealed class LogLines : ILoggerProvider, ILogger
    {
        public System.Collections.Concurrent.ConcurrentQueue<string> Lines { get; } = new();

        public ILogger CreateLogger(string categoryName) => this;

        public void Dispose() { }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        ) => Lines.Enqueue($"{logLevel}: {formatter(state, exception)}");
    }

    public static TheoryData<string, string> Hostile =>
        new()
        {
            { "{% for i in (1..1000) %}{% for j in (1..1000) %}{% assign x = i %}{% endfor %}{% endfor %}", "steps|seconds" },
            { "{% for i in (1..2000000000) %}x{% endfor %}", "items" },
            { "{% assign n = 2000000000 %}{% for i in (1..n) %}x{% endfor %}", "items" },
            { "{% include \"table.html\" %}", "include each other" },
            { "{% render \"table.html\" %}", "include each other" },
            { "{% assign s = \"xxxxxxxxxx\" %}{% for i in (1..60) %}{% assign s = s | append: s %}{% endfor %}", "million characters" },
            {
                "{% assign s = \"aaaaaaaaaa\" %}{% for i in (1..60) %}{% assign s = s | replace: \"a\", s %}{% endfor %}",
                "million characters"
            },
            {
                "{% assign s = \"x\" %}{% for i in (1..60) %}{% capture s %}{{ s }}{{ s }}{% endcapture %}{% endfor %}",
                "million characters"
            },
            {
                "{% for i in (1..90000) %}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{% endfor %}",
                "million characters"
            },
            { "{% assign a = \"1,2,3,4\" | split: \",\" %}{% for i in (1..60) %}{% assign a = a | concat: a %}{% endfor %}", "items" },
        };

    [Theory]
    [MemberData(nameof(Hostile))]
    public async Task C120_HostileTemplates_AreStopped(string template, string expected)
    {
        await using var site = await TemplateSite.StartAsync(("table.html", template));
        var watch = Stopwatch.StartNew();
        var text = await site.TextAsync("/data/people", 500);
        TestContext.Current.TestOutputHelper?.WriteLine($"{watch.ElapsedMilliseconds} ms");
        Assert.Contains(expected.Split('|'), word => text.Contains(word, StringComparison.Ordinal));
        Assert.Contains(".html:1: ", text, StringComparison.Ordinal);
        Assert.Equal(200, (await site.GetAsync("/data")).Status);
    }

    [Fact]
    public async Task C120_DeepNesting_IsRefused_AndLongTagsAreRead()
    {
        string Repeat(string text, int count) => string.Concat(Enumerable.Repeat(text, count));
        foreach (
            var template in new[]
            {
                Repeat("{% if a %}", 20_000) + Repeat("{% endif %}", 20_000),
                "{{ " + Repeat("a[", 20_000) + "1" + Repeat("]", 20_000) + " }}",
                "{{ " + Repeat("(", 20_000) + "1" + Repeat("..2)", 20_000) + " }}",
            }
        )
        {
            var failure = await Assert.ThrowsAsync<StartupException>(() => TemplateSite.StartAsync(("table.html", template)));
            Assert.Contains("table.html:1:", failure.Message, StringComparison.Ordinal);
        }
        await using var site = await TemplateSite.StartAsync(
            (
                "table.html",
                "{{ " + Repeat("a[", 20) + "1" + Repeat("]", 20) + " }}" + Repeat("{% if true %}", 99) + "ok" + Repeat("{% endif %}", 99)
            ),
            ("row.html", "{% if " + Repeat("a and ", 20_000) + "a %}{% endif %}{{ 1" + Repeat(" | plus: 0", 50_000) + " }} ok")
        );
        Assert.Equal("ok", await site.ContentAsync("/data/people"));
        Assert.Equal("1 ok", await site.ContentAsync("/data/people/1"));
    }
}
