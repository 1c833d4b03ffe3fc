namespace Datasette.Liquid;

/// <summary>A template that was read. Immutable; may be rendered by many at once.</summary>
internal sealed class LiquidTemplate
{
    private readonly LiquidBlock block;

    private LiquidTemplate(LiquidBlock block) => this.block = block;

    /// <exception cref="LiquidException">It cannot be read; says where.</exception>
    public static LiquidTemplate Parse(string source, LiquidLanguage language) =>
        new(new LiquidParser(language, LiquidSource.Split(source)).Parse());

    /// <exception cref="LiquidException">It cannot be rendered; <see cref="LiquidRun.Line"/> is the place.</exception>
    public void Write(LiquidRun run, LimitedWriter writer) => block.Write(run, writer);
}
