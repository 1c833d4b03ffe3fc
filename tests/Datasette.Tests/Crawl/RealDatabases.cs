using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using Datasette.Databases;
using Datasette.Text;
using Microsoft.Data.Sqlite;
using Testing;

namespace Datasette.Tests.Crawl;

/// <summary>
/// Databases of data that nobody made for a test: what this machine's package managers, clocks and this repository's history know. Each maker
/// says whether its source is here.
/// </summary>
internal static class RealDatabases
{
    private const string DpkgStatus = "/var/lib/dpkg/status";
    private const string Zones = "/usr/share/zoneinfo/zone1970.tab";

    /// <summary>Packages installed by dpkg, their dependencies with foreign keys, full-text search over descriptions; null without dpkg.</summary>
    public static string? Packages(TempFolder folder)
    {
        if (!File.Exists(DpkgStatus))
        {
            return null;
        }

        var file = folder.Combine("packages.db");
        using var connection = Open(
            file,
            "create table sections (id integer primary key, name text unique)",
            "create table packages (name text primary key, version text, section_id integer references sections(id), architecture text, "
                + "installed_kb integer, maintainer text, homepage text, summary text, description text, conffiles blob)",
            "create table depends (package text references packages(name), needs text references packages(name), condition text, primary key (package, needs, condition))",
            "create view heavy as select name, installed_kb, summary from packages where installed_kb > 10000 order by installed_kb desc",
            "create virtual table packages_fts using fts5(name, summary, description, content='packages')"
        );
        foreach (var package in Stanzas(File.ReadAllText(DpkgStatus)))
        {
            var section = package.GetValueOrDefault("Section", "");
            Run(connection, "insert or ignore into sections(name) values (:p0)", section);
            var text = package.GetValueOrDefault("Description", "").Split('\n', 2);
            var conffiles = package.TryGetValue("Conffiles", out var list) ? Encoding.UTF8.GetBytes(list) : null;
            Run(
                connection,
                "insert or replace into packages values (:p0, :p1, (select id from sections where name = :p2), :p3, :p4, :p5, :p6, :p7, :p8, :p9)",
                package["Package"],
                package.GetValueOrDefault("Version"),
                section,
                package.GetValueOrDefault("Architecture"),
                long.TryParse(package.GetValueOrDefault("Installed-Size"), out var size) ? size : null,
                package.GetValueOrDefault("Maintainer"),
                package.GetValueOrDefault("Homepage"),
                text[0],
                text.ElementAtOrDefault(1),
                conffiles
            );
            foreach (
                var need in package
                    .GetValueOrDefault("Depends", "")
                    .Split([',', '|'], StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            )
            {
                var parts = need.Split(' ', 2);
                Run(
                    connection,
                    "insert or ignore into depends values (:p0, :p1, :p2)",
                    package["Package"],
                    parts[0].Split(':')[0],
                    parts.ElementAtOrDefault(1) ?? ""
                );
            }
        }

        Run(connection, "insert into packages_fts(packages_fts) values ('rebuild')");
        Run(connection, "commit");
        return file;
    }

    /// <summary>Metadata of the NuGet packages in the local cache, tags and dependencies as JSON arrays; null without a cache.</summary>
    public static string? NuGet(TempFolder folder)
    {
        var cache =
            Environment.GetEnvironmentVariable("NUGET_PACKAGES")
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        var files = Directory.Exists(cache)
            ? Directory.GetFiles(cache, "*.nuspec", new EnumerationOptions { MaxRecursionDepth = 2, RecurseSubdirectories = true })
            : [];
        if (files.Length == 0)
        {
            return null;
        }

        var file = folder.Combine("nuget packages.db");
        using var connection = Open(
            file,
            "create table \"NuGet packages\" (id text, version text, \"Authors & owners\" text, \"license/url\" text, description text, tags text, "
                + "dependencies text, project_url text, published date, primary key (id, version))",
            "create index by_author on \"NuGet packages\" (\"Authors & owners\")"
        );
        foreach (var path in files)
        {
            var metadata = XDocument.Load(path).Root!.Elements().First(e => e.Name.LocalName == "metadata");
            string? Text(string name) => metadata.Elements().FirstOrDefault(e => e.Name.LocalName == name)?.Value.Trim();
            var tags = new JsonArray([
                .. (Text("tags") ?? "").Split([' ', ',', ';'], StringSplitOptions.RemoveEmptyEntries).Select(t => (JsonNode)t),
            ]);
            var needs = metadata
                .Descendants()
                .Where(e => e.Name.LocalName == "dependency")
                .Select(e => (string?)e.Attribute("id"))
                .Distinct();
            Run(
                connection,
                "insert or ignore into \"NuGet packages\" values (:p0, :p1, :p2, :p3, :p4, :p5, :p6, :p7, :p8)",
                Text("id"),
                Text("version"),
                Text("authors"),
                Text("license") ?? Text("licenseUrl"),
                Text("description"),
                tags.ToJsonString(),
                new JsonArray([.. needs.Select(n => (JsonNode?)n)]).ToJsonString(),
                Text("projectUrl"),
                File.GetLastWriteTimeUtc(path).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)
            );
        }

        Run(connection, "commit");
        return file;
    }

