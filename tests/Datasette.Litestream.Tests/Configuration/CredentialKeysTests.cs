using Datasette.Litestream.Configuration;

namespace Datasette.Litestream.Tests.Configuration;

/// <summary>The keys for credentials that change, and for a database that is missing.</summary>
public sealed class CredentialKeysTests
{
    [Theory]
    [InlineData(
        """{"credentials-file": "a", "credentials-command": "b", "credentials-refresh-interval": 1}""",
        "cannot specify both 'credentials-file' and 'credentials-command'"
    )]
    [InlineData(
        """{"credentials-file": "a"}""",
        "'credentials-refresh-interval' is required when using 'credentials-file' or 'credentials-command'"
    )]
    [InlineData(
        """{"credentials-command": "b"}""",
        "'credentials-refresh-interval' is required when using 'credentials-file' or 'credentials-command'"
    )]
    [InlineData("""{"credentials-file": "a", "credentials-refresh-interval": 0}""", "must be a number of seconds greater than 0, not 0")]
    [InlineData(
        """{"credentials-file": "a", "credentials-refresh-interval": "1m"}""",
        "must be a number of seconds greater than 0, not \"1m\""
    )]
    [InlineData("""{"credentials-file": "a", "credentials-refresh-interval": 1e300}""", "must be a number of seconds")]
    [InlineData("""{"credentials-file": 7, "credentials-refresh-interval": 1}""", "'credentials-file' must be a text")]
    [InlineData("""{"credentials-command": "cat 'x", "credentials-refresh-interval": 1}""", "a quote is not closed")]
    [InlineData("""{"credentials-command": "  ", "credentials-refresh-interval": 1}""", "nothing is in it")]
    [Trait("Rule", "P080")]
    public void P082_CredentialKeys_ThatDoNotFit_AreRefused(string top, string expected)
    {
        var message = new ConfigSetup { TopLevel = top }.Refusal();

        Assert.StartsWith("datasette-litestream: ", message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Rule", "P080")]
    public void P084_WithAFile_StaticKeysAreIgnored()
    {
        var config = new ConfigSetup
        {
            TopLevel =
                """{"all-replicate": ["s3://b/$DB_NAME"], "credentials-file": "c.json", "credentials-refresh-interval": 1.5, "access-key-id": "AKIDSTATIC", "secret-access-key": "S3CRET"}""",
        }
            .Database("data")
            .Read();

        Assert.Equal(("/work dir/c.json", TimeSpan.FromSeconds(1.5)), (config.Credentials!.File, config.Credentials.Interval));
        Assert.DoesNotContain("access-key-id", config.Databases[0].Options.Replicas[0].Settings.Keys);
        Assert.DoesNotContain("AKIDSTATIC", config.ShownText(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("true", null, true)]
    [InlineData("true", "false", false)]
    [InlineData("false", "true", true)]
    [InlineData(null, "true", true)]
    [InlineData(null, null, false)]
    public void P065_RestoreIfMissing_OfTheDatabaseWinsOverTheTopLevel(string? top, string? own, bool expected)
    {
        var key = top is null ? "" : $", \"restore-if-missing\": {top}";
        var config = new ConfigSetup { TopLevel = $$"""{"all-replicate": ["s3://b/$DB_NAME"]{{key}}}""" }
            .Database("data", own is null ? null : $$"""{"restore-if-missing": {{own}}}""")
            .Read();

        Assert.Equal(expected, config.Databases[0].Options.RestoreIfMissing);
    }

    [Fact]
    public void P065_RestoreIfMissing_IsTrueOrFalse()
    {
        var message = new ConfigSetup { TopLevel = """{"restore-if-missing": "yes"}""" }.Refusal();

        Assert.Contains("restore-if-missing must be true or false, not \"yes\"", message);
    }

    [Fact]
    public void P084_SessionToken_GoesWithTheStaticPair()
    {
        var settings = new ConfigSetup
        {
            TopLevel =
                """{"all-replicate": ["s3://b/$DB_NAME"], "access-key-id": "AKIDEXAMPLE", "secret-access-key": "SECRET", "session-token": "TOKEN"}""",
        }
            .Database("data")
            .Read()
            .Databases[0]
            .Options.Replicas[0]
            .Settings;

        Assert.Equal("TOKEN", settings["session-token"]);
    }
}
