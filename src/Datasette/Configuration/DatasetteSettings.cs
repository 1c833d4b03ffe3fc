using System.Text.Json;
using System.Text.Json.Nodes;
using Datasette.Text;

namespace Datasette.Configuration;

/// <summary>A setting as it is listed to people.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Default">Its default: an int, a bool or a string.</param>
/// <param name="Help">One line.</param>
public sealed record SettingDescription(string Name, object Default, string Help);

/// <summary>The settings of an instance. Immutable; each property is one setting of the original, with its default.</summary>
public sealed record DatasetteSettings
{
    /// <summary>All settings in the order in which they are listed.</summary>
    public static IReadOnlyList<SettingDescription> All { get; } =
    [
        new("default_page_size", 100, "Default page size for the table view"),
        new("max_returned_rows", 1000, "Maximum rows that can be returned from a table or custom query"),
        new("max_insert_rows", 100, "Maximum rows that can be inserted at a time using the bulk insert API"),
        new("max_post_body_bytes", 2097152, "Maximum size in bytes of a POST body read into memory - set 0 to disable this limit"),
        new("num_sql_threads", 3, "Number of readers that run SQLite queries in parallel"),
        new("sql_time_limit_ms", 1000, "Time limit for a SQL query in milliseconds"),
        new("default_facet_size", 30, "Number of values to return for requested facets"),
        new("facet_time_limit_ms", 200, "Time limit for calculating a requested facet"),
        new("facet_suggest_time_limit_ms", 50, "Time limit for calculating a suggested facet"),
        new("allow_facet", true, "Allow users to specify columns to facet using ?_facet= parameter"),
        new("allow_download", true, "Allow users to download the original SQLite database files"),
        new("allow_signed_tokens", true, "Allow users to create and use signed API tokens"),
        new("default_allow_sql", true, "Allow anyone to run arbitrary SQL queries"),
        new("max_signed_tokens_ttl", 0, "Maximum allowed expiry time for signed API tokens"),
        new("suggest_facets", true, "Calculate and display suggested facets"),
        new("default_cache_ttl", 5, "Default HTTP cache TTL (used in Cache-Control: max-age= header)"),
        new("cache_size_kb", 0, "SQLite cache size in KB (0 == use SQLite default)"),
        new("allow_csv_stream", true, "Allow .csv?_stream=1 to download all rows (ignoring max_returned_rows)"),
        new("max_csv_mb", 100, "Maximum size allowed for CSV export in MB - set 0 to disable this limit"),
        new("truncate_cells_html", 2048, "Truncate cells longer than this in HTML table view - set 0 to disable"),
        new("force_https_urls", false, "Force URLs in API output to always use https:// protocol"),
        new("template_debug", false, "Allow display of template debug information with ?_context=1"),
        new("trace_debug", false, "Allow display of SQL trace debug information with ?_trace=1"),
        new("base_url", "/", "Datasette URLs should use this base path"),
    ];

    /// <summary>Rows of a table page.</summary>
    public int DefaultPageSize { get; init; } = 100;

    /// <summary>Upper bound for pages and queries, in rows.</summary>
    public int MaxReturnedRows { get; init; } = 1000;

    /// <summary>Rows of one insert or upsert.</summary>
    public int MaxInsertRows { get; init; } = 100;

    /// <summary>Cap of a request body in bytes; 0 = none.</summary>
    public int MaxPostBodyBytes { get; init; } = 2097152;

    /// <summary>Readers in parallel per database.</summary>
    public int NumSqlThreads { get; init; } = 3;

    /// <summary>Limit of a query in milliseconds.</summary>
    public int SqlTimeLimitMs { get; init; } = 1000;

    /// <summary>Values of a facet.</summary>
    public int DefaultFacetSize { get; init; } = 30;

    /// <summary>Limit of a facet in milliseconds.</summary>
    public int FacetTimeLimitMs { get; init; } = 200;

    /// <summary>Limit of a facet suggestion in milliseconds.</summary>
    public int FacetSuggestTimeLimitMs { get; init; } = 50;

    /// <summary>Whether <c>_facet</c> is allowed.</summary>
    public bool AllowFacet { get; init; } = true;

    /// <summary>Whether immutable files may be downloaded.</summary>
    public bool AllowDownload { get; init; } = true;

