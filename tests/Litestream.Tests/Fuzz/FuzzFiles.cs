using System.IO.MemoryMappedFiles;
using System.Security.Cryptography;
using Testing;

namespace Litestream.Tests.Fuzz;

/// <summary>What long runs leave behind, and what every run starts from.</summary>
internal static class FuzzFiles
{
    private static readonly string s_left = Repository.PathOf("artifacts", "fuzz");

    /// <summary>Inputs that once found something, kept with the sources: each is run in every build.</summary>
    public static IReadOnlyList<byte[]> Committed(string target) =>
        Read(Repository.PathOf("tests", "Litestream.Tests", "Fuzz", "Corpus", target));

    /// <summary>Inputs that led earlier long runs of this machine to new code.</summary>
    public static IReadOnlyList<byte[]> Earlier(string target) => Read(Path.Combine(s_left, "corpus", target));

    /// <summary>Keeps an input for the next long run.</summary>
    public static void Keep(string target, byte[] input) => Write(Path.Combine(s_left, "corpus", target), input);

    /// <summary>Keeps an input that must not be lost, and says where.</summary>
    public static string Found(string target, byte[] input) => Write(Path.Combine(s_left, "found", target), input);

    /// <summary>A place for the input under way that outlives the process, should it take the process with it.</summary>
    public static CurrentInput Current(string target) => new(Path.Combine(Directory.CreateDirectory(s_left).FullName, target + ".current"));

    private static byte[][] Read(string folder) =>
        Directory.Exists(folder) ? [.. Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal).Select(File.ReadAllBytes)] : [];

    private static string Write(string folder, byte[] input)
    {
        var path = Path.Combine(Directory.CreateDirectory(folder).FullName, Convert.ToHexStringLower(SHA256.HashData(input))[..16]);
        File.WriteAllBytes(path, input);
        return path;
    }
}

/// <summary>The input under way, in a file: eight bytes of length, then the input. Written through memory, for it happens a thousand times a second.</summary>
internal sealed class CurrentInput(string path) : IDisposable
{
    private const int Capacity = 1 << 24;
    private readonly MemoryMappedFile _file = MemoryMappedFile.CreateFromFile(path, FileMode.Create, null, Capacity);
    private MemoryMappedViewAccessor? _view;

    /// <summary>Where it is.</summary>
    public string Path => path;

    /// <summary>Notes it; one that is too long is cut.</summary>
    public void Set(byte[] input)
    {
        _view ??= _file.CreateViewAccessor();
        _view.Write(0, (long)input.Length);
        _view.WriteArray(8, input, 0, Math.Min(input.Length, Capacity - 8));
    }

    /// <summary>The run is over and nothing happened.</summary>
    public void Dispose()
    {
        _view?.Dispose();
        _file.Dispose();
        File.Delete(path);
    }
}
