using System.Text.RegularExpressions;
using Almanac;
using Datasette.Databases;
using Datasette.Hosting;
using Datasette.Plugins;
using Datasette.Tests.Hosting;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Datasette.Tests.Plugins;

/// <summary>docs/guides/plugins.md names every hook, and its examples are code that compiles and runs.</summary>
public sealed partial class GuideTests
{
    private static string Guide => File.ReadAllText(Repository.PathOf("docs", "guides", "plugins.md"));

    private static IEnumerable<string> Examples => CodeBlock().Matches(Guide).Select(match => match.Groups[1].Value);

    [Fact]
    public void EveryHook_IsNamedWithWhatDatasetteCallsIt_AndHasAnExample()
    {
        var examples = string.Join('\n', Examples);
        Assert.All(HookNames.All, hook => Assert.Contains($"`{hook}`", Guide, StringComparison.Ordinal));
        Assert.All(HookNames.All, hook => Assert.Matches($@"override [^\n]* {hook}\(", examples));
        Assert.Empty(HookNames.All.Except(HookNames.OverriddenBy(new AlmanacPlugin())));
    }

    [Fact]
    public void EveryExample_IsCodeThatCompiles()
    {
        string[] files =
        [
            "samples/Almanac/AlmanacPlugin.cs",
            "samples/Almanac/FirstPlugin.cs",
            "samples/OwnDoor/Program.cs",
            "tests/Datasette.Tests/Plugins/GuideTests.cs",
        ];
        var code = string.Concat(files.Select(file => File.ReadAllText(Repository.PathOf(file))));
        var known = Squeezed(code);
        // Members that stand together in an example may stand apart in the plugin.
        var unknown = Examples
            .SelectMany(example => example.Split("\n\n"))
            .Where(part => !known.Contains(Squeezed(part), StringComparison.Ordinal));
        Assert.Empty(unknown);
    }

    [Fact]
    public async Task TheExamples_Run()
    {
        using var folder = new TempFolder();
        var file = folder.Combine("weather.db");
        using (var connection = new SqliteConnection($"Data Source={file};Pooling=False"))
        {
            connection.Open();
            SqlStatement.Execute(
                connection,
                "create table places (id integer primary key, year int, celsius real, latitude real, longitude real)"
            );
            SqlStatement.Execute(connection, "insert into places values (1, 1984, 21.5, 48.2, 16.4), (2, 1991, -3.0, 52.5, 13.4)");
        }
        var options = new ServeOptions
        {
            Files = [file],
            Settings =
            [
                ("databases.weather.plugins.almanac.unit", "fahrenheit"),
                ("databases.weather.tables.places.plugins.almanac.unit", "kelvin"),
            ],
        };
        await using var server = await TestServer.StartAsync(options, new AlmanacPlugin(), new FirstPlugin());
        var database = server.App.Databases["weather"]!;
        IDatasette datasette = server.App;
        // guide: config
        var token = datasette.PluginConfig("almanac")?["token"]?.ToString();
        var unit = datasette.PluginConfig("almanac", database.Name, "places")?["unit"]?.ToString() ?? "celsius";
        // guide: end
        Assert.Null(token);
        Assert.Equal("kelvin", unit);

        foreach (
            var path in new[]
            {
                "/",
                "/weather",
                "/weather/places",
                "/weather/places/1",
                "/weather/-/query?sql=select+1",
                "/weather/versions",
            }
        )
        {
            var page = await server.GetAsync(path);
            Assert.True(page.Status == 200, page.Text);
        }
        Assert.Equal("[70.7]", (await server.GetAsync("/weather/-/query.json?sql=select+fahrenheit(21.5)&_shape=arrayfirst")).Text);
        Assert.Equal(
            "[\"Hello from weather\"]",
            (await server.GetAsync("/weather/-/query.json?sql=select+greeting()&_shape=arrayfirst")).Text
        );
        Assert.Contains("<b>21.5 °C</b>", (await server.GetAsync("/weather/places")).Text, StringComparison.Ordinal);
        Assert.Contains(
            "\"coordinates\": [16.4, 48.2]".Replace(" ", "", StringComparison.Ordinal),
            (await server.GetAsync("/weather/places.geojson")).Text.Replace(" ", "", StringComparison.Ordinal),
            StringComparison.Ordinal
        );
        Assert.Equal("[1]", (await server.GetAsync("/weather/places.json?_decade=1980&_shape=arrayfirst")).Text);
        var map = (await server.GetAsync("/-/map", ("X-Forwarded-User", "<ann>"))).Text;
        Assert.Contains("<h1>Map</h1><p>Hello, &lt;ann&gt;.</p>", map, StringComparison.Ordinal);
        Assert.Contains("<title>Map</title>", map, StringComparison.Ordinal);
        Assert.Equal(302, (await server.GetAsync("/-/almanac/2026")).Status);
        Assert.Equal(403, (await server.GetAsync("/-/almanac/2026", ("X-Forwarded-User", "ann"))).Status);
    }

    private static string Squeezed(string code) => Blanks().Replace(code, "");

    [GeneratedRegex("```csharp\n(.*?)\n```", RegexOptions.Singleline)]
    private static partial Regex CodeBlock();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blanks();
}