    /// <summary>Whether signed API tokens are accepted.</summary>
    public bool AllowSignedTokens { get; init; } = true;

    /// <summary>Whether anyone may run SQL unless a rule says otherwise.</summary>
    public bool DefaultAllowSql { get; init; } = true;

    /// <summary>Cap of a token's life in seconds; 0 = none.</summary>
    public int MaxSignedTokensTtl { get; init; }

    /// <summary>Whether facets are suggested.</summary>
    public bool SuggestFacets { get; init; } = true;

    /// <summary>Seconds of Cache-Control.</summary>
    public int DefaultCacheTtl { get; init; } = 5;

    /// <summary>Page cache of a connection in KiB; 0 = SQLite's default.</summary>
    public int CacheSizeKb { get; init; }

    /// <summary>Whether <c>_stream</c> is allowed.</summary>
    public bool AllowCsvStream { get; init; } = true;

    /// <summary>Cap of a CSV export in MB; 0 = none.</summary>
    public int MaxCsvMb { get; init; } = 100;

    /// <summary>Cells longer than this many characters are cut in HTML; 0 = never.</summary>
    public int TruncateCellsHtml { get; init; } = 2048;

    /// <summary>Whether generated URLs use https.</summary>
    public bool ForceHttpsUrls { get; init; }

    /// <summary>Whether <c>_context</c> is allowed.</summary>
    public bool TemplateDebug { get; init; }

    /// <summary>Whether <c>_trace</c> is allowed.</summary>
    public bool TraceDebug { get; init; }

    /// <summary>Prefix of all URLs; starts and ends with a slash.</summary>
    public string BaseUrl { get; init; } = "/";

    /// <summary>The description of a setting; null when there is none of this name.</summary>
    public static SettingDescription? Find(string name) => All.FirstOrDefault(s => s.Name == name);

    /// <summary>Reads the <c>settings</c> block of a configuration.</summary>
    /// <param name="settings">The block; null or null values mean defaults.</param>
    /// <exception cref="StartupException">Unknown name, wrong type, or a value that cannot work.</exception>
    public static DatasetteSettings Parse(JsonObject? settings) => Parse(settings, _ => null);

    /// <summary>As the other, for a configuration that knows where each setting stands.</summary>
    internal static DatasetteSettings Parse(JsonObject? settings, Func<string, SourcePosition?> locate)
    {
        settings ??= [];
        foreach (var (name, value) in settings)
        {
            try
            {
                Check(name, value);
            }
            catch (StartupException e) when (locate(name) is { } place)
            {
                // The words of the original come first: scripts look for them.
                throw new StartupException($"{e.Message} ({place})", innerException: e);
            }
        }

        var defaults = new DatasetteSettings();
        int Number(string name) => settings[name] is JsonValue value ? value.GetValue<int>() : (int)Find(name)!.Default;
        bool Flag(string name) => settings[name] is JsonValue value ? value.GetValue<bool>() : (bool)Find(name)!.Default;
        return new DatasetteSettings
        {
            DefaultPageSize = Number("default_page_size"),
            MaxReturnedRows = Number("max_returned_rows"),
            MaxInsertRows = Number("max_insert_rows"),
            MaxPostBodyBytes = Number("max_post_body_bytes"),
            NumSqlThreads = Number("num_sql_threads"),
            SqlTimeLimitMs = Number("sql_time_limit_ms"),
            DefaultFacetSize = Number("default_facet_size"),
            FacetTimeLimitMs = Number("facet_time_limit_ms"),
            FacetSuggestTimeLimitMs = Number("facet_suggest_time_limit_ms"),
            AllowFacet = Flag("allow_facet"),
            AllowDownload = Flag("allow_download"),
            AllowSignedTokens = Flag("allow_signed_tokens"),
            DefaultAllowSql = Flag("default_allow_sql"),
            MaxSignedTokensTtl = Number("max_signed_tokens_ttl"),
            SuggestFacets = Flag("suggest_facets"),
            DefaultCacheTtl = Number("default_cache_ttl"),
            CacheSizeKb = Number("cache_size_kb"),
            AllowCsvStream = Flag("allow_csv_stream"),
            MaxCsvMb = Number("max_csv_mb"),
            TruncateCellsHtml = Number("truncate_cells_html"),
            ForceHttpsUrls = Flag("force_https_urls"),
            TemplateDebug = Flag("template_debug"),
            TraceDebug = Flag("trace_debug"),
            BaseUrl = settings["base_url"] is JsonValue url ? url.GetValue<string>() : defaults.BaseUrl,
        };
    }

