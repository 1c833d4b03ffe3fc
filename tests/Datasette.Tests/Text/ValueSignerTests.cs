using System.Security.Cryptography;
using System.Text;
using Datasette.Text;
using Xunit;

namespace Datasette.Tests.Text;

public class ValueSignerTests
{
    private const string Secret = "conformance-secret";

    /// <summary>Made by itsdangerous 2.2.0: <c>URLSafeSerializer("conformance-secret", "actor").dumps({"a": {"id": "root"}})</c>.</summary>
    private const string RootCookie = "eyJhIjp7ImlkIjoicm9vdCJ9fQ.tP9nX-z9zmJ_azxbZLq19VhTJkQ";

    /// <summary>Made by itsdangerous 2.2.0, namespace token, of sixty times x: compressed by Python's zlib.</summary>
    private const string CompressedToken = ".eJyrVkpUslKqoAAo1QIA9VYePA.nRPu4z1veZ2T_iTBWavRHcXSf_A";

    [Fact]
    public void Sign_ShortValue_IsTheOriginalsText()
    {
        Assert.Equal(RootCookie, new ValueSigner(Secret).Sign("{\"a\":{\"id\":\"root\"}}", "actor"));
    }

    [Fact]
    public void Unsign_ValuesOfTheOriginal_AreRead()
    {
        var signer = new ValueSigner(Secret);
        Assert.True(signer.TryUnsign(RootCookie, "actor", out var json));
        Assert.Equal("{\"a\":{\"id\":\"root\"}}", json);
        Assert.True(signer.TryUnsign(CompressedToken, "token", out json));
        Assert.Equal("{\"a\":\"" + new string('x', 60) + "\"}", json);
    }

    [Fact]
    public void Unsign_LongValue_WasCompressed()
    {
        var json = "{\"a\":\"" + new string('x', 500) + "\"}";
        var signer = new ValueSigner(Secret);
        var text = signer.Sign(json, "token");
        Assert.StartsWith(".", text, StringComparison.Ordinal);
        Assert.True(text.Length < 200);
        Assert.True(signer.TryUnsign(text, "token", out var back));
        Assert.Equal(json, back);
    }

    [Fact]
    public void Unsign_RightSignatureOverNoZlib_IsRefused()
    {
        const string Payload = ".bm8gemxpYg";
        Assert.False(new ValueSigner(Secret).TryUnsign(Payload + "." + Hmac(Payload, "token"), "token", out _));
    }

    [Fact]
    public void Unsign_WrongSecretNamespaceOrText_IsRefused()
    {
        var signer = new ValueSigner(Secret);
        var text = signer.Sign("{\"a\":1}", "actor");
        Assert.False(new ValueSigner("other").TryUnsign(text, "actor", out _));
        Assert.False(signer.TryUnsign(text, "token", out _));
        for (var i = 0; i < text.Length; i++)
        {
            var changed = text[..i] + (text[i] == 'A' ? 'B' : 'A') + text[(i + 1)..];
            // The last character of base64 holds bits that no byte uses; it may change without effect.
            if (i < text.Length - 1)
            {
                Assert.False(signer.TryUnsign(changed, "actor", out _), changed);
            }
        }

        foreach (var bad in (string[])["", ".", "..", "a", "a.", ".a", "ä.ä", "a.b.c", "!!.!!", " . "])
        {
            Assert.False(signer.TryUnsign(bad, "actor", out _));
        }
    }

    [Fact]
    public void Unsign_NonAsciiValue_IsKept()
    {
        var signer = new ValueSigner(Secret);
        Assert.True(signer.TryUnsign(signer.Sign("{\"a\":\"é𝐜\"}", "actor"), "actor", out var json));
        Assert.Equal("{\"a\":\"é𝐜\"}", json);
    }

    private static string Hmac(string payload, string @namespace)
    {
        var key = SHA1.HashData(Encoding.UTF8.GetBytes(@namespace + "signer" + Secret));
        return Base64(HMACSHA1.HashData(key, Encoding.UTF8.GetBytes(payload)));
    }

    private static string Base64(byte[] bytes) => Convert.ToBase64String(bytes).TrimEnd('=').Replace('+', '-').Replace('/', '_');
}
