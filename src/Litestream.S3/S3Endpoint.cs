using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;

namespace Litestream.S3;

/// <summary>What the name of a provider's host tells about how to talk to it.</summary>
/// <param name="Name">The provider, for messages.</param>
/// <param name="PathStyle">The bucket stands in the path unless the user says otherwise; null for the general rule (true for every custom endpoint).</param>
/// <param name="Concurrency">Parts sent at once, unless the user says otherwise.</param>
/// <param name="RequireContentMd5">Batch deletes carry Content-MD5, unless the user says otherwise.</param>
/// <param name="TigrisConsistency">Requests ask for consistent reads by Tigris' own header.</param>
/// <param name="Region">Region that the host names; null when it names none.</param>
internal sealed record S3Provider(
    string Name,
    bool? PathStyle = null,
    int Concurrency = 5,
    bool RequireContentMd5 = true,
    bool TigrisConsistency = false,
    string? Region = null
);

/// <summary>What stands in the place of the bucket in an S3 URL, taken apart.</summary>
/// <param name="Bucket">Bucket name or access point ARN.</param>
/// <param name="Path">Path behind it.</param>
/// <param name="Endpoint">With scheme; null for Amazon.</param>
/// <param name="Region">Null when not named.</param>
/// <param name="PathStyle">Null when the form does not decide it.</param>
internal sealed record S3Authority(string Bucket, string Path, string? Endpoint = null, string? Region = null, bool? PathStyle = null);

/// <summary>Reads host names: which provider, which bucket, which scheme.</summary>
internal static partial class S3Endpoint
{
    private const string DefaultRegion = "us-east-1";

    /// <summary>The provider behind an endpoint.</summary>
    public static S3Provider Detect(Uri endpoint)
    {
        var host = endpoint.Host.ToLowerInvariant();
        if (
            host is "fly.storage.tigris.dev" or "t3.storage.dev"
            || IsBelow(host, "fly.storage.tigris.dev")
            || IsBelow(host, "t3.storage.dev")
        )
            return new S3Provider("Tigris", RequireContentMd5: false, TigrisConsistency: true);
        if (IsBelow(host, "r2.cloudflarestorage.com"))
            return new S3Provider("Cloudflare R2", Concurrency: 2);
        if (IsBelow(host, "backblazeb2.com"))
            return new S3Provider("Backblaze B2", PathStyle: true, Region: RegionAfterS3(host));
        if (host == "s3.filebase.com")
            return new S3Provider("Filebase", PathStyle: true);
        if (IsBelow(host, "supabase.co"))
            return new S3Provider("Supabase", PathStyle: true);
        if (IsBelow(host, "digitaloceanspaces.com"))
            return new S3Provider("DigitalOcean Spaces", Region: host.Split('.')[^3]);
        if (IsBelow(host, "scw.cloud"))
            return new S3Provider("Scaleway", Region: RegionAfterS3(host));
        if (IsBelow(host, "your-objectstorage.com"))
            return new S3Provider("Hetzner", Region: host.Split('.')[^3]);
        if (IsBelow(host, "googleapis.com") && host.Split('.')[0].Split('-').Contains("storage"))
            return new S3Provider("Google Cloud Storage");
        return endpoint.IsDefaultPort ? new S3Provider("custom") : new S3Provider("MinIO or similar", PathStyle: true);
    }

    /// <summary>Takes apart what an S3 URL names: a plain bucket, one of the known host forms, or an access point.</summary>
    public static S3Authority Parse(string authority, string path)
    {
        if (AccessPoint().Match(authority) is { Success: true } arn)
        {
            var slash = path.IndexOf('/', StringComparison.Ordinal);
            var name = slash < 0 ? path : path[..slash];
            if (name.Length == 0)
                throw S3Settings.Invalid("url", $"no access point name behind {authority}", $"write s3://{authority}/NAME/PATH");
            return new S3Authority($"{authority}/{name}", slash < 0 ? "" : path[(slash + 1)..], Region: arn.Groups["region"].Value);
        }
        if (AmazonHost().Match(authority) is { Success: true } amazon)
            return new S3Authority(
                amazon.Groups["bucket"].Value,
                path,
                Region: amazon.Groups["region"] is { Success: true } r ? r.Value : null
            );
        if (ProviderHost().Match(authority) is { Success: true } provider)
        {
            var host = provider.Groups["host"].Value;
            var isPathStyle =
                host.EndsWith("backblazeb2.com", StringComparison.Ordinal) || host.EndsWith("filebase.com", StringComparison.Ordinal);
            var region = provider.Groups["region"] is { Success: true } named ? named.Value : DefaultRegion;
            return new S3Authority(provider.Groups["bucket"].Value, path, "https://" + host, region, isPathStyle);
        }
        if (LocalHost().Match(authority) is { Success: true } local && !IsCom(local.Groups["host"].Value))
            return new S3Authority(
                local.Groups["bucket"].Value,
                path,
                "http://" + local.Groups["host"].Value,
                DefaultRegion,
                PathStyle: true
            );
        return new S3Authority(authority, path);
    }

