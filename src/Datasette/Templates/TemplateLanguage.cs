using System.Globalization;
using Datasette.Liquid;
using Datasette.Plugins;
using Datasette.Text;

namespace Datasette.Templates;

/// <summary>What the host adds to Liquid: addresses, other templates, layouts, what a custom page answers, filters of plugins.</summary>
internal static class TemplateLanguage
{
    public static LiquidLanguage Make(IDatasette datasette, IEnumerable<LiquidFilter> others)
    {
        var language = new LiquidLanguage();
        AddFilters(language.Filters, datasette);
        foreach (var filter in others)
        {
            language.Filters[filter.Name] = (input, arguments, _) =>
                TemplateValues.Of(filter.Apply(Plain(input), arguments.Select(Plain).ToList()));
        }
        AddTags(language.Tags);
        return language;
    }

    private static void AddFilters(Dictionary<string, FilterCall> filters, IDatasette datasette)
    {
        filters["url"] = (input, _, _) => datasette.UrlPath(LiquidText.Of(input));
        filters["static_url"] = (input, _, _) => datasette.UrlPath("/-/static/" + LiquidText.Of(input));
        filters["database_url"] = (input, _, _) => datasette.UrlPath("/" + Route(datasette, input));
        filters["table_url"] = (input, arguments, _) =>
            datasette.UrlPath($"/{Route(datasette, TextFilters.Argument(arguments, 0))}/{TildeEncoding.Encode(LiquidText.Of(input))}");
        filters["tilde_encode"] = (input, _, _) => TildeEncoding.Encode(LiquidText.Of(input));
        filters["css_class"] = (input, _, _) => TildeEncoding.CssClass(LiquidText.Of(input));
        filters["safe_url"] = (input, _, _) => SafeUrl(LiquidText.Of(input));
    }

    private static string Route(IDatasette datasette, object? database)
    {
        var name = LiquidText.Of(database);
        return datasette.Databases[name]?.Route ?? TildeEncoding.Encode(name);
    }

    /// <summary>An address as it is if a browser fetches it; a script hidden in one becomes a link to nowhere.</summary>
    private static string SafeUrl(string url)
    {
        var trimmed = url.AsSpan().Trim();
        var colon = trimmed.IndexOf(':');
        var end = trimmed.IndexOfAny('/', '?', '#');
        if (colon < 0 || end >= 0 && end < colon)
        {
            return url;
        }
        var scheme = trimmed[..colon].ToString().ToLowerInvariant();
        return scheme is "http" or "https" or "mailto" or "tel" ? url : "#";
    }

    /// <summary>What a plugin is handed: null, bool, decimal, text, lists and dictionaries of these.</summary>
    private static object? Plain(object? value) =>
        value switch
        {
            null or bool or decimal => value,
            IReadOnlyList<object?> list => list.Select(Plain).ToList(),
            LiquidMap map => map.Keys.ToDictionary(key => key, key => Plain(map.Find(key))),
            _ => LiquidText.Of(value),
        };

    private static void AddTags(Dictionary<string, TagCall> tags)
    {
        tags["include"] = Include;
        tags["render"] = Render;
        tags["layout"] = Layout;
        tags["custom_status"] = Status;
        tags["custom_header"] = Header;
        tags["custom_redirect"] = Redirect;
        tags["raise_404"] = NotFound;
    }

    private static void Include(LiquidRun run, LimitedWriter writer, IReadOnlyList<LiquidArgument> arguments)
    {
        var file = File(run, "include", arguments);
        run.EnterScope();
        foreach (var argument in arguments.Where(argument => argument.Name is not null))
        {
            run.SetHere(argument.Name!, argument.Value);
        }
        ((TemplateRun)run).Write(file, writer);
        run.LeaveScope();
    }

    private static void Render(LiquidRun run, LimitedWriter writer, IReadOnlyList<LiquidArgument> arguments)
    {
        var file = File(run, "render", arguments);
        var apart = ((TemplateRun)run).Apart();
        foreach (var argument in arguments.Where(argument => argument.Name is not null))
        {
            apart.SetHere(argument.Name!, argument.Value);
        }
        apart.Write(file, writer);
    }

    private static TemplateFile File(LiquidRun run, string tag, IReadOnlyList<LiquidArgument> arguments) =>
        arguments is [{ Name: null } name, ..] && arguments.Count(argument => argument.Name is null) == 1
            ? ((TemplateRun)run).File(LiquidText.Of(name.Value))
            : throw new LiquidException($"write {{% {tag} \"name.html\" %}} or {{% {tag} \"name.html\", key: value %}}");

    private static void Layout(LiquidRun run, LimitedWriter writer, IReadOnlyList<LiquidArgument> arguments)
    {
        if (arguments is not [{ Name: null } name])
        {
            throw new LiquidException("write {% layout \"name.html\" %}, or {% layout none %} for a page without one");
        }
        var own = (TemplateRun)run;
        own.IsWhole = name.Value is null;
        own.Layout = own.IsWhole ? null : LiquidText.Of(name.Value);
    }

    private static void Status(LiquidRun run, LimitedWriter writer, IReadOnlyList<LiquidArgument> arguments)
    {
        var answer = Answer(run, "custom_status");
        answer.Status = arguments is [var status]
            ? Status(status.Value, 200, 599)
            : throw new LiquidException("write {% custom_status 404 %}");
    }

    private static void Header(LiquidRun run, LimitedWriter writer, IReadOnlyList<LiquidArgument> arguments)
    {
        var answer = Answer(run, "custom_header");
        if (arguments is not [var first, var second])
        {
            throw new LiquidException("write {% custom_header \"name\", \"value\" %}");
        }
        var (name, value) = (LiquidText.Of(first.Value), LiquidText.Of(second.Value));
        if (
            name.Length == 0
            || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_')
            || value.Any(c => char.IsControl(c) || c > '~')
        )
        {
            throw new LiquidException(
                $"the header '{name}' cannot be sent: its name has more than letters, or its value a line break or no ASCII"
            );
        }
        answer.Headers.Add(new(name, value));
    }

    private static void Redirect(LiquidRun run, LimitedWriter writer, IReadOnlyList<LiquidArgument> arguments)
    {
        var answer = Answer(run, "custom_redirect");
        var location = arguments.Count is 1 or 2 ? LiquidText.Of(arguments[0].Value) : "";
        if (location.Length == 0 || location.Any(c => char.IsControl(c) || c > '~'))
        {
            throw new LiquidException(
                "write {% custom_redirect \"/where\" %} or {% custom_redirect \"/where\", 301 %}; the address must be ASCII"
            );
        }
        answer.Location = location;
        answer.Status = arguments.Count == 2 ? Status(arguments[1].Value, 300, 399) : 302;
    }

    private static void NotFound(LiquidRun run, LimitedWriter writer, IReadOnlyList<LiquidArgument> arguments)
    {
        _ = Answer(run, "raise_404");
        throw new RaisedNotFoundException(
            arguments.Count > 0 && LiquidText.Of(arguments[0].Value) is { Length: > 0 } message ? message : "404"
        );
    }

    private static PageAnswer Answer(LiquidRun run, string tag) =>
        ((TemplateRun)run).Answer ?? throw new LiquidException($"{tag} is for pages in the folder {CustomPages.Folder}/ alone");

    private static int Status(object? value, int least, int most) =>
        int.TryParse(LiquidText.Of(value), NumberStyles.None, CultureInfo.InvariantCulture, out var status)
        && status >= least
        && status <= most
            ? status
            : throw new LiquidException($"'{LiquidText.Of(value)}' is no status between {least} and {most}");
}