    /// <summary>All settings as <c>/-/settings.json</c> shows them, in listed order.</summary>
    public JsonObject ToJson()
    {
        return new JsonObject
        {
            ["default_page_size"] = DefaultPageSize,
            ["max_returned_rows"] = MaxReturnedRows,
            ["max_insert_rows"] = MaxInsertRows,
            ["max_post_body_bytes"] = MaxPostBodyBytes,
            ["num_sql_threads"] = NumSqlThreads,
            ["sql_time_limit_ms"] = SqlTimeLimitMs,
            ["default_facet_size"] = DefaultFacetSize,
            ["facet_time_limit_ms"] = FacetTimeLimitMs,
            ["facet_suggest_time_limit_ms"] = FacetSuggestTimeLimitMs,
            ["allow_facet"] = AllowFacet,
            ["allow_download"] = AllowDownload,
            ["allow_signed_tokens"] = AllowSignedTokens,
            ["default_allow_sql"] = DefaultAllowSql,
            ["max_signed_tokens_ttl"] = MaxSignedTokensTtl,
            ["suggest_facets"] = SuggestFacets,
            ["default_cache_ttl"] = DefaultCacheTtl,
            ["cache_size_kb"] = CacheSizeKb,
            ["allow_csv_stream"] = AllowCsvStream,
            ["max_csv_mb"] = MaxCsvMb,
            ["truncate_cells_html"] = TruncateCellsHtml,
            ["force_https_urls"] = ForceHttpsUrls,
            ["template_debug"] = TemplateDebug,
            ["trace_debug"] = TraceDebug,
            ["base_url"] = BaseUrl,
        };
    }

    private static void Check(string name, JsonNode? value)
    {
        var setting = Find(name) ?? throw new StartupException(Unknown(name));
        if (value is null)
        {
            return;
        }

        var expected = setting.Default switch
        {
            bool => "bool",
            int => "int",
            _ => "str",
        };
        var actual = PythonType(value);
        if (actual != expected)
        {
            throw new StartupException(
                $"Setting '{name}' in config file has incorrect type. Expected {expected}, got {actual}. Value: {PythonText(value)}. "
                    + "Hint: In YAML/JSON config files, remove quotes from boolean and integer values."
            );
        }

        if (setting.Default is int && !(((JsonValue)value).TryGetValue<int>(out var number) && number >= 0))
        {
            throw new StartupException(
                $"Setting '{name}' in config file must be between 0 and {int.MaxValue}. Value: {value.ToJsonString()}."
            );
        }

        if (name == "base_url" && value.GetValue<string>() is var url && !(url.StartsWith('/') && url.EndsWith('/')))
        {
            throw new StartupException($"Setting 'base_url' must start and end with a slash. Value: {PythonText(value)}.");
        }
    }

    private static string Unknown(string name)
    {
        return name switch
        {
            "hash_urls" => $"Invalid setting '{name}' in config file. It is obsolete: remove it.",
            "default_cache_ttl_hashed" => $"Invalid setting '{name}' in config file. It is obsolete: use default_cache_ttl.",
            _ => $"Invalid setting '{name}' in config file"
                + (NearestName.Of(name, All.Select(setting => setting.Name)) is { } near ? $". Did you mean '{near}'?" : ""),
        };
    }

    // Types and values in the original's words, which scripts look for.
    private static string PythonType(JsonNode value)
    {
        return value.GetValueKind() switch
        {
            JsonValueKind.True or JsonValueKind.False => "bool",
            JsonValueKind.Number => value.ToJsonString().AsSpan().ContainsAny('.', 'e', 'E') ? "float" : "int",
            JsonValueKind.String => "str",
            JsonValueKind.Array => "list",
            _ => "dict",
        };
    }

    private static string PythonText(JsonNode value)
    {
        return value.GetValueKind() switch
        {
            JsonValueKind.True => "True",
            JsonValueKind.False => "False",
            JsonValueKind.String => "'" + value.GetValue<string>().Replace("'", "\\'", StringComparison.Ordinal) + "'",
            _ => value.ToJsonString(),
        };
    }
}
