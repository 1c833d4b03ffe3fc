using System.Reflection;
using System.Reflection.Emit;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Datasette.Plugins;
using Testing;
using Xunit;

namespace Datasette.Tests.Plugins;

/// <summary><c>--plugins-dir</c>, through the tool's own door in a second process: assemblies are loaded, and what is none is told by name.</summary>
public sealed class PluginFolderTests : IDisposable
{
    private readonly TempFolder folder = new();

    private string Plugins => Directory.CreateDirectory(folder.Combine("plugins")).FullName;

    public void Dispose() => folder.Dispose();

    private static string Hello => typeof(HelloPlugin).Assembly.Location;

    private string Put(string source, string name)
    {
        var path = Path.Join(Plugins, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.Copy(source, path);
        return path;
    }

    private async Task<(int Exit, string Output, string Error)> RunAsync(params string[] arguments)
    {
        await using var run = await TestProcess.RunAsync(
            Repository.ProgramOf("Datasette.Door"),
            arguments,
            new Dictionary<string, string?> { [PluginLoader.Variable] = "" },
            folder.Path,
            cancellationToken: TestContext.Current.CancellationToken
        );
        return (run.ExitCode, run.StandardOutput, run.StandardError);
    }

    private async Task<string> ErrorAsync(int exit = 1)
    {
        var run = await RunAsync("--memory", "--plugins-dir", "plugins", "--get", "/-/plugins.json");
        Assert.True(run.Exit == exit, $"exit {run.Exit}\n{run.Output}\n{run.Error}");
        var line = Assert.Single(run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("Error: ", line, StringComparison.Ordinal);
        Assert.Empty(run.Output);
        return line;
    }

    [Fact]
    [Trait("Rule", "C051")]
    public async Task C023_SampleInTheFolder_IsLoaded_Served_AndListed()
    {
        Put(Hello, "HelloPlugin.dll");
        // What stands beside a plugin after a build does no harm: the program's own is taken.
        Put(typeof(DatasettePlugin).Assembly.Location, "Datasette.dll");

        var page = await RunAsync(
            "--memory",
            "--plugins-dir",
            "plugins",
            "--get",
            "/_memory/-/query.json?sql=select+hello('x')+as+h&_shape=array"
        );
        Assert.Equal("[{\"h\": \"Hello, x!\"}]\n", page.Output.Replace("\":\"", "\": \"", StringComparison.Ordinal));
        var list = await RunAsync("--memory", "--plugins-dir", "plugins", "--get", "/-/plugins.json");
        var listed = Assert.Single(JsonNode.Parse(list.Output)!.AsArray())!;
        Assert.Equal("hello", (string?)listed["name"]);
        Assert.Equal(
            ["menu_links", "prepare_connection", "register_actions", "register_routes"],
            listed["hooks"]!.AsArray().Select(hook => (string?)hook)
        );

        var command = await RunAsync("plugins", "--plugins-dir", "plugins");
        Assert.Equal("hello", (string?)Assert.Single(JsonNode.Parse(command.Output)!.AsArray())!["name"]);
        Assert.Equal("hello==1.0\n", (await RunAsync("plugins", "--requirements", "--plugins-dir", "plugins")).Output);
    }

    [Fact]
    public async Task C100_FolderPluginsOfAConfigurationDirectory_IsLoaded_AsAreFoldersWithAPluginEach()
    {
        Put(Hello, "HelloPlugin/HelloPlugin.dll");
        var run = await RunAsync(folder.Path, "--get", "/-/plugins.json");
        Assert.True(run.Exit == 0, run.Error);
        Assert.Contains("\"hello\"", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Rule", "C023")]
    public async Task MissingFolder_IsWrongUsage()
    {
        var run = await RunAsync("--memory", "--plugins-dir", "nope", "--get", "/");
        Assert.Equal(2, run.Exit);
        Assert.Equal("Error: Invalid value for '--plugins-dir': Directory 'nope' does not exist.\n", run.Error);
        Assert.Equal(2, (await RunAsync("plugins", "--plugins-dir", "nope")).Exit);
    }

    [Fact]
    [Trait("Rule", "C023")]
    public async Task PythonPlugin_IsRefusedWithAHint()
    {
        await File.WriteAllTextAsync(
            Path.Join(Plugins, "hello.py"),
            "from datasette import hookimpl",
            TestContext.Current.CancellationToken
        );
        var error = await ErrorAsync();
        Assert.Contains("hello.py is a Python plugin", error, StringComparison.Ordinal);
        Assert.Contains("docs/guides/plugins.md", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task FileThatIsNoAssembly_IsNamed()
    {
        await File.WriteAllTextAsync(Path.Join(Plugins, "text.dll"), "not a program", TestContext.Current.CancellationToken);
        Assert.Contains("text.dll is no .NET assembly: ", await ErrorAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AssemblyThatDoesNotUseTheHost_IsNamed()
    {
        Emit("Stranger", null);
        Assert.Contains("Stranger.dll is no plugin: it does not use the assembly Datasette", await ErrorAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AssemblyWithoutAPublicPlugin_IsNamed()
    {
        Emit("Hidden", type => Complete(type, "hidden"), TypeAttributes.NotPublic);
        var error = await ErrorAsync();
        Assert.Contains("Hidden.dll: the class Hidden is a plugin, but it is not public", error, StringComparison.Ordinal);

        File.Delete(Path.Join(Plugins, "Hidden.dll"));
        Emit("Abstract", type => Complete(type, "abstract"), TypeAttributes.Public | TypeAttributes.Abstract);
        error = await ErrorAsync();
        Assert.Contains(
            "Abstract.dll uses Datasette but holds no plugin: a public class that derives from Datasette.Plugins.DatasettePlugin",
            error,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task PluginBuiltAgainstAnotherVersion_IsNamedWithBothVersions()
    {
        var path = Put(Hello, "HelloPlugin.dll");
        ChangeVersionOfReference(path, "Datasette", minor: 77);
        var error = await ErrorAsync();
        Assert.Matches(
            new Regex(@"HelloPlugin\.dll was built against Datasette 0\.77\.\d+, and this program is 0\.\d+\.\d+\. Build it again"),
            error
        );
    }

    [Fact]
    public async Task PluginThatDoesNotFitThisHost_IsNamed()
    {
        // Built for the same version, and yet against something else, in which a plugin needs no Name.
        Emit("Elsewhere", _ => { });
        var error = await ErrorAsync();
        Assert.Contains("Elsewhere.dll cannot be loaded: ", error, StringComparison.Ordinal);
        Assert.Contains("build it again for this program", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PluginWhoseConstructorFails_IsNamedWithTheReason()
    {
        Emit(
            "Broken",
            type =>
            {
                var il = type.DefineConstructor(MethodAttributes.Public, CallingConventions.Standard, []).GetILGenerator();
                il.Emit(OpCodes.Ldstr, "no weather today");
                il.Emit(OpCodes.Newobj, typeof(InvalidOperationException).GetConstructor([typeof(string)])!);
                il.Emit(OpCodes.Throw);
                DefineName(type, "broken");
            }
        );
        var error = await ErrorAsync();
        Assert.Contains(
            "Broken.dll: the constructor of the plugin Broken failed: InvalidOperationException: no weather today",
            error,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task PluginThatFailsInAHook_IsNamedWithItsFile()
    {
        Emit(
            "Late",
            type =>
            {
                Complete(type, "late");
                var hook = typeof(DatasettePlugin).GetMethod(nameof(DatasettePlugin.GetMetadata))!;
                var il = Override(type, hook).GetILGenerator();
                il.Emit(OpCodes.Ldstr, "too late");
                il.Emit(OpCodes.Newobj, typeof(InvalidOperationException).GetConstructor([typeof(string)])!);
                il.Emit(OpCodes.Throw);
            }
        );
        var run = await RunAsync("--memory", "--plugins-dir", "plugins", "--get", "/");
        Assert.Equal(1, run.Exit);
        Assert.Contains("The plugin &#x27;late&#x27; failed in its hook get_metadata: too late", run.Output, StringComparison.Ordinal);
        Assert.Contains($"({Path.Join(Plugins, "Late.dll")}) failed in its hook get_metadata", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TwoPluginsOfOneName_AreBothNamed()
    {
        Emit("One", type => Complete(type, "same"));
        Emit("Two", type => Complete(type, "same"));
        var error = await ErrorAsync();
        Assert.Contains("Two plugins are called 'same'", error, StringComparison.Ordinal);
        Assert.Contains("One.dll", error, StringComparison.Ordinal);
        Assert.Contains("Two.dll", error, StringComparison.Ordinal);
    }

    /// <summary>Writes an assembly with one class into the folder; a plugin, when it is filled.</summary>
    private void Emit(string name, Action<TypeBuilder>? fill, TypeAttributes attributes = TypeAttributes.Public)
    {
        var assembly = new PersistedAssemblyBuilder(new AssemblyName(name) { Version = new Version(1, 0) }, typeof(object).Assembly);
        var type = assembly.DefineDynamicModule(name).DefineType(name, attributes, fill is null ? typeof(object) : typeof(DatasettePlugin));
        fill?.Invoke(type);
        type.CreateType();
        assembly.Save(Path.Join(Plugins, name + ".dll"));
    }

    private static void Complete(TypeBuilder type, string name)
    {
        var il = type.DefineConstructor(MethodAttributes.Public, CallingConventions.Standard, []).GetILGenerator();
        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Call, typeof(DatasettePlugin).GetConstructor(BindingFlags.Instance | BindingFlags.NonPublic, [])!);
        il.Emit(OpCodes.Ret);
        DefineName(type, name);
    }

    private static void DefineName(TypeBuilder type, string name)
    {
        var il = Override(type, typeof(DatasettePlugin).GetProperty(nameof(DatasettePlugin.Name))!.GetMethod!).GetILGenerator();
        il.Emit(OpCodes.Ldstr, name);
        il.Emit(OpCodes.Ret);
    }

    private static MethodBuilder Override(TypeBuilder type, MethodInfo method) =>
        type.DefineMethod(
            method.Name,
            MethodAttributes.Public | MethodAttributes.Virtual | MethodAttributes.HideBySig,
            method.ReturnType,
            [.. method.GetParameters().Select(parameter => parameter.ParameterType)]
        );

    /// <summary>Makes an assembly say that it was built against another version of one it uses.</summary>
    private static void ChangeVersionOfReference(string path, string reference, ushort minor)
    {
        var bytes = File.ReadAllBytes(path);
        int offset;
        using (var image = new PEReader(new MemoryStream(bytes)))
        {
            var reader = image.GetMetadataReader();
            var row = reader
                .AssemblyReferences.Index()
                .Single(pair => reader.GetString(reader.GetAssemblyReference(pair.Item).Name) == reference)
                .Index;
            offset =
                image.PEHeaders.MetadataStartOffset
                + reader.GetTableMetadataOffset(TableIndex.AssemblyRef)
                + row * reader.GetTableRowSize(TableIndex.AssemblyRef);
        }
        // The row begins with major, minor, build and revision, two bytes each.
        BitConverter.TryWriteBytes(bytes.AsSpan(offset + 2), minor);
        File.WriteAllBytes(path, bytes);
    }
}
