using System.CommandLine;
using Datasette.Databases;
using Datasette.Responses;
using Datasette.Text;

namespace Datasette.Cli;

/// <summary><c>datasette inspect</c>: hashes, sizes and row counts, to be given back to serve with <c>--inspect-file</c>.</summary>
internal static class InspectCommand
{
    public static Command Create()
    {
        var files = new Argument<string[]>("files") { Arity = ArgumentArity.ZeroOrMore, Description = "Database files" };
        var output = new Option<string>("--inspect-file")
        {
            DefaultValueFactory = _ => "-",
            Description = "Where to write; - is standard output",
        };
        var extensions = new Option<string[]>("--load-extension") { Description = "SQLite extension; repeatable" };
        var command = new Command("inspect", "Count the rows and hash the files of databases that do not change")
        {
            files,
            output,
            extensions,
        };
        command.SetAction(
            (parsed, ct) => RunAsync(parsed.GetValue(files) ?? [], parsed.GetValue(output)!, parsed.GetValue(extensions) ?? [], ct)
        );
        return command;
    }

    private static async Task<int> RunAsync(string[] files, string output, string[] extensions, CancellationToken ct)
    {
        foreach (var file in files)
        {
            if (!File.Exists(file))
            {
                throw new StartupException($"Invalid value for '[FILES]...': Path '{file}' does not exist.", ExitCodes.WrongUsage);
            }
        }
        if (
            output != "-"
            && files.FirstOrDefault(file => FileIdentity.IsSame(Path.GetFullPath(file), Path.GetFullPath(output))) is { } same
        )
        {
            throw new StartupException(
                $"--inspect-file {output} is the database {same} itself. Give it another name.",
                ExitCodes.WrongUsage
            );
        }
        await using var databases = new DatabaseCollection();
        var options = new DatabaseOptions { IsMutable = false, Extensions = extensions.Select(path => (path, (string?)null)).ToList() };
        foreach (var file in files)
        {
            databases.AddFile(file, options);
        }
        if (files.Length == 0)
        {
            databases.AddMemory(options);
        }
        await databases.CheckAsync(ct);
        var map = new JsonMap();
        foreach (var database in databases)
        {
            map.Add(database.Name, await DescribeAsync(database, ct));
        }
        var text = JsonBody.ToText(map, indent: 2) + "\n";
        if (output == "-")
        {
            await Console.Out.WriteAsync(text);
        }
        else
        {
            try
            {
                await File.WriteAllTextAsync(output, text, ct);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new StartupException($"The inspect file {output} cannot be written: {e.Message}", innerException: e);
            }
        }
        return 0;
    }

    private static async Task<JsonMap> DescribeAsync(Database database, CancellationToken ct)
    {
        var tables = new JsonMap();
        foreach (var table in (await database.SchemaAsync(ct)).Tables)
        {
            var count = await database.CountAsync("from " + SqlText.Quote(table.Name), null, null, TimeSpan.FromDays(1), ct);
            tables.Add(table.Name, new JsonMap { { "count", count } });
        }
        return new JsonMap
        {
            { "hash", database.Hash },
            { "size", database.SizeBytes },
            { "file", database.GivenPath },
            { "tables", tables },
        };
    }
}
