using System.Collections.Concurrent;
using System.IO.Compression;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Datasette.Databases;
using Datasette.Plugins;
using Microsoft.AspNetCore.Http;

namespace Datasette.Responses;

/// <summary>Files that are sent as they are: the host's own from its assembly, those of <c>--static</c> from their folders.</summary>
internal static class StaticFiles
{
    private const string Immutable = "max-age=31536000, immutable, public";
    private static readonly ConcurrentDictionary<string, Asset?> Embedded = new(StringComparer.Ordinal);

    private static readonly ConditionalWeakTable<DatasettePlugin, ConcurrentDictionary<string, Asset>> OfPlugins = [];

    private sealed record Asset(byte[] Content, string Etag, string Hash)
    {
        /// <summary>The same, smaller, for those who accept it; null for what does not become smaller.</summary>
        public byte[]? Zipped { get; init; }
    }

    /// <summary>Address of one of the host's own files, with its hash, so that a browser may keep it for ever.</summary>
    public static string Href(string name) => $"/-/static/{name}?_hash={Load(name)!.Hash}";

    public static Response Own(string name, HttpContext context, string? hash)
    {
        if (name.Length == 0)
        {
            throw new DatasetteException(403, "403: Directory listing is not allowed");
        }
        if (name.Split('/').Contains(".."))
        {
            throw new DatasetteException(404, "404: Path not inside root path");
        }
        return Load(name) is { } asset ? Answer(asset, name, context, hash) : throw new DatasetteException(404, "404: File not found");
    }

    /// <summary>A file that a plugin brings; kept, so that the plugin is asked once.</summary>
    public static Response OfPlugin(DatasettePlugin plugin, string path, HttpContext context, string? hash)
    {
        if (path.Length == 0 || path.EndsWith('/'))
        {
            throw new DatasetteException(403, "403: Directory listing is not allowed");
        }
        if (path.Split('/', '\\').Contains(".."))
        {
            throw new DatasetteException(404, "404: Path not inside root path");
        }
        return OfPlugins.GetValue(plugin, static _ => new(StringComparer.Ordinal)) is var files && Find() is { } asset
            ? Answer(asset, path, context, hash)
            : throw new DatasetteException(404, "404: File not found");

        Asset? Find()
        {
            // What is not there is not remembered: addresses are the visitors' choice, and there are many.
            if (files.TryGetValue(path, out var known))
            {
                return known;
            }
            using var stream = HookCall.Run(plugin, nameof(plugin.OpenStatic), p => p.OpenStatic(path));
            return stream is null ? null : files.GetOrAdd(path, Make(ReadAll(stream)));
        }
    }

    private static byte[] ReadAll(Stream stream)
    {
        using var content = new MemoryStream();
        stream.CopyTo(content);
        return content.ToArray();
    }