    /// <summary>An endpoint with its scheme.</summary>
    /// <param name="text">Host, perhaps with scheme and port.</param>
    /// <param name="guessScheme">Without a scheme take http for this machine and private networks; else always https.</param>
    public static Uri ToUri(string text, bool guessScheme)
    {
        var hasScheme = text.Contains("://", StringComparison.Ordinal);
        if (TryCreate(hasScheme ? text : "https://" + text) is not { } uri || uri.Scheme is not ("http" or "https"))
            throw S3Settings.Invalid("endpoint", "host name or http(s) URL wanted", "for example https://s3.example.com");
        if (uri.UserInfo.Length > 0)
            throw S3Settings.Invalid("endpoint", "credentials do not belong into the endpoint", "use access-key-id and secret-access-key");
        return hasScheme || !guessScheme || !IsPrivate(uri) ? uri : new Uri("http://" + text);
    }

    /// <summary>An absolute URL whose host can be asked for; null when it is none.</summary>
    public static Uri? TryCreate(string text)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out var uri))
            return null;
        try
        {
            // A name may be fine as text and yet have no form in which name servers are asked.
            return uri.IdnHost.Length > 0 ? uri : null;
        }
        catch (UriFormatException)
        {
            return null;
        }
    }

    /// <summary>True for this machine, private networks and <c>.local</c> names.</summary>
    public static bool IsPrivate(Uri uri)
    {
        var host = uri.IdnHost;
        if (!IPAddress.TryParse(host.Trim('[', ']'), out var address))
            return host is "localhost" || IsBelow(host, "localhost") || IsBelow(host, "local");
        if (IPAddress.IsLoopback(address))
            return true;
        if (address.AddressFamily == AddressFamily.InterNetworkV6)
            return address.IsIPv6LinkLocal || address.IsIPv6UniqueLocal;
        var b = address.GetAddressBytes();
        return b[0] == 10 || (b[0] == 172 && b[1] is >= 16 and <= 31) || (b[0] == 192 && b[1] == 168) || (b[0] == 169 && b[1] == 254);
    }

    private static bool IsCom(string host) => host.Split(':')[0].EndsWith(".com", StringComparison.OrdinalIgnoreCase);

    private static bool IsBelow(string host, string domain) => host.EndsWith("." + domain, StringComparison.Ordinal);

    private static string? RegionAfterS3(string host)
    {
        var labels = host.Split('.');
        var s3 = Array.IndexOf(labels, "s3");
        return s3 >= 0 && s3 + 3 < labels.Length ? labels[s3 + 1] : null;
    }

    [GeneratedRegex("^arn:[a-z-]+:s3:(?<region>[a-z0-9-]+):[0-9]*:accesspoint$", RegexOptions.IgnoreCase)]
    private static partial Regex AccessPoint();

    [GeneratedRegex(@"^(?<bucket>.+)\.s3(?:[.-](?<region>[a-z0-9-]+))?\.amazonaws\.com(?:\.cn)?$")]
    private static partial Regex AmazonHost();

    [GeneratedRegex(
        @"^(?<bucket>.+?)\.(?<host>(?<region>[a-z0-9-]+)\.digitaloceanspaces\.com|s3\.(?<region>[a-z0-9-]+)\.backblazeb2\.com|s3\.filebase\.com|s3\.(?<region>[a-z0-9-]+)\.scw\.cloud|(?<region>[a-z0-9-]+)\.linodeobjects\.com)$"
    )]
    private static partial Regex ProviderHost();

    [GeneratedRegex(@"^(?<bucket>[^.:]+)\.(?<host>localhost|[^:]+:[0-9]+)$")]
    private static partial Regex LocalHost();
}
