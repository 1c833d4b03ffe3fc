using System.Collections.Concurrent;
using System.Globalization;
using System.Text;

namespace Datasette.Databases;

/// <summary>What was found out about a database and stays true as long as nobody writes to it.</summary>
/// <remarks>
/// Safe on any thread. Every finding carries the epoch it was found in; a new epoch begins as soon as any reader sees that the file has
/// changed, so that nothing is answered from an older state than a reader would see at that moment.
/// </remarks>
internal sealed class Memory
{
    private const int Most = 2000;
    private readonly ConcurrentDictionary<string, (long Epoch, object? Value)> _known = new(StringComparer.Ordinal);
    private long _epoch;

    /// <summary>The epoch now. To be read before the question is put to the database, never after.</summary>
    public long Epoch => Volatile.Read(ref _epoch);

    /// <summary>Something has changed, or may have. The epoch that begins is returned.</summary>
    public long Forget() => Interlocked.Increment(ref _epoch);

    /// <summary>The key of what a statement with these values found.</summary>
    public static string Key(string kind, string sql, IReadOnlyDictionary<string, object?>? parameters)
    {
        if (parameters is null || parameters.Count == 0)
        {
            return kind + '\0' + sql;
        }

        var key = new StringBuilder(kind, sql.Length + 128).Append('\0').Append(sql);
        foreach (var (name, value) in parameters)
        {
            // The length keeps values apart that hold what stands between them; the type keeps 1 and '1' apart.
            var text = value is byte[] bytes ? Convert.ToHexString(bytes) : Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
            key.Append('\0').Append(name).Append('\0').Append(value?.GetType().Name).Append(text.Length).Append(':').Append(text);
        }

        return key.ToString();
    }

    public bool TryGet<T>(string key, long epoch, out T value)
    {
        if (_known.TryGetValue(key, out var found) && found.Epoch == epoch)
        {
            value = (T)found.Value!;
            return true;
        }

        value = default!;
        return false;
    }

    public void Keep(string key, long epoch, object? value)
    {
        if (_known.Count >= Most)
        {
            _known.Clear();
        }

        _known[key] = (epoch, value);
    }
}
