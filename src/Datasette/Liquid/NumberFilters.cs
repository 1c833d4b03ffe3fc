using System.Globalization;

namespace Datasette.Liquid;

/// <summary>Filters of numbers. A text that is a number is taken for one.</summary>
internal static class NumberFilters
{
    public static void Register(Dictionary<string, FilterCall> filters)
    {
        Two(filters, "plus", (a, b) => a + b);
        Two(filters, "minus", (a, b) => a - b);
        Two(filters, "times", (a, b) => a * b);
        // Of two whole numbers the result is whole, as everywhere in Liquid: 7 | divided_by: 2 is 3, 7 | divided_by: 2.0 is 3.5.
        Two(filters, "divided_by", (a, b) => a.Scale == 0 && b.Scale == 0 ? decimal.Floor(a / b) : a / b);
        Two(filters, "modulo", (a, b) => a - b * decimal.Floor(a / b));
        Two(filters, "at_least", Math.Max);
        Two(filters, "at_most", Math.Min);
        One(filters, "abs", Math.Abs);
        One(filters, "ceil", decimal.Ceiling);
        One(filters, "floor", decimal.Floor);
        filters["round"] = (input, arguments, _) =>
            Math.Round(
                LiquidText.Number(input),
                (int)Math.Clamp(LiquidText.Number(TextFilters.Argument(arguments, 0)), 0, 20),
                MidpointRounding.AwayFromZero
            );
        filters["number"] = (input, _, _) =>
            LiquidText.TryNumber(input, out var number)
                ? number.ToString("#,0.##########", CultureInfo.InvariantCulture)
                : LiquidText.Of(input);
    }

    private static void One(Dictionary<string, FilterCall> filters, string name, Func<decimal, decimal> change) =>
        filters[name] = (input, _, _) => change(LiquidText.Number(input));

    private static void Two(Dictionary<string, FilterCall> filters, string name, Func<decimal, decimal, decimal> change) =>
        filters[name] = (input, arguments, _) => change(LiquidText.Number(input), LiquidText.Number(TextFilters.Argument(arguments, 0)));
}
