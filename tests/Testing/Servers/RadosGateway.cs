using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Amazon.Runtime;
using Amazon.S3;
using Litestream.Replicas;

namespace Testing.Servers;

/// <summary>A real S3 server: radosgw above a monitor and an object store in memory, on loopback ports of its own.</summary>
/// <remarks>
/// One instance serves a whole test process and is started by the first test that asks. It is stopped when the process ends; when the
/// process is killed, a watcher of its own stops it.
/// </remarks>
public sealed class RadosGateway : IAsyncDisposable
{
    /// <summary>The Debian packages that bring it.</summary>
    public const string Packages = "--no-install-recommends radosgw ceph-mon ceph-osd ceph-common";

    private static readonly Lazy<Task<RadosGateway>> Shared = new(StartAsync);
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(90);

    private readonly string _folder;
    private readonly List<Process> _servers = [];
    private readonly ConcurrentDictionary<string, Task> _buckets = new();
    private Process? _watcher;
    private int _bucketNumber;
    private int _stopped;

    private RadosGateway(string folder, int port)
    {
        _folder = folder;
        Endpoint = $"http://127.0.0.1:{port}";
    }

    /// <summary>With scheme and port.</summary>
    public string Endpoint { get; }

    public string AccessKeyId { get; } = "TESTKEY" + Guid.NewGuid().ToString("n")[..12];

    public string SecretAccessKey { get; } = Guid.NewGuid().ToString("n");

    /// <summary>True when every program is installed.</summary>
    public static bool IsInstalled => Programs.All(p => Require.FindProgram(p) is not null);

    /// <summary>The programs it consists of.</summary>
    public static IReadOnlyList<string> Programs { get; } =
    ["radosgw", "radosgw-admin", "ceph", "ceph-mon", "ceph-osd", "ceph-authtool", "monmaptool"];

    /// <summary>The server of this test process.</summary>
    public static Task<RadosGateway> GetAsync() => Shared.Value;

    /// <summary>The settings of a replica in a bucket here.</summary>
    public Dictionary<string, string> Settings() =>
        new()
        {
            ["endpoint"] = Endpoint,
            ["region"] = "us-east-1",
            ["access-key-id"] = AccessKeyId,
            ["secret-access-key"] = SecretAccessKey,
        };

    /// <summary>A replica in a bucket here.</summary>
    public ReplicaOptions Options(string bucket, string path = "") =>
        new() { Url = ReplicaUrl.Parse($"s3://{bucket}/{path}"), Settings = Settings() };

    /// <summary>Makes a new, empty bucket.</summary>
    /// <returns>Its name.</returns>
    public async Task<string> CreateBucketAsync()
    {
        var bucket = $"bucket-{Interlocked.Increment(ref _bucketNumber)}";
        await EnsureBucketAsync(bucket);
        return bucket;
    }

    /// <summary>Makes a bucket once.</summary>
    public Task EnsureBucketAsync(string bucket) =>
        _buckets.GetOrAdd(
            bucket,
            async name =>
            {
                using var client = CreateClient();
                await client.PutBucketAsync(name);
            }
        );

    /// <summary>The SDK's own client, to look behind the back of the code under test.</summary>
    public AmazonS3Client CreateClient() =>
        new(
            new BasicAWSCredentials(AccessKeyId, SecretAccessKey),
            new AmazonS3Config
            {
                ServiceURL = Endpoint,
                AuthenticationRegion = "us-east-1",
                ForcePathStyle = true,
                RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
                ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
            }
        );

    public ValueTask DisposeAsync()
    {
        Stop();
        return ValueTask.CompletedTask;
    }

    private static async Task<RadosGateway> StartAsync()
    {
        var folder = Path.Combine(Path.GetTempPath(), "radosgw-" + Guid.NewGuid().ToString("n")[..12]);
        var ports = FreePorts(3);
        var gateway = new RadosGateway(folder, ports[2]);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => gateway.Stop();
        try
        {
            using var limit = new CancellationTokenSource(StartLimit);
            await gateway.StartServersAsync(ports, limit.Token);
            return gateway;
        }
        catch (Exception e)
        {
            var logs = Directory.Exists(Path.Combine(folder, "log")) ? gateway.Logs() : "";
            gateway.Stop();
            throw new InvalidOperationException($"radosgw did not start: {e.Message}\n{logs}", e);
        }
    }

