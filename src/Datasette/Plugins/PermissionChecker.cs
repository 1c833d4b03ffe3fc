using System.Collections.Concurrent;
using Datasette.Databases;
using Datasette.Permissions;

namespace Datasette.Plugins;

/// <summary>One resource that an actor may use.</summary>
/// <param name="Parent">Its database.</param>
/// <param name="Child">Table, view or query; null for a database.</param>
/// <param name="IsPrivate">Whether anonymous visitors may not.</param>
internal sealed record AllowedResource(string Parent, string? Child, bool IsPrivate);

/// <summary>One question that was asked, with its answer.</summary>
/// <param name="At">When.</param>
/// <param name="Action">What.</param>
/// <param name="Resource">What to; null for the instance.</param>
/// <param name="Who">Who; null for an anonymous visitor.</param>
/// <param name="IsAllowed">The answer.</param>
internal sealed record PermissionCheck(DateTimeOffset At, string Action, Resource? Resource, Actor? Who, bool IsAllowed)
{
    /// <summary>Who, as JSON.</summary>
    public string? Actor => Who?.Json.ToJsonString();
}

/// <summary>Asks everyone for their rules, puts them into one SQL question and has the internal database answer it.</summary>
internal sealed class PermissionChecker(
    IDatasette datasette,
    PluginHooks hooks,
    IReadOnlyDictionary<string, PermissionAction> actions,
    InternalDatabase catalog
)
{
    private const int RememberedChecks = 200;
    private static readonly TimeSpan LongestAnswer = TimeSpan.FromSeconds(1);
    private readonly ConcurrentQueue<PermissionCheck> recent = new();
    private readonly ConstantAnswers constant = new();

    /// <summary>The last questions, the newest first.</summary>
    public IEnumerable<PermissionCheck> RecentChecks => recent.Reverse();

    public async ValueTask<bool> AllowedAsync(string action, Resource? resource, Actor? actor, CancellationToken cancellationToken)
    {
        if (!actions.TryGetValue(action, out var known))
        {
            return false;
        }
        var requirements = await RequirementsAsync(known, actor, cancellationToken);
        var place = resource ?? Resource.Global;
        var key = ConstantAnswers.KeyOf(requirements, place);
        if (key is null || !constant.TryGet(key, out var isAllowed))
        {
            var question = PermissionSqlBuilder.IsAllowed(requirements, place);
            isAllowed = await AnswerAsync(question, cancellationToken);
            constant.Keep(key, isAllowed);
        }
        recent.Enqueue(new(datasette.Time.GetUtcNow(), action, resource, actor, isAllowed));
        while (recent.Count > RememberedChecks)
        {
            recent.TryDequeue(out _);
        }
        return isAllowed;
    }

    /// <summary>One page of what the actor may do the action to, and how many there are in all. Rows: parent, child, is_private, reasons.</summary>
    public async ValueTask<(long Total, IReadOnlyList<object?[]> Rows)> PageAsync(
        PermissionAction action,
        Actor? actor,
        string? parent,
        string? child,
        int limit,
        int offset,
        bool withReasons,
        CancellationToken cancellationToken
    )
    {
        var requirements = await RequirementsAsync(action, actor, cancellationToken);
        var options = new AllowedListOptions
        {
            Parent = parent,
            Child = child,
            IncludeReasons = withReasons,
            Limit = limit,
            Offset = offset,
        };
        var count = await AskAsync(PermissionSqlBuilder.CountAllowed(requirements, options), cancellationToken);
        return ((long)count[0][0]!, await AskAsync(PermissionSqlBuilder.ListAllowed(requirements, options), cancellationToken));
    }

    /// <summary>The rules about an action for an actor. Rows: parent, child, allow, reason, source.</summary>
    public async ValueTask<IReadOnlyList<object?[]>> RulesAsync(
        PermissionAction action,
        Actor? actor,
        Resource? resource,
        CancellationToken cancellationToken
    )
    {
        var requirement = new PermissionRequirement(
            action,
            actor,
            await hooks.PermissionSqlAsync(datasette, actor, action.Name, cancellationToken)
        );
        return await AskAsync(PermissionSqlBuilder.ListRules(requirement, resource), cancellationToken);
    }

    /// <summary>All resources of the action's kind that the actor may use, by name.</summary>
    public async ValueTask<IReadOnlyList<AllowedResource>> ListAsync(
        string action,
        Actor? actor,
        string? parent,
        CancellationToken cancellationToken,
        int? limit = null
    )
    {
        var known = actions[action];
        var options = new AllowedListOptions
        {
            Parent = parent,
            Anonymous = actor is null ? null : await RequirementsAsync(known, null, cancellationToken),
            Limit = limit,
        };
        var question = PermissionSqlBuilder.ListAllowed(await RequirementsAsync(known, actor, cancellationToken), options);
        var rows = await AskAsync(question, cancellationToken);
        return rows.Select(row => new AllowedResource((string)row[0]!, (string?)row[1], row[2] is 1L)).ToList();
    }

    // A page asks a dozen questions and the next page the same. Rules may speak of the time, so an answer lives no longer than the catalogue.
    private async ValueTask<bool> AnswerAsync(PermissionQuestion question, CancellationToken cancellationToken)
    {
        await catalog.RefreshAsync(datasette.Databases, cancellationToken);
        var (database, time) = (catalog.Database, datasette.Time);
        var key = Memory.Key("allowed", question.Sql, question.Parameters);
        var epoch = await database.EpochAsync(cancellationToken);
        if (database.Memory.TryGet(key, epoch, out (bool IsAllowed, long At) known) && time.GetElapsedTime(known.At) < LongestAnswer)
        {
            return known.IsAllowed;
        }
        var at = time.GetTimestamp();
        var rows = (await database.ExecuteAsync(question.Sql, question.Parameters, ct: cancellationToken)).Rows;
        var isAllowed = rows.Count > 0 && rows[0][0] is 1L;
        database.Memory.Keep(key, epoch, (isAllowed, at));
        return isAllowed;
    }

    /// <summary>Answers on a catalogue that is at most a second old.</summary>
    private async ValueTask<IReadOnlyList<object?[]>> AskAsync(PermissionQuestion question, CancellationToken cancellationToken)
    {
        await catalog.RefreshAsync(datasette.Databases, cancellationToken);
        return (await catalog.Database.ExecuteAsync(question.Sql, question.Parameters, ct: cancellationToken)).Rows;
    }

    private async ValueTask<IReadOnlyList<PermissionRequirement>> RequirementsAsync(
        PermissionAction action,
        Actor? actor,
        CancellationToken cancellationToken
    )
    {
        var all = new List<PermissionRequirement>();
        for (
            PermissionAction? next = action;
            next is not null;
            next = next.AlsoRequires is { } name ? actions.GetValueOrDefault(name) : null
        )
        {
            all.Add(new(next, actor, await hooks.PermissionSqlAsync(datasette, actor, next.Name, cancellationToken)));
        }
        return all;
    }
}
