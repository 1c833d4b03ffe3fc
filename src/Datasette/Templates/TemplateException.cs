namespace Datasette.Templates;

/// <summary>A template of the user that cannot be read or rendered: which file and line, what is wrong, what to do.</summary>
internal sealed class TemplateException : Exception
{
    public TemplateException(string file, int line, string problem, Exception? innerException = null)
        : base(line > 0 ? $"{file}:{line}: {problem}" : $"{file}: {problem}", innerException)
    {
        File = file;
        Line = line;
        Problem = problem;
    }

    /// <summary>The file, as seen from the folder of templates.</summary>
    public string File { get; }

    /// <summary>Its line, from 1; 0 when it is not known.</summary>
    public int Line { get; }

    public string Problem { get; }
}
