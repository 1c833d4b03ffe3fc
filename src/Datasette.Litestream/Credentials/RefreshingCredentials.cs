using System.Globalization;
using Datasette.Litestream.Configuration;
using Litestream.Replicas;
using Microsoft.Extensions.Logging;

namespace Datasette.Litestream.Credentials;

/// <summary>
/// Credentials that are read again every interval, and sooner when a store refuses them. When reading fails the old ones stay in use and it is tried again.
/// Owned by the replication of one host; the reading runs on one task, the rest is safe from any thread.
/// </summary>
internal sealed class RefreshingCredentials : StoreCredentialSource, IAsyncDisposable
{
    private static readonly TimeSpan s_firstRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_longestRetry = TimeSpan.FromMinutes(1);

    // A store that refuses for another reason than the credentials must not have the command run for every request.
    private static readonly TimeSpan s_leastPause = TimeSpan.FromSeconds(5);

    private readonly CredentialSettings _settings;
    private readonly CredentialReader _reader;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly Action<StoreCredentials> _changed;
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _refused = new(0, 1);
    private volatile State _state;
    private Task _loop = Task.CompletedTask;

    private RefreshingCredentials(
        CredentialSettings settings,
        CredentialReader reader,
        StoreCredentials first,
        TimeProvider time,
        ILogger log,
        Action<StoreCredentials> changed
    )
    {
        (_settings, _reader, _time, _log, _changed) = (settings, reader, time, log, changed);
        _state = new State(first, time.GetUtcNow(), null);
    }

    /// <inheritdoc/>
    public override StoreCredentials Current => _state.Credentials;

    /// <summary>Reads for the first time and goes on until disposed.</summary>
    /// <param name="settings">The source.</param>
    /// <param name="time">The clock.</param>
    /// <param name="log">Where failures and changes are told.</param>
    /// <param name="changed">Called with every new value before it is used, first with the first one.</param>
    /// <param name="cancellationToken">Ends the first reading.</param>
    /// <param name="mayBeLive">As of <see cref="CredentialReader"/>.</param>
    /// <exception cref="StartupException">The first reading failed.</exception>
    public static async Task<RefreshingCredentials> StartAsync(
        CredentialSettings settings,
        TimeProvider time,
        ILogger log,
        Action<StoreCredentials> changed,
        CancellationToken cancellationToken,
        Func<string, bool>? mayBeLive = null
    )
    {
        var reader = new CredentialReader(settings, time, mayBeLive);
        try
        {
            var first = await reader.ReadAsync(cancellationToken);
            changed(first);
            var credentials = new RefreshingCredentials(settings, reader, first, time, log, changed);
            credentials._loop = Task.Run(credentials.RunAsync, CancellationToken.None);
            return credentials;
        }
        catch (CredentialException e)
        {
            throw new StartupException($"{LitestreamPluginConfig.PluginName}: {e.Message}", innerException: e);
        }
    }

    /// <inheritdoc/>
    public override void Refused(StoreCredentials refused)
    {
        // Already replaced: the next request goes with others.
        if (!ReferenceEquals(refused, Current))
            return;
        try
        {
            _refused.Release();
        }
        catch (Exception e) when (e is SemaphoreFullException or ObjectDisposedException)
        {
            // Somebody else has said it, or the end is near.
        }
    }

    /// <summary>Why the credentials in use are not the newest, with their age; null while all is well.</summary>
    public string? Problem()
    {
        var state = _state;
        return state.Failure is { } failure
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"the credentials could not be refreshed: {failure}. Those in use are from {Age(_time.GetUtcNow() - state.ReadAt)} ago; it is tried again."
            )
            : null;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        _stop.Dispose();
        _refused.Dispose();
    }

    private async Task RunAsync()
    {
        var pause = _settings.Interval;
        var retry = s_firstRetry;
        try
        {
            while (true)
            {
                await WaitAsync(pause);
                if (await TryRefreshAsync())
                    (pause, retry) = (_settings.Interval, s_firstRetry);
                else
                    (pause, retry) = (Min(retry, _settings.Interval), Min(retry * 2, s_longestRetry));
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Disposed.
        }
    }

    /// <summary>Waits for the time to pass, or for a refusal; but never less than a little.</summary>
    private async Task WaitAsync(TimeSpan pause)
    {
        var least = Min(pause, s_leastPause);
        await Task.Delay(least, _time, _stop.Token);
        if (pause == least)
            return;
        using var due = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        var time = Task.Delay(pause - least, _time, due.Token);
        var refused = _refused.WaitAsync(due.Token);
        await Task.WhenAny(time, refused);
        await due.CancelAsync();
        await Task.WhenAll(time, refused).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Token.ThrowIfCancellationRequested();
    }

    private async Task<bool> TryRefreshAsync()
    {
        try
        {
            var read = await _reader.ReadAsync(_stop.Token);
            var (before, failed) = (_state.Credentials, _state.Failure is not null);
            if (read != before)
                _changed(read);
            // The same object as long as they are the same: whoever was refused with them knows it.
            _state = new State(read == before ? before : read, _time.GetUtcNow(), null);
            // Refusals of the old ones that came meanwhile are answered with this.
            _refused.Wait(0, CancellationToken.None);
            if (read != before || failed)
                Log.CredentialsRead(_log, _settings.Name, read == before ? "unchanged" : "new");
            return true;
        }
        catch (CredentialException e)
        {
            if (_state.Failure != e.Message)
                Log.CredentialsNotRead(_log, e.Message);
            _state = _state with { Failure = e.Message };
            return false;
        }
    }

    private static TimeSpan Min(TimeSpan one, TimeSpan other) => one < other ? one : other;

    private static string Age(TimeSpan age) =>
        age < TimeSpan.FromMinutes(2) ? string.Create(CultureInfo.InvariantCulture, $"{age.TotalSeconds:0} s")
        : age < TimeSpan.FromHours(2) ? string.Create(CultureInfo.InvariantCulture, $"{age.TotalMinutes:0} min")
        : string.Create(CultureInfo.InvariantCulture, $"{age.TotalHours:0} h");

    private sealed record State(StoreCredentials Credentials, DateTimeOffset ReadAt, string? Failure);
}
