using Litestream.Replication;

namespace Datasette.Litestream.Status;

/// <summary>The words for states, and how good each is.</summary>
internal static class StatusWords
{
    /// <summary>The word on the page and in the JSON twin.</summary>
    public static (string Word, Tone Tone) Of(ReplicationState state) =>
        state switch
        {
            ReplicationState.Starting => ("starting", Tone.Warn),
            ReplicationState.CatchingUp => ("catching up", Tone.Warn),
            ReplicationState.Current => ("in sync", Tone.Ok),
            ReplicationState.Blocked => ("blocked", Tone.Bad),
            ReplicationState.Failing => ("failing", Tone.Bad),
            ReplicationState.Fenced => ("taken over", Tone.Bad),
            ReplicationState.Stopped => ("stopped", Tone.Bad),
            _ => ("unknown", Tone.Neutral),
        };

    /// <summary>The symbol that goes with it; the shapes differ, so that colour is not needed.</summary>
    public static string Icon(Tone tone) =>
        tone switch
        {
            Tone.Ok => "i-ok",
            Tone.Warn => "i-up",
            Tone.Bad => "i-bad",
            _ => "i-none",
        };

    /// <summary>The class that goes with it.</summary>
    public static string Class(Tone tone) =>
        tone switch
        {
            Tone.Ok => "ok",
            Tone.Warn => "warn",
            Tone.Bad => "bad",
            _ => "",
        };
}
