namespace Datasette.Liquid;

/// <summary>A filter: from a value and its arguments to a value.</summary>
internal delegate object? FilterCall(object? input, IReadOnlyList<object?> arguments, LiquidRun run);

/// <summary>An argument of a tag.</summary>
/// <param name="Name">Its name; null without one.</param>
/// <param name="Value">Its value.</param>
internal readonly record struct LiquidArgument(string? Name, object? Value);

/// <summary>A tag without an end that takes arguments: <c>{% name value, key: value %}</c>.</summary>
internal delegate void TagCall(LiquidRun run, LimitedWriter writer, IReadOnlyList<LiquidArgument> arguments);
