using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace Datasette.Plugins;

/// <summary>What a file says of itself without being loaded. Immutable.</summary>
/// <param name="Path">The file.</param>
/// <param name="Name">The assembly's name.</param>
/// <param name="References">The assemblies it was built against.</param>
internal sealed record PluginFile(string Path, string Name, IReadOnlyList<AssemblyName> References)
{
    /// <exception cref="StartupException">The file is no assembly, or cannot be read.</exception>
    public static PluginFile Read(string path)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            using var image = new PEReader(stream);
            if (!image.HasMetadata)
            {
                throw NoAssembly(path, "it is native code");
            }
            var reader = image.GetMetadataReader();
            if (!reader.IsAssembly)
            {
                throw NoAssembly(path, "it is a part of one");
            }
            return new(
                path,
                reader.GetString(reader.GetAssemblyDefinition().Name),
                [.. reader.AssemblyReferences.Select(handle => reader.GetAssemblyReference(handle).GetAssemblyName())]
            );
        }
        catch (BadImageFormatException e)
        {
            throw NoAssembly(path, e.Message.TrimEnd('.'));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StartupException($"{path} cannot be read: {e.Message}", 1, e);
        }
    }

    private static StartupException NoAssembly(string path, string why) =>
        new(
            $"{path} is no .NET assembly: {why}. Take it out of the folder, or put a native library with its plugin into a folder below: NAME/NAME.dll."
        );
}
