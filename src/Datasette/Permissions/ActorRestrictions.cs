using System.Text.Json;
using System.Text.Json.Nodes;

namespace Datasette.Permissions;

/// <summary>The restrictions of a token: a list of what it may at most be used for. Pure.</summary>
/// <remarks>Shape: <c>{"a": [actions], "d": {db: [actions]}, "r": {db: {resource: [actions]}}}</c>, entries full or abbreviated.</remarks>
public sealed class ActorRestrictions
{
    private ActorRestrictions(bool everywhere, IReadOnlyList<Resource> places)
    {
        Everywhere = everywhere;
        Places = places;
    }

    /// <summary>True when the action is allowed on the whole instance.</summary>
    public bool Everywhere { get; }

    /// <summary>Databases and resources that the action is confined to when not <see cref="Everywhere"/>; none = nothing at all.</summary>
    public IReadOnlyList<Resource> Places { get; }

    /// <summary>The restrictions of an actor for an action; null when the actor is not restricted.</summary>
    public static ActorRestrictions? Of(Actor? actor, PermissionAction action)
    {
        if (actor is null || !actor.Json.ContainsKey("_r"))
        {
            return null;
        }

        var restrictions = actor.Restrictions;
        if (Names(restrictions?["a"], action))
        {
            return new ActorRestrictions(true, []);
        }

        var places = new List<Resource>();
        foreach (var (database, actions) in restrictions?["d"] as JsonObject ?? [])
        {
            if (Names(actions, action))
            {
                places.Add(new Resource(database));
            }
        }

        foreach (var (database, resources) in restrictions?["r"] as JsonObject ?? [])
        {
            foreach (var (resource, actions) in resources as JsonObject ?? [])
            {
                if (Names(actions, action))
                {
                    places.Add(new Resource(database, resource));
                }
            }
        }

        return new ActorRestrictions(false, places);
    }

    /// <summary>True when the list covers a resource.</summary>
    public bool Covers(Resource resource)
    {
        return Everywhere || Places.Any(p => p.Parent == resource.Parent && (p.Child is null || p.Child == resource.Child));
    }

    /// <summary>The restrictions as a contribution to a question; null when there is nothing to restrict.</summary>
    public PermissionSql? ToSql()
    {
        if (Everywhere)
        {
            return null;
        }

        var rows = new JsonArray();
        foreach (var place in Places)
        {
            rows.Add((JsonNode)new JsonArray(place.Parent, place.Child));
        }

        return new PermissionSql(PermissionSql.DefaultSource, null, new Dictionary<string, object?> { ["places"] = rows.ToJsonString() })
        {
            RestrictionSql = "select value ->> 0 as parent, value ->> 1 as child from json_each(:places)",
            IsConstant = true,
        };
    }

    private static bool Names(JsonNode? list, PermissionAction action)
    {
        return list is JsonArray array
            && array.Any(n =>
                n is JsonValue value && value.GetValueKind() == JsonValueKind.String && action.IsNamed(value.GetValue<string>())
            );
    }
}
