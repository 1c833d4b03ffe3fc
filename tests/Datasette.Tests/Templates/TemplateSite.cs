using AngleSharp.Html.Dom;
using AngleSharp.Html.Parser;
using Datasette.Databases;
using Datasette.Hosting;
using Datasette.Plugins;
using Datasette.Tests.Conformance;
using Datasette.Tests.Hosting;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Datasette.Tests.Templates;

/// <summary>A host with a folder of templates and a small database <c>data</c>.</summary>
internal sealed class TemplateSite : IAsyncDisposable
{
    private readonly TempFolder folder;
    private readonly TestServer server;
    private DateTime written = DateTime.UnixEpoch.AddYears(50);

    private TemplateSite(TempFolder folder, TestServer server)
    {
        this.folder = folder;
        this.server = server;
    }

    public TestServer Server => server;

    public static Task<TemplateSite> StartAsync(params (string Name, string Text)[] templates) => StartAsync(null, [], templates);

    /// <summary>Starts with other options, plugins and templates.</summary>
    public static async Task<TemplateSite> StartAsync(
        Func<ServeOptions, TempFolder, ServeOptions>? change,
        IReadOnlyList<DatasettePlugin> plugins,
        params (string Name, string Text)[] templates
    )
    {
        var folder = new TempFolder();
        try
        {
            folder.CreateFolder("templates");
            foreach (var (name, text) in templates)
            {
                Save(folder, name, text);
            }
            var options = new ServeOptions
            {
                Files = [MakeDatabase(folder)],
                ConfigFile = MakeConfig(folder),
                TemplateFolder = folder.Combine("templates"),
            };
            var server = await TestServer.StartAsync(change?.Invoke(options, folder) ?? options, [.. plugins]);
            return new(folder, server);
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    /// <summary>Saves a template. Each save has a time of its own, whatever the clock of the file system can tell apart.</summary>
    public void Save(string name, string text) => File.SetLastWriteTimeUtc(Save(folder, name, text), written = written.AddSeconds(1));

    public void Delete(string name) => File.Delete(folder.Combine("templates", name));

    public Task<Answer> GetAsync(string path) => server.GetAsync(path);

    public async Task<string> TextAsync(string path, int status = 200)
    {
        var answer = await GetAsync(path);
        Assert.True(answer.Status == status, $"{path} -> {answer.Status}\n{answer.Text}");
        Assert.DoesNotContain('\u0001', answer.Text);
        return answer.Text;
    }

    public async Task<IHtmlDocument> PageAsync(string path, int status = 200) =>
        new HtmlParser().ParseDocument(await TextAsync(path, status));

    /// <summary>The content of the page, without white space around it.</summary>
    public async Task<string> ContentAsync(string path, int status = 200) =>
        (await PageAsync(path, status)).QuerySelector("section.content")!.InnerHtml.Trim();

    public async ValueTask DisposeAsync()
    {
        await server.DisposeAsync();
        folder.Dispose();
    }

    private static string Save(TempFolder folder, string name, string text)
    {
        var file = folder.Combine("templates", name);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
        return file;
    }

    private static string MakeDatabase(TempFolder folder)
    {
        var file = folder.Combine("data.db");
        using var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        foreach (
            var sql in new[]
            {
                "create table towns (id integer primary key, name text)",
                "insert into towns values (1, 'Bern'), (2, 'Köln')",
                "create table people (id integer primary key, name text, town integer references towns(id), height real)",
                "insert into people values (1, 'Ada <b>', 1, 1.5), (2, 'Bo', 2, null), (3, '', null, 2.0)",
                "create table \"odd name!\" (a)",
                "insert into \"odd name!\" values (1)",
                "create view tall as select * from people where height > 1",
            }
        )
        {
            SqlStatement.Execute(connection, sql);
        }
        return file;
    }

    private static string MakeConfig(TempFolder folder)
    {
        var file = folder.Combine("config.yaml");
        File.WriteAllText(file, "databases:\n  data:\n    queries:\n      adults:\n        sql: select name from people\n");
        return file;
    }
}
