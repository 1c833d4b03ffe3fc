using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.Loader;

namespace Datasette.Plugins;

/// <summary>
/// Where a plugin's assemblies live: what the program has comes from the program, the rest from beside the plugin. Two plugins may bring two
/// versions of the same library.
/// </summary>
[RequiresUnreferencedCode("Loads assemblies.")]
internal sealed class PluginLoadContext(string file, IReadOnlySet<string> provided)
    : AssemblyLoadContext(Path.GetFileNameWithoutExtension(file))
{
    private readonly AssemblyDependencyResolver resolver = new(file);

    protected override Assembly? Load(AssemblyName assemblyName)
    {
        if (provided.Contains(assemblyName.Name!))
        {
            return null;
        }
        var path = resolver.ResolveAssemblyToPath(assemblyName) ?? Path.Join(Path.GetDirectoryName(file), assemblyName.Name + ".dll");
        return File.Exists(path) ? LoadFromAssemblyPath(path) : null;
    }

    protected override nint LoadUnmanagedDll(string unmanagedDllName) =>
        resolver.ResolveUnmanagedDllToPath(unmanagedDllName) is { } path ? LoadUnmanagedDllFromPath(path) : 0;
}
