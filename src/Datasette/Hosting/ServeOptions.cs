namespace Datasette.Hosting;

/// <summary>Everything that <c>datasette serve</c> can be told. Paths are relative to the working folder or absolute.</summary>
internal sealed record ServeOptions
{
    /// <summary>Database files, or one folder with everything.</summary>
    public IReadOnlyList<string> Files { get; init; } = [];

    /// <summary>Files that nobody changes.</summary>
    public IReadOnlyList<string> Immutables { get; init; } = [];

    public string Host { get; init; } = "127.0.0.1";

    /// <summary>0 takes any free port.</summary>
    public int Port { get; init; } = 8001;

    /// <summary>Path of a Unix socket to listen on instead of a port.</summary>
    public string? Uds { get; init; }

    public string? SslKeyFile { get; init; }

    public string? SslCertFile { get; init; }

    public bool Cors { get; init; }

    public string? InspectFile { get; init; }

    public string? MetadataFile { get; init; }

    public string? ConfigFile { get; init; }

    /// <summary>Names and values of -s, in order.</summary>
    public IReadOnlyList<(string Name, string Value)> Settings { get; init; } = [];

    /// <summary>Mount points and folders of --static.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> StaticMounts { get; init; } = [];

    /// <summary>Folder with templates and custom pages; null for the host's own pages alone.</summary>
    public string? TemplateFolder { get; init; }

    public IReadOnlyList<(string Path, string? EntryPoint)> Extensions { get; init; } = [];

    public bool Memory { get; init; }

    public bool CrossDb { get; init; }

    public bool NoLock { get; init; }

    public bool Create { get; init; }

    public string? Secret { get; init; }

    public bool Root { get; init; }

    public bool DefaultDeny { get; init; }

    public bool Reload { get; init; }

    public string? VersionNote { get; init; }

    /// <summary>The host's own database; null keeps it in memory.</summary>
    public string? InternalPath { get; init; }

    /// <summary>A folder with assemblies of plugins; null for none.</summary>
    public string? PluginsDir { get; init; }

    /// <summary>The value of DATASETTE_LOAD_PLUGINS; null when it is not set.</summary>
    public string? LoadPlugins { get; init; }
}
