using System.Diagnostics;

namespace Datasette.Databases;

/// <summary>The statements that ran for one request, for whoever asks why a page is slow. Flows with the request; off unless begun.</summary>
internal sealed class SqlTrace
{
    private static readonly AsyncLocal<SqlTrace?> s_current = new();
    private readonly Lock _gate = new();
    private readonly List<Entry> _entries = [];
    private readonly long _start = Stopwatch.GetTimestamp();

    /// <summary>One statement.</summary>
    /// <param name="Database">Name of its database.</param>
    /// <param name="Sql">Its text.</param>
    /// <param name="Parameters">Its values.</param>
    /// <param name="Start">When it began, from the beginning of the request.</param>
    /// <param name="Duration">How long it took, waiting for a free connection included.</param>
    /// <param name="Error">What went wrong; null when nothing did.</param>
    internal sealed record Entry(
        string Database,
        string Sql,
        IReadOnlyDictionary<string, object?>? Parameters,
        TimeSpan Start,
        TimeSpan Duration,
        string? Error
    );

    /// <summary>The trace of this request; null when nobody asked for one.</summary>
    public static SqlTrace? Current => s_current.Value;

    /// <summary>Time since it began.</summary>
    public TimeSpan Elapsed => Stopwatch.GetElapsedTime(_start);

    /// <summary>Begins a trace for all that follows in this request.</summary>
    public static SqlTrace Begin() => s_current.Value = new SqlTrace();

    /// <summary>What has been run so far.</summary>
    public IReadOnlyList<Entry> Entries
    {
        get
        {
            lock (_gate)
            {
                return [.. _entries];
            }
        }
    }

    /// <summary>Notes a statement that began <paramref name="began"/> after the request.</summary>
    public void Add(string database, string sql, IReadOnlyDictionary<string, object?>? parameters, TimeSpan began, string? error)
    {
        lock (_gate)
        {
            _entries.Add(new(database, sql, parameters, began, Elapsed - began, error));
        }
    }
}