    private static int[] FreePorts(int count)
    {
        var listeners = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToList();
        listeners.ForEach(l => l.Start());
        var ports = listeners.Select(l => ((IPEndPoint)l.LocalEndpoint).Port).ToArray();
        listeners.ForEach(l => l.Stop());
        return ports;
    }

    private async Task StartServersAsync(int[] ports, CancellationToken cancellationToken)
    {
        foreach (var name in (string[])["mon", "osd", "log", "run"])
            Directory.CreateDirectory(Path.Combine(_folder, name));
        var cluster = Guid.NewGuid().ToString();
        await File.WriteAllTextAsync(ConfigurationPath, Configuration(cluster, ports), cancellationToken);
        var keyring = Path.Combine(_folder, "keyring");
        var map = Path.Combine(_folder, "monmap");
        string[] all = ["--cap", "mon", "allow *", "--cap", "osd", "allow *"];
        await RunAsync(
            "ceph-authtool",
            ["--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *"],
            cancellationToken
        );
        await RunAsync("ceph-authtool", [keyring, "--gen-key", "-n", "client.admin", .. all, "--cap", "mgr", "allow *"], cancellationToken);
        await RunAsync("ceph-authtool", [keyring, "--gen-key", "-n", "client.rgw", .. all], cancellationToken);
        var address = $"[v2:127.0.0.1:{ports[0]},v1:127.0.0.1:{ports[1]}]";
        await RunAsync("monmaptool", ["--create", "--clobber", "--addv", "a", address, "--fsid", cluster, map], cancellationToken);
        await RunAsync("ceph-mon", ["--mkfs", "-i", "a", "--monmap", map, "--keyring", keyring], cancellationToken);
        Start("ceph-mon", "-i", "a", "-f");
        var disk = Guid.NewGuid().ToString();
        await RunAsync("ceph", ["osd", "new", disk], cancellationToken);
        await RunAsync("ceph-osd", ["-i", "0", "--mkfs", "--osd-uuid", disk], cancellationToken);
        Start("ceph-osd", "-i", "0", "-f");
        await RunAsync(
            "radosgw-admin",
            ["user", "create", "--uid=test", "--display-name=test", $"--access-key={AccessKeyId}", $"--secret={SecretAccessKey}"],
            cancellationToken
        );
        Start("radosgw", "-n", "client.rgw", "-f");
        Watch();
        await WaitForPortAsync(new Uri(Endpoint).Port, cancellationToken);
    }

    private string ConfigurationPath => Path.Combine(_folder, "ceph.conf");

    private string Configuration(string cluster, int[] ports) =>
            // crc mode: without it radosgw hangs when authentication is off. The two paxos lines cut the start from 12 s to 2 s, tcp_nodelay a GET
            // from 44 ms to 2 ms.
            $"""
            [global]
            fsid = {cluster}
            mon_host = [v2:127.0.0.1:{ports[0]},v1:127.0.0.1:{ports[1]}]
            public_network = 127.0.0.0/8
            auth_cluster_required = none
            auth_service_required = none
            auth_client_required = none
            run_dir = {_folder}/run
            pid_file = {_folder}/run/$name.pid
            admin_socket = {_folder}/run/$name.asok
            log_file = {_folder}/log/$name.log
            keyring = {_folder}/keyring
            ms_mon_client_mode = crc
            paxos_propose_interval = 0.05
            paxos_min_wait = 0.01
            osd_pool_default_size = 1
            osd_pool_default_min_size = 1
            mon_allow_pool_size_one = true
            osd_crush_chooseleaf_type = 0
            mon_warn_on_pool_no_redundancy = false
            osd_pool_default_pg_num = 1
            osd_pool_default_pg_autoscale_mode = off
            osd_objectstore = memstore
            memstore_device_bytes = 4294967296
            memstore_page_set = false
            mon_data = {_folder}/mon
            osd_data = {_folder}/osd
            osd_class_load_list = *
            osd_class_default_list = *
            ms_bind_ipv6 = false
            mon_osd_full_ratio = 0.96
            mon_data_avail_crit = 1
            mon_data_avail_warn = 1
            [client.rgw]
            keyring = {_folder}/keyring
            ms_mon_client_mode = crc
            rgw_frontends = beast endpoint=127.0.0.1:{ports[2]} tcp_nodelay=1
            rgw_data = {_folder}/run
            rgw_thread_pool_size = 64
            rgw_enable_usage_log = false
            rgw_enable_gc_threads = false
            rgw_enable_lc_threads = false
            rgw_run_sync_thread = false
            """.Replace("\r", "", StringComparison.Ordinal) + "\n";

