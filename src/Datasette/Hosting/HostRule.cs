namespace Datasette.Hosting;

/// <summary>Whether a request names this instance by one of its names. Pure.</summary>
/// <remarks>
/// A page of another site can give its own name the address of this machine (DNS rebinding) and then read a local instance as if it were its
/// own; the name it comes with is all that tells.
/// </remarks>
internal static class HostRule
{
    /// <param name="host">The host of the request without port.</param>
    /// <param name="allowed">Names, <c>*.example.com</c> for all below one; null takes any.</param>
    public static bool IsAllowed(string host, IReadOnlyList<string>? allowed) =>
        allowed is null
        || allowed.Any(name =>
            name.Equals(host, StringComparison.OrdinalIgnoreCase)
            || name.StartsWith("*.", StringComparison.Ordinal) && host.EndsWith(name[1..], StringComparison.OrdinalIgnoreCase)
        );
}
