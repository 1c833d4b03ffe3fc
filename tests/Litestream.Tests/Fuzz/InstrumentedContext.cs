using System.Reflection;
using System.Runtime.Loader;
using SharpFuzz;
using SharpFuzz.Common;
using Testing;

namespace Litestream.Tests.Fuzz;

/// <summary>
/// The program a second time in this process, its parsers instrumented by SharpFuzz: rewritten copies of the assemblies, in a load context of their own. What
/// is built and delivered stays as it is.
/// </summary>
internal sealed class InstrumentedContext : AssemblyLoadContext
{
    // Our own code, and that of others to which it leaves a format.
    private static readonly string[] s_parsers = ["Litestream", "Litestream.S3", "Litestream.Cli", "K4os.Compression.LZ4", "YamlDotNet"];

    private static readonly Lazy<Func<string, bool, string>> s_run = new(() => new InstrumentedContext().Entry());
    private readonly TempFolder _folder = new();

    private InstrumentedContext()
        : base("instrumented")
    {
        AppDomain.CurrentDomain.ProcessExit += (_, _) => _folder.Dispose();
        foreach (var name in s_parsers)
            Instrument(name, _ => true);
        Instrument(typeof(PlantedFault).Assembly.GetName().Name!, type => type == typeof(PlantedFault).FullName);
    }

    /// <summary><see cref="FuzzSession.Run"/> of the instrumented program.</summary>
    public static FuzzResult Run(string target, bool guided) => FuzzResult.FromJson(s_run.Value(target, guided));

    protected override Assembly? Load(AssemblyName assemblyName)
    {
        // Both programs must see the same counters.
        if (assemblyName.Name == typeof(Trace).Assembly.GetName().Name)
            return null;
        string[] places = [_folder.Combine(FileOf(assemblyName.Name!)), Original(assemblyName.Name!)];
        return places.FirstOrDefault(File.Exists) is { } path ? LoadFromAssemblyPath(path) : null;
    }

    private static string FileOf(string name) => name + ".dll";

    private static string Original(string name) => Path.Combine(AppContext.BaseDirectory, FileOf(name));

    private void Instrument(string name, Func<string, bool> which)
    {
        var copy = _folder.Combine(FileOf(name));
        File.Copy(Original(name), copy);
        Fuzzer.Instrument(copy, which, Options.Value);
    }

    private Func<string, bool, string> Entry()
    {
        CoverageMap.Prepare();
        return LoadFromAssemblyName(typeof(FuzzSession).Assembly.GetName())
            .GetType(typeof(FuzzSession).FullName!, throwOnError: true)!
            .GetMethod(nameof(FuzzSession.RunToJson), BindingFlags.Static | BindingFlags.Public)!
            .CreateDelegate<Func<string, bool, string>>();
    }
}
