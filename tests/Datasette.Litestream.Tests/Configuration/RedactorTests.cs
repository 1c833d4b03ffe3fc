using Datasette.Litestream.Configuration;

namespace Datasette.Litestream.Tests.Configuration;

public sealed class RedactorTests
{
    private const string Secrets = "SECRETREPLICA|p4ssw0rd|QUERYSECRET|TOKENEXAMPLE|SECRETTOP|AKIDREPLICA|AKIDTOPLEVEL|hidden-by-env";

    private static LitestreamPluginConfig Read()
    {
        var setup = new ConfigSetup
        {
            TopLevel = """{"access-key-id": "AKIDTOPLEVEL", "secret-access-key": "SECRETTOP", "session-token": "TOKENEXAMPLE"}""",
        }.Database(
            "data",
            """
            {"replicas": [
              {"path": "backup", "access-key-id": "AKIDREPLICA", "secret-access-key": "SECRETREPLICA"},
              "s3://bucket/x?region=eu-1&secret-access-key=QUERYSECRET&access-key-id=AKIDREPLICA",
              {"type": "s3", "bucket": {"$env": "HIDDEN"}, "path": "y"}
            ]}
            """
        );
        setup.Environment["HIDDEN"] = "hidden-by-env";
        return setup.Read();
    }

    [Fact]
    public void P047_ResolvedConfiguration_HoldsNoSecret()
    {
        var text = Read().ShownText();

        Assert.All(Secrets.Split('|'), secret => Assert.DoesNotContain(secret, text));
        Assert.Contains("\"secret-access-key\": \"***REDACTED***\"", text);
        Assert.Contains("\"access-key-id\": \"…LICA\"", text);
        Assert.Contains("region=eu-1", text);
    }

    [Fact]
    public void P047_LogText_HoldsNoSecret()
    {
        var text = Read()
            .Redactor.Text(
                $"upload of {Secrets.Replace('|', ' ')} failed at sftp://me:p4ssw0rd@host/x and s3://b?secretAccessKey=abcd&x=1"
            );

        Assert.All(Secrets.Split('|').Where(secret => secret != "p4ssw0rd"), secret => Assert.DoesNotContain(secret, text));
        Assert.Contains("sftp://***REDACTED***@host/x", text);
        Assert.Contains("secretAccessKey=***REDACTED***&x=1", text);
    }

    [Fact]
    public void P047_ErrorMessage_HoldsNoSecret()
    {
        var message = new ConfigSetup()
            .Database("data", """{"replicas": [{"url": "nonsense://me:p4ssw0rd@host/x?token=QUERYSECRET"}]}""")
            .Refusal();

        Assert.DoesNotContain("p4ssw0rd", message);
        Assert.DoesNotContain("QUERYSECRET", message);
    }

    [Fact]
    public void P047_ReplicaThatIsRefused_DoesNotShowItsSecret()
    {
        var message = new ConfigSetup()
            .Database("data", """{"replicas": [{"secret-access-key": "SECRETREPLICA", "part-size": "SECRETREPLICA", "url": "s3://b/x"}]}""")
            .Refusal();

        Assert.DoesNotContain("SECRETREPLICA", message);
    }

    [Theory]
    [InlineData("AKIAIOSFODNN7EXAMPLE", "…MPLE")]
    [InlineData("short", "***REDACTED***")]
    public void P047_AccessKeyId_KeepsItsLastFour(string id, string shown) => Assert.Equal(shown, Redactor.LastFour(id));

    [Theory]
    [InlineData("secret-access-key", true)]
    [InlineData("session-token", true)]
    [InlineData("sse-customer-key", true)]
    [InlineData("webdav-password", true)]
    [InlineData("access-key-id", false)]
    [InlineData("url", false)]
    [InlineData("path", false)]
    [InlineData("host-key", false)]
    [InlineData("credentials-file", false)]
    public void SecretKeys_AreKnownByName(string key, bool secret) => Assert.Equal(secret, Redactor.IsSecretKey(key));

    [Fact]
    public void LongerSecret_IsReplacedBeforeOneInsideIt()
    {
        var redactor = new Redactor();
        redactor.AddSecret("abcd");
        redactor.AddSecret("abcdefgh");

        Assert.Equal("x ***REDACTED*** y", redactor.Text("x abcdefgh y"));
    }
}
