using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;

namespace Datasette.Text;

/// <summary>Signs cookies and tokens so that a deployment of the original with the same secret accepts them, and the other way round.</summary>
/// <remarks>
/// Payload: the JSON text, zlib-compressed and marked by a leading dot when that is shorter, in base64url without padding; then a dot;
/// then HMAC-SHA1 of the payload. The key is SHA-1 of namespace, <c>signer</c> and secret. Immutable, safe on any thread.
/// </remarks>
public sealed class ValueSigner
{
    /// <summary>A signed value larger than this after decompression is refused: nobody signs megabytes.</summary>
    private const int MaximumJsonBytes = 4 * 1024 * 1024;

    private readonly byte[] _secret;

    /// <summary>Creates a signer.</summary>
    /// <param name="secret">The instance's secret, any text.</param>
    public ValueSigner(string secret)
    {
        _secret = Encoding.UTF8.GetBytes(secret);
    }

    /// <summary>Signs a value.</summary>
    /// <param name="json">Compact JSON text (separators <c>,</c> and <c>:</c>).</param>
    /// <param name="namespace">What the value is for: <c>actor</c>, <c>token</c>, <c>messages</c>, or a plugin's own word.</param>
    public string Sign(string json, string @namespace)
    {
        var bytes = Encoding.UTF8.GetBytes(json);
        var compressed = Compress(bytes);
        var payload = compressed.Length < bytes.Length - 1 ? "." + Base64Url.EncodeToString(compressed) : Base64Url.EncodeToString(bytes);
        return payload + "." + Base64Url.EncodeToString(Signature(payload, @namespace));
    }

    /// <summary>Checks a signed value and gives its JSON text back.</summary>
    /// <param name="text">The signed value.</param>
    /// <param name="namespace">The namespace that it was signed with.</param>
    /// <param name="json">The JSON text when the signature is right.</param>
    /// <returns>False when the signature is wrong or the text is no signed value; never throws.</returns>
    public bool TryUnsign(string text, string @namespace, [NotNullWhen(true)] out string? json)
    {
        json = null;
        var split = text.LastIndexOf('.');
        if (split <= 0)
        {
            return false;
        }

        var payload = text[..split];
        if (!TryDecode(text.AsSpan(split + 1), out var given))
        {
            return false;
        }

        if (!CryptographicOperations.FixedTimeEquals(given, Signature(payload, @namespace)))
        {
            return false;
        }

        var isCompressed = payload[0] == '.';
        if (!TryDecode(payload.AsSpan(isCompressed ? 1 : 0), out var bytes))
        {
            return false;
        }

        if (isCompressed && !TryDecompress(bytes, out bytes))
        {
            return false;
        }

        json = Encoding.UTF8.GetString(bytes);
        return true;
    }

    private byte[] Signature(string payload, string @namespace)
    {
        var salt = Encoding.UTF8.GetBytes(@namespace + "signer");
        var key = SHA1.HashData([.. salt, .. _secret]);
        return HMACSHA1.HashData(key, Encoding.UTF8.GetBytes(payload));
    }

    private static bool TryDecode(ReadOnlySpan<char> text, out byte[] bytes)
    {
        bytes = new byte[Base64Url.GetMaxDecodedLength(text.Length)];
        try
        {
            if (!Base64Url.TryDecodeFromChars(text, bytes, out var written))
            {
                return false;
            }

            Array.Resize(ref bytes, written);
            return true;
        }
        catch (FormatException)
        {
            return false;
        }
    }

    private static byte[] Compress(byte[] bytes)
    {
        using var output = new MemoryStream();
        using (var zlib = new ZLibStream(output, CompressionLevel.Optimal))
        {
            zlib.Write(bytes);
        }

        return output.ToArray();
    }

    private static bool TryDecompress(byte[] bytes, out byte[] result)
    {
        result = [];
        try
        {
            using var zlib = new ZLibStream(new MemoryStream(bytes), CompressionMode.Decompress);
            using var output = new MemoryStream();
            var buffer = new byte[8192];
            for (int read; (read = zlib.Read(buffer)) > 0; )
            {
                output.Write(buffer, 0, read);
                if (output.Length > MaximumJsonBytes)
                {
                    return false;
                }
            }

            result = output.ToArray();
            return true;
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }
}