    /// <summary>A file of a folder.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="relative">The path below it, as in the address.</param>
    /// <param name="context">The request.</param>
    /// <param name="hash">What the address says the content is.</param>
    /// <param name="databases">Files that are open as databases and must not be opened here.</param>
    public static async Task<Response> FromFolderAsync(
        string folder,
        string relative,
        HttpContext context,
        string? hash,
        IEnumerable<string> databases
    )
    {
        var root = RealPath(Path.GetFullPath(folder));
        var name = Uri.UnescapeDataString(relative);
        if (name.Contains('\0', StringComparison.Ordinal))
        {
            throw new DatasetteException(404, "404: File not found");
        }
        // A link may lead out of the folder as well as two dots.
        var full = RealPath(Path.GetFullPath(Path.Join(root, name)));
        if (full != root && !full.StartsWith(root + Path.DirectorySeparatorChar, StringComparison.Ordinal))
        {
            throw new DatasetteException(404, "404: Path not inside root path");
        }
        if (Directory.Exists(full))
        {
            throw new DatasetteException(403, "403: Directory listing is not allowed");
        }
        if (!File.Exists(full) || LiveFiles.MayBe(full, databases))
        {
            throw new DatasetteException(404, "404: File not found");
        }
        await using var stream = new FileStream(full, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var content = new byte[stream.Length];
        await stream.ReadExactlyAsync(content, context.RequestAborted);
        return Answer(Make(content), full, context, hash);
    }

    /// <summary>The path with every link on its way followed; what does not exist stays as it is.</summary>
    private static string RealPath(string path)
    {
        var real = Path.GetPathRoot(path) ?? "/";
        foreach (var part in path[real.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries))
        {
            real = Path.Join(real, part);
            if (new FileInfo(real).LinkTarget is null)
            {
                continue;
            }
            try
            {
                real = File.ResolveLinkTarget(real, returnFinalTarget: true)?.FullName ?? real;
            }
            catch (IOException e)
            {
                throw new DatasetteException(404, "404: File not found", e);
            }
        }
        return real;
    }

    public static Response Favicon() =>
        Respond.Bytes(Load("favicon.png")!.Content, "image/png").With("Cache-Control", "max-age=3600, public");

    private static Response Answer(Asset asset, string name, HttpContext context, string? hash)
    {
        var zipped = context.Request.Headers.AcceptEncoding.ToString().Contains("gzip", StringComparison.Ordinal) ? asset.Zipped : null;
        // Other bytes, another tag.
        var etag = zipped is null ? asset.Etag : asset.Etag[..^1] + "-gzip\"";
        var unchanged = context.Request.Headers.IfNoneMatch.Contains(etag);
        var answer = unchanged ? Respond.Bytes(default, TypeOf(name), 304) : Respond.Bytes(zipped ?? asset.Content, TypeOf(name));
        return answer
            .With("ETag", etag)
            .With("Cache-Control", hash == asset.Hash ? Immutable : null)
            .With("Content-Encoding", zipped is null || unchanged ? null : "gzip")
            .With("Vary", asset.Zipped is null ? null : "Accept-Encoding");
    }

    private static Asset? Load(string name) =>
        Embedded.GetOrAdd(
            name,
            static name =>
            {
                using var stream = typeof(StaticFiles).Assembly.GetManifestResourceStream("static/" + name);
                if (stream is null)
                {
                    return null;
                }
                var content = new byte[stream.Length];
                stream.ReadExactly(content);
                return Make(content) with { Zipped = TypeOf(name).StartsWith("text/", StringComparison.Ordinal) ? Zip(content) : null };
            }
        );

    private static byte[] Zip(byte[] content)
    {
        using var zipped = new MemoryStream();
        using (var stream = new GZipStream(zipped, CompressionLevel.SmallestSize))
        {
            stream.Write(content);
        }
        return zipped.ToArray();
    }

    private static Asset Make(byte[] content)
    {
#pragma warning disable CA5351 // The contract of the ETag is MD5; nothing is protected by it.
        var etag = "\"" + Convert.ToHexStringLower(MD5.HashData(content)) + "\"";
#pragma warning restore CA5351
        return new(content, etag, Convert.ToHexStringLower(SHA256.HashData(content))[..12]);
    }

    private static string TypeOf(string name) =>
        Path.GetExtension(name).ToLowerInvariant() switch
        {
            ".css" => "text/css",
            ".js" or ".mjs" => "text/javascript",
            ".json" => "application/json",
            ".html" or ".htm" => "text/html; charset=utf-8",
            ".txt" or ".md" => "text/plain; charset=utf-8",
            ".svg" => "image/svg+xml",
            ".png" => "image/png",
            ".jpg" or ".jpeg" => "image/jpeg",
            ".gif" => "image/gif",
            ".webp" => "image/webp",
            ".ico" => "image/x-icon",
            ".woff2" => "font/woff2",
            ".woff" => "font/woff",
            ".pdf" => "application/pdf",
            ".xml" => "application/xml",
            ".csv" => "text/csv; charset=utf-8",
            _ => "application/octet-stream",
        };
}