    private async Task RunAsync(string program, string[] arguments, CancellationToken cancellationToken)
    {
        using var process = Process.Start(StartInfo(program, arguments))!;
        var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
        var errors = process.StandardError.ReadToEndAsync(cancellationToken);
        try
        {
            await process.WaitForExitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{program} ended with {process.ExitCode}: {await output} {await errors}");
    }

    private void Start(string program, params string[] arguments)
    {
        var process = Process.Start(StartInfo(program, arguments))!;
        var log = Path.Combine(_folder, "log", program + ".out");
        process.OutputDataReceived += (_, line) => Append(log, line.Data);
        process.ErrorDataReceived += (_, line) => Append(log, line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        lock (_servers)
            _servers.Add(process);
    }

    private ProcessStartInfo StartInfo(string program, string[] arguments)
    {
        var start = new ProcessStartInfo(
            program,
            [.. arguments, .. (string[])(program is "ceph-authtool" or "monmaptool" ? [] : ["-c", ConfigurationPath])]
        )
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            WorkingDirectory = _folder,
        };
        start.Environment["CEPH_CONF"] = ConfigurationPath;
        return start;
    }

    /// <summary>A test process that is killed runs no code of its own any more: a small shell waits for its end.</summary>
    private void Watch()
    {
        var servers = string.Join(' ', _servers.Select(p => p.Id));
        var script =
            $"while kill -0 {Environment.ProcessId} 2>/dev/null; do sleep 1; done; kill -9 {servers} 2>/dev/null; rm -rf '{_folder}'";
        _watcher = Process.Start(new ProcessStartInfo("sh", ["-c", script]) { UseShellExecute = false });
    }

    private async Task WaitForPortAsync(int port, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                using var socket = new TcpClient();
                await socket.ConnectAsync(IPAddress.Loopback, port, cancellationToken);
                return;
            }
            catch (SocketException)
            {
                if (_servers.Any(s => s.HasExited))
                    throw new InvalidOperationException("a server ended");
                await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, cancellationToken);
            }
        }
    }

    private void Append(string log, string? line)
    {
        if (line is null)
            return;
        try
        {
            lock (_servers)
                File.AppendAllText(log, line + "\n");
        }
        catch (IOException)
        {
            // The folder goes away while the last lines come in.
        }
    }

    private string Logs() => string.Join('\n', Directory.GetFiles(Path.Combine(_folder, "log"), "*.out").Select(File.ReadAllText));

    private void Stop()
    {
        if (Interlocked.Exchange(ref _stopped, 1) != 0)
            return;
        List<Process> servers;
        lock (_servers)
            servers = [.. _servers, .. _watcher is null ? Array.Empty<Process>() : [_watcher]];
        foreach (var server in servers)
        {
            try
            {
                server.Kill();
                server.WaitForExit(2000);
            }
            catch (InvalidOperationException)
            {
                // It has ended already.
            }
        }
        try
        {
            Directory.Delete(_folder, recursive: true);
        }
        catch (IOException)
        {
            // Left to the system's own cleaning of temporary files.
        }
    }
}