    /// <summary>This repository's history as a log: commits, files and what each commit changed; null without git.</summary>
    public static async Task<string?> HistoryAsync(TempFolder folder, CancellationToken ct)
    {
        const string Format = "--format=%x1e%H%x1f%P%x1f%an%x1f%aI%x1f%s%x1f%b%x1f";
        await using var git = await TestProcess.RunAsync(
            "git",
            ["-C", Repository.Root, "log", "-n", "400", "--numstat", Format],
            cancellationToken: ct
        );
        if (git.ExitCode != 0)
        {
            return null;
        }

        var file = folder.Combine("history.db");
        using var connection = Open(
            file,
            "create table commits (hash text primary key, parent text references commits(hash), author text, at text, title text, body text)",
            "create table changes (commit_hash text references commits(hash), path text, added integer, removed integer)",
            "create virtual table commits_fts using fts4(title, body, content=\"commits\")"
        );
        foreach (var commit in git.StandardOutput.Split('\u001e', StringSplitOptions.RemoveEmptyEntries))
        {
            var fields = commit.Split('\u001f');
            Run(
                connection,
                "insert into commits values (:p0, :p1, :p2, :p3, :p4, :p5)",
                fields[0],
                fields[1].Split(' ')[0],
                fields[2],
                fields[3],
                fields[4],
                fields[5]
            );
            foreach (var change in fields[6].Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('\t')))
            {
                Run(
                    connection,
                    "insert into changes values (:p0, :p1, :p2, :p3)",
                    fields[0],
                    change[2],
                    Number(change[0]),
                    Number(change[1])
                );
            }
        }

        Run(connection, "insert into commits_fts(commits_fts) values ('rebuild')");
        Run(connection, "commit");
        return file;
    }

    /// <summary>The cities of the time zones as points with a spatial index; null without SpatiaLite or time zones.</summary>
    public static async Task<(string File, string Extension)?> PlacesAsync(TempFolder folder, CancellationToken ct)
    {
        var extension = Directory.Exists("/usr/lib")
            ? Directory
                .EnumerateFiles(
                    "/usr/lib",
                    "mod_spatialite.so",
                    new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 2 }
                )
                .FirstOrDefault()
            : null;
        if (extension is null || !File.Exists(Zones))
        {
            return null;
        }

        // By another program: the library brings SQLite of the system with it, and two of them do not belong into one process.
        var sql = new StringBuilder($".load {extension}\nselect InitSpatialMetaData(1);\nbegin;\n")
            .AppendLine("create table cities (id integer primary key, zone text, countries text, comment text);")
            .AppendLine("select AddGeometryColumn('cities', 'place', 4326, 'POINT', 'XY');");
        foreach (var line in File.ReadLines(Zones).Where(l => !l.StartsWith('#')).Select(l => l.Split('\t')))
        {
            var split = line[1].LastIndexOfAny(['+', '-']);
            var (latitude, longitude) = (Degrees(line[1][..split], 2), Degrees(line[1][split..], 3));
            var comment = line.Length > 3 ? SqlText.Literal(line[3]) : "null";
            sql.AppendLine(
                CultureInfo.InvariantCulture,
                $"insert into cities(zone, countries, comment, place) values ({SqlText.Literal(line[2])}, {SqlText.Literal(line[0])}, {comment}, MakePoint({longitude}, {latitude}, 4326));"
            );
        }

        sql.AppendLine("commit;\nselect CreateSpatialIndex('cities', 'place');")
            .AppendLine(
                "create view farthest_north as select zone, st_y(place) as latitude, astext(place) as text from cities order by 2 desc;"
            );
        var (file, script) = (folder.Combine("places.db"), folder.Combine("places.sql"));
        await File.WriteAllTextAsync(script, sql.ToString(), ct);
        await using var made = await TestProcess.RunAsync(
            Require.Program("sqlite3"),
            ["-bail", "-init", script, file, "select 1"],
            cancellationToken: ct
        );
        return made.ExitCode == 0 ? (file, extension) : throw new InvalidOperationException(made.Output);
    }

    // +DDMM, +DDMMSS, +DDDMM or +DDDMMSS.
    private static double Degrees(string text, int digits)
    {
        double Part(int start, int length) =>
            start < text.Length ? double.Parse(text.AsSpan(start, length), CultureInfo.InvariantCulture) : 0;
        var value = Part(1, digits) + (Part(1 + digits, 2) / 60) + (Part(3 + digits, 2) / 3600);
        return text[0] == '-' ? -value : value;
    }

    private static long? Number(string text) => long.TryParse(text, out var number) ? number : null;

    private static SqliteConnection Open(string file, params string[] statements)
    {
        var connection = new SqliteConnection($"Data Source={file};Pooling=False;Foreign Keys=False");
        connection.Open();
        foreach (var sql in statements)
        {
            SqlStatement.Execute(connection, sql);
        }

        SqlStatement.Execute(connection, "begin");
        return connection;
    }

    private static void Run(SqliteConnection connection, string sql, params object?[] values) =>
        SqlStatement.Execute(connection, sql, values.Select((value, i) => KeyValuePair.Create($"p{i}", value)).ToDictionary());

    private static IEnumerable<Dictionary<string, string>> Stanzas(string text)
    {
        foreach (var stanza in text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries))
        {
            var fields = new Dictionary<string, string>();
            var last = "";
            foreach (var line in stanza.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                if (line[0] is ' ' or '\t')
                {
                    fields[last] += "\n" + line.Trim();
                }
                else if (line.Split(':', 2) is [var name, var value])
                {
                    fields[last = name] = value.Trim();
                }
            }

            if (fields.ContainsKey("Package"))
            {
                yield return fields;
            }
        }
    }
}
