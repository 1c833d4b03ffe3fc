namespace Litestream.Tests.Simulation;

/// <summary>A folder in memory where the system has one: SQLite is real in a simulation, a disk behind it need not be.</summary>
internal sealed class MemoryFolder : IDisposable
{
    private const string SharedMemory = "/dev/shm";

    internal MemoryFolder() =>
        Path = System.IO.Directory.Exists(SharedMemory)
            ? System.IO.Directory.CreateDirectory($"{SharedMemory}/litestream-sim-{Guid.NewGuid():n}").FullName
            : System.IO.Directory.CreateTempSubdirectory("litestream-sim-").FullName;

    internal string Path { get; }

    internal string Combine(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose() => System.IO.Directory.Delete(Path, recursive: true);
}
