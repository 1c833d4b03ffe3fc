namespace Datasette.Liquid;

/// <summary>A template that cannot be read or rendered.</summary>
/// <param name="problem">What is wrong, without its place.</param>
/// <param name="line">The line, from 1; 0 when whoever runs the template knows it.</param>
internal sealed class LiquidException(string problem, int line = 0) : Exception(problem)
{
    public int Line => line;
}
