using System.Diagnostics.CodeAnalysis;
using System.Reflection;

namespace Datasette.Plugins;

/// <summary>The plugins of <c>--plugins-dir</c>: assemblies in the folder itself, and <c>NAME/NAME.dll</c> in folders below it.</summary>
/// <remarks>
/// Files are looked at before they are loaded, so that a wrong one is told by name and nothing of it runs. What the program has itself (the host,
/// ASP.NET, the SQLite library) it shares with the plugins: there is one of each in the process.
/// </remarks>
internal static class PluginFolder
{
    private const string Guide = "docs/guides/plugins.md";
    private static readonly AssemblyName Host = typeof(PluginFolder).Assembly.GetName();

    /// <summary>Whether this program can load assemblies: one that was compiled ahead of time has no list of them, and no compiler.</summary>
    public static bool IsSupported => Provided().Count > 0;

    /// <summary>Loads and makes every plugin of a folder, by file name.</summary>
    /// <exception cref="StartupException">The folder is missing (exit code 2), or a file in it is no plugin for this program: named, with what to do.</exception>
    [UnconditionalSuppressMessage(
        "Trimming",
        "IL2026",
        Justification = "Nothing is loaded in a trimmed program: RefuseWhatCannotRun comes first."
    )]
    public static IReadOnlyList<DatasettePlugin> Load(string folder)
    {
        if (!Directory.Exists(folder))
        {
            throw new StartupException($"Invalid value for '--plugins-dir': Directory '{folder}' does not exist.", 2);
        }
        RefuseWhatCannotRun(folder);
        var plugins = new List<DatasettePlugin>();
        foreach (var file in PluginFiles(folder))
        {
            plugins.AddRange(LoadFile(Path.GetFullPath(file)));
        }
        return plugins;
    }

    /// <summary>Whether a folder holds anything that somebody may take for a plugin.</summary>
    public static bool HasAny(string folder) => Directory.Exists(folder) && (Python(folder) is not null || Assemblies(folder).Any());

    private static void RefuseWhatCannotRun(string folder)
    {
        if (Python(folder) is { } script)
        {
            throw new StartupException(
                $"{script} is a Python plugin, which this program cannot run. Write it in C#: {Guide} shows each hook; then put its assembly (.dll) into {folder}."
            );
        }
        if (!IsSupported)
        {
            throw new StartupException(
                $"--plugins-dir is not available in this native program, which cannot load assemblies: {folder}. Use the dotnet tool 'datasette' instead, or compile a program of your own with the plugin in it; its Program.cs is one line ({Guide})."
            );
        }
    }

    private static string? Python(string folder) => Directory.EnumerateFiles(folder, "*.py").Order(StringComparer.Ordinal).FirstOrDefault();

    private static IEnumerable<string> Assemblies(string folder) =>
        Directory
            .EnumerateFiles(folder, "*.dll")
            .Order(StringComparer.Ordinal)
            .Concat(
                Directory
                    .EnumerateDirectories(folder)
                    .Order(StringComparer.Ordinal)
                    .Select(below => Path.Join(below, Path.GetFileName(below) + ".dll"))
                    .Where(File.Exists)
            );

    /// <summary>Assemblies that are plugins; those that others in the folder need are left to them.</summary>
    private static List<string> PluginFiles(string folder)
    {
        var provided = Provided();
        var facts = Assemblies(folder)
            .Where(file => !provided.Contains(Path.GetFileNameWithoutExtension(file)))
            .Select(PluginFile.Read)
            .ToList();
        var needed = facts.SelectMany(file => file.References).Select(reference => reference.Name).ToHashSet();
        var plugins = new List<string>();
        foreach (var file in facts)
        {
            if (file.References.FirstOrDefault(reference => reference.Name == Host.Name) is { } host)
            {
                RefuseOtherVersion(file.Path, host.Version!);
                plugins.Add(file.Path);
            }
            else if (!needed.Contains(file.Name))
            {
                throw new StartupException(
                    $"{file.Path} is no plugin: it does not use the assembly {Host.Name}, and no plugin beside it uses it. Take it out of {folder}; {Guide} says what a plugin is."
                );
            }
        }
        return plugins;
    }

    // Before 1.0 each minor version may change what a plugin is built on; from 1.0 on, each major one.
    private static void RefuseOtherVersion(string file, Version built)
    {
        var own = Host.Version!;
        if (built.Major != own.Major || (own.Major == 0 && built.Minor != own.Minor) || built > own)
        {
            throw new StartupException(
                $"{file} was built against {Host.Name} {built.ToString(3)}, and this program is {own.ToString(3)}. Build it again with {Host.Name} {own.ToString(3)}."
            );
        }
    }

    [RequiresUnreferencedCode("Loads an assembly.")]
    private static List<DatasettePlugin> LoadFile(string file)
    {
        Type[] types;
        try
        {
            types = new PluginLoadContext(file, Provided()).LoadFromAssemblyPath(file).GetTypes();
        }
        catch (ReflectionTypeLoadException e)
        {
            throw Unusable(file, e.LoaderExceptions.OfType<Exception>().FirstOrDefault() ?? e);
        }
        catch (Exception e) when (e is IOException or BadImageFormatException or TypeLoadException)
        {
            throw Unusable(file, e);
        }
        var found = types.Where(type => type is { IsAbstract: false } && type.IsSubclassOf(typeof(DatasettePlugin))).ToList();
        var usable = found.Where(type => type.IsVisible && type.GetConstructor([]) is not null).ToList();
        if (usable.Count == 0)
        {
            throw new StartupException(
                found is [var hidden, ..]
                    ? $"{file}: the class {hidden.FullName} is a plugin, but it is not public or has no public constructor without parameters. Give it both."
                    : $"{file} uses {Host.Name} but holds no plugin: a public class that derives from {typeof(DatasettePlugin).FullName}. {Guide} shows one."
            );
        }
        return usable.ConvertAll(type => Make(file, type));
    }

    private static StartupException Unusable(string file, Exception cause) =>
        new(
            $"{file} cannot be loaded: {cause.Message.TrimEnd('.')}. It was built for another version of .NET or of the host, or an assembly it needs is not beside it; build it again for this program (.NET {Environment.Version}, {Host.Name} {Host.Version!.ToString(3)}) with: dotnet publish",
            1,
            cause
        );

    private static DatasettePlugin Make(
        string file,
        [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicParameterlessConstructor)] Type type
    )
    {
        try
        {
            var plugin = (DatasettePlugin)Activator.CreateInstance(type)!;
            plugin.Origin = file;
            return plugin;
        }
        catch (TargetInvocationException e)
        {
            var cause = e.InnerException ?? e;
            throw new StartupException(
                $"{file}: the constructor of the plugin {type.FullName} failed: {cause.GetType().Name}: {cause.Message} Mend it, or take the file out of the folder.",
                1,
                cause
            );
        }
    }

    /// <summary>Names of the assemblies that the program itself brings. Empty where there are no assemblies any more.</summary>
    private static HashSet<string> Provided() =>
        (AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES") as string ?? "")
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(path => Path.GetFileNameWithoutExtension(path))
            .ToHashSet(StringComparer.OrdinalIgnoreCase);
}
