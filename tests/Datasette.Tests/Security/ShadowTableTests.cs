using Datasette.Hosting;
using Datasette.Tests.Hosting;
using Testing;
using Xunit;

namespace Datasette.Tests.Security;

/// <summary>A full-text table that is closed is closed with everything that SQLite keeps it in.</summary>
public sealed class ShadowTableTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("fts5(body)", "docs_content", "docs_data", "docs_idx", "docs_docsize", "docs_config")]
    [InlineData("fts4(body)", "docs_content", "docs_segments", "docs_segdir", "docs_docsize", "docs_stat")]
    [InlineData("rtree(id, x0, x1)", "docs_node", "docs_rowid", "docs_parent")]
    public async Task ClosedTable_ClosesItsShadows_AndNothingElse(string module, params string[] shadows)
    {
        var path = _folder.Combine("a.db");
        using (var app = TestDatabase.Open(path))
            app.Execute($"create virtual table Docs using {module}; create table docs_notes(x); create table other_content(x)");
        var config = _folder.Combine("c.yaml");
        await File.WriteAllTextAsync(
            config,
            "databases: {a: {allow_sql: false, tables: {docs: {allow: {id: root}}}}}",
            TestContext.Current.CancellationToken
        );
        await using var host = await TestServer.StartAsync(new ServeOptions { Files = [path], ConfigFile = config });
        foreach (var shadow in shadows.Append("Docs").Select(name => name.Replace("docs_", "Docs_", StringComparison.Ordinal)))
        {
            Assert.Equal(403, (await host.GetAsync($"/a/{shadow}.json")).Status);
            Assert.Equal(200, (await host.GetAsync($"/a/{shadow}.json", TestServer.Root)).Status);
        }
        Assert.Equal(200, (await host.GetAsync("/a/docs_notes.json")).Status);
        Assert.Equal(200, (await host.GetAsync("/a/other_content.json")).Status);
        Assert.DoesNotContain("Docs", (await host.GetAsync("/a.json?_extra=tables")).Text, StringComparison.Ordinal);
    }
}
