using AngleSharp.Dom;
using AngleSharp.Html.Parser;
using Datasette.Databases;
using Datasette.Hosting;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Datasette.Tests.Hosting;

/// <summary>Pages that say what is not there or not allowed, and the one that signs out: word for word.</summary>
[Trait("Rule", "U080")]
public sealed class ErrorPageTests : IDisposable
{
    private const string FormType = "application/x-www-form-urlencoded";
    private readonly TempFolder folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    private Task<TestServer> StartAsync()
    {
        var file = folder.Combine("data.db");
        using (var connection = new SqliteConnection($"Data Source={file};Pooling=False"))
        {
            connection.Open();
            SqlStatement.Execute(connection, "create table t (id integer primary key)");
        }
        return TestServer.StartAsync(new ServeOptions { Files = [file], Root = true });
    }

    private static async Task<IDocument> ReadAsync(Conformance.Answer answer, int status)
    {
        Assert.True(status == answer.Status, $"{answer.Status}\n{answer.Text}");
        Assert.Equal("text/html; charset=utf-8", answer.Header("content-type"));
        return await new HtmlParser().ParseDocumentAsync(answer.Text, Ct);
    }

    private static string Text(IElement? element) =>
        string.Join(' ', element!.TextContent.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    [Theory]
    [InlineData("/nope", 404, "Error 404", "Database not found")]
    [InlineData("/data/nope", 404, "Error 404", "Table not found")]
    [InlineData("/data/t/1", 404, "Error 404", "Row not found")]
    [InlineData("/data/t/1,2", 400, "Error 400", "URL row identifier does not match the primary key for this table")]
    [InlineData("/-/nope", 404, "Error 404", "Database not found")]
    [InlineData("/data/t/1/2/3", 404, "Error 404", "404: there is no page at this address.")]
    [InlineData("/data/t?_sort=nope", 400, "Error 400", "Cannot sort table by nope")]
    [InlineData("/data/t?_size=-1", 400, "Error 400", "_size must be a positive integer")]
    [InlineData("/data.db", 403, "Forbidden", "Database download is forbidden")]
    [InlineData("/-/permissions", 403, "Forbidden", "This needs the permission permissions-debug.")]
    [InlineData("/-/auth-token?token=nope", 403, "Forbidden", "Invalid token")]
    [InlineData("/data/-/query?sql=delete+from+t", 400, "Invalid SQL", "Statement must be a SELECT")]
    public async Task U080_ErrorPage_HasItsHeadingAndABox(string path, int status, string heading, string message)
    {
        await using var server = await StartAsync();
        var page = await ReadAsync(await server.GetAsync(path), status);
        Assert.Equal(heading, Text(page.QuerySelector("h1")));
        Assert.Equal(heading, page.Title);
        Assert.Equal(message, Text(page.QuerySelector("div.message-error[role=alert] strong")));
        Assert.Equal("error", page.Body!.ClassName);
        Assert.Equal("/", page.QuerySelectorAll("section.content a").Last().GetAttribute("href"));
    }

    [Fact]
    public async Task U080_CsrfPage_SaysThatNothingWasDone()
    {
        await using var server = await StartAsync();
        foreach (
            var (name, value, why) in new[]
            {
                ("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Site is cross-site"),
                ("Origin", "https://evil.example", "The form was sent from another site"),
            }
        )
        {
            var page = await ReadAsync(
                await server.SendAsync(
                    "POST",
                    "/-/messages",
                    "message=x&message_type=INFO",
                    TestServer.Root,
                    ("Content-Type", FormType),
                    (name, value)
                ),
                403
            );
            Assert.Equal("CSRF check failed", page.Title);
            Assert.Equal("Form origin check failed", Text(page.QuerySelector("h1")));
            Assert.Equal(
                $"{why}. Nothing was changed; go back to this site and send the form again.",
                Text(page.QuerySelector("div.message-error[role=alert]"))
            );
        }
    }

    [Fact]
    [Trait("Rule", "H314")]
    public async Task U080_Logout_AsksFirst_ThenSaysSo()
    {
        await using var server = await StartAsync();
        var page = await ReadAsync(await server.GetAsync("/-/logout", TestServer.Root), 200);
        Assert.Equal("Log out", page.Title);
        Assert.Equal("Log out", Text(page.QuerySelector("h1")));
        Assert.Equal("You are logged in as root", Text(page.QuerySelector("section.content > p")));
        var form = page.QuerySelector("section.content form")!;
        Assert.Equal("post /-/logout", $"{form.GetAttribute("method")} {form.GetAttribute("action")}");
        Assert.Equal("Log out", form.QuerySelector("input[type=submit]")!.GetAttribute("value"));

        var done = await server.SendAsync("POST", "/-/logout", "", TestServer.Root, ("Content-Type", FormType));
        Assert.Equal((302, "/"), (done.Status, done.Header("location")));
        var message = done.Headers("set-cookie").Single(cookie => cookie.StartsWith("ds_messages=", StringComparison.Ordinal)).Split(';')[
            0
        ];
        Assert.Equal(
            "You are now logged out",
            Text((await ReadAsync(await server.GetAsync("/", ("Cookie", message)), 200)).QuerySelector("p.message-warning"))
        );
        var stranger = await server.GetAsync("/-/logout");
        Assert.Equal((302, "/"), (stranger.Status, stranger.Header("location")));
    }
}
