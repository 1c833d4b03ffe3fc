using AngleSharp.Html.Parser;
using Datasette.Hosting;
using Datasette.Tests.Conformance;
using Datasette.Tests.Hosting;
using Testing;
using Xunit;

namespace Datasette.Tests.Crawl;

/// <summary>Every link that the host itself offers, followed on databases from elsewhere: none may end in an error.</summary>
public sealed class RealDatabasesTests(ITestOutputHelper output) : IDisposable
{
    private const int MostPages = 400;
    private readonly TempFolder folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    [Fact]
    public Task Packages_AreBrowsedWithoutAnError() => CrawlAsync(RealDatabases.Packages(folder), "/var/lib/dpkg/status", "run on Debian");

    [Fact]
    public Task NuGetCache_IsBrowsedWithoutAnError() => CrawlAsync(RealDatabases.NuGet(folder), "a NuGet cache", "dotnet restore");

    [Fact]
    public async Task History_IsBrowsedWithoutAnError() =>
        await CrawlAsync(await RealDatabases.HistoryAsync(folder, Ct), "this repository's history", "git clone it");

    [Fact]
    public async Task SpatialData_IsBrowsedWithoutAnError()
    {
        var places = await RealDatabases.PlacesAsync(folder, Ct);
        Require.That(places is not null, "SpatiaLite and the time zones", "apt-get install libsqlite3-mod-spatialite tzdata");
        var (port, secret) = (Processes.FreePort(), TestServer.Secret);
        await using var host = TestProcess.Start(
            Repository.ProgramOf("Datasette.Door"),
            [places.Value.File, "--load-extension", places.Value.Extension, "--root", "--secret", secret, "-p", $"{port}"],
            new Dictionary<string, string?> { ["DATASETTE_LOAD_PLUGINS"] = "" }
        );
        await Processes.WaitForPortAsync(port, TimeSpan.FromSeconds(60), host, Ct);
        var root = new KeyValuePair<string, string>(TestServer.Root.Name, TestServer.Root.Value);
        await CrawlAsync(places.Value.File, path => Answer.SendAsync(port, "GET", path, [root], null, Ct));
        var distance = await Answer.SendAsync(
            port,
            "GET",
            "/places/-/query.json?_shape=arrayfirst&sql=select+zone+from+cities+order+by+st_distance(place,+makepoint(13.4,+52.5,+4326))+limit+1",
            [root],
            null,
            Ct
        );
        Assert.Equal("[\"Europe/Berlin\"]", distance.Text);
    }

    private async Task CrawlAsync(string? file, string source, string howToGet)
    {
        Require.That(file is not null, source, howToGet);
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = [file], Root = true });
        await CrawlAsync(file, path => server.GetAsync(path, TestServer.Root));
    }

    private async Task CrawlAsync(string file, Func<string, Task<Answer>> get)
    {
        var crawl = new Crawler(get);
        await crawl.RunAsync(MostPages);
        output.WriteLine($"{Path.GetFileName(file)}: {crawl.Summary}");
        Assert.Empty(crawl.Failures);
        Assert.True(crawl.Pages > 50, crawl.Summary);
    }

    /// <summary>Follows links breadth first, so that every kind of page is met before many of one kind.</summary>
    private sealed class Crawler(Func<string, Task<Answer>> get)
    {
        private readonly Queue<(string Path, string From)> waiting = new([("/", "")]);
        private readonly HashSet<string> seen = ["/"];
        private readonly Dictionary<string, int> kinds = [];

        public List<string> Failures { get; } = [];

        public int Pages { get; private set; }

        public string Summary =>
            $"{Pages} addresses of {seen.Count} known: {string.Join(", ", kinds.OrderBy(k => k.Key).Select(k => $"{k.Value} {k.Key}"))}";

        public async Task RunAsync(int most)
        {
            while (Pages < most && waiting.TryDequeue(out var next))
            {
                Pages++;
                var answer = await get(next.Path);
                var kind = $"{answer.Status} {answer.Header("content-type")?.Split(';')[0]}";
                kinds[kind] = kinds.GetValueOrDefault(kind) + 1;
                if (answer.Status >= 400)
                {
                    Failures.Add($"{answer.Status} {next.Path} (linked from {next.From}): {Start(answer.Text)}");
                }
                else if (answer.Header("location") is { } location)
                {
                    Add(location, next.Path);
                }
                else if (answer.Header("content-type")?.StartsWith("text/html", StringComparison.Ordinal) == true)
                {
                    await AddLinksAsync(answer.Text, next.Path);
                }
            }
        }

        private async Task AddLinksAsync(string html, string from)
        {
            var page = await new HtmlParser().ParseDocumentAsync(html, Ct);
            foreach (var element in page.QuerySelectorAll("a[href], link[href], script[src], img[src]"))
            {
                Add(element.GetAttribute("href") ?? element.GetAttribute("src")!, from);
            }
        }

        private void Add(string link, string from)
        {
            var path = link.Split('#')[0].Replace("http://localhost", "", StringComparison.Ordinal);
            if (path.StartsWith('?'))
            {
                path = from.Split('?')[0] + path;
            }

            // Signing out would change what the rest of the crawl may see; a whole database is a download like any other, but large.
            if (
                path.StartsWith('/')
                && !path.StartsWith("//", StringComparison.Ordinal)
                && !path.StartsWith("/-/logout", StringComparison.Ordinal)
                && seen.Add(path)
            )
            {
                waiting.Enqueue((path, from));
            }
        }

        private static string Start(string text) => text.Length > 300 ? text[..300] : text;
    }
}
