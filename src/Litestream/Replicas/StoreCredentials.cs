namespace Litestream.Replicas;

/// <summary>A pair of keys for a store, with the token that temporary ones need. Secret: it does not print itself.</summary>
/// <param name="AccessKeyId">Which key.</param>
/// <param name="SecretAccessKey">Its secret.</param>
/// <param name="SessionToken">For temporary credentials; null for lasting ones.</param>
public sealed record StoreCredentials(string AccessKeyId, string SecretAccessKey, string? SessionToken = null)
{
    /// <inheritdoc/>
    public override string ToString() => "credentials";
}

/// <summary>Credentials that change while replicas are at work. A store asks anew for every request, so a change needs no new connection.</summary>
/// <remarks>Safe from any thread; neither member may wait for the network.</remarks>
public abstract class StoreCredentialSource
{
    /// <summary>What to sign the next request with.</summary>
    public abstract StoreCredentials Current { get; }

    /// <summary>Told when a store did not accept credentials that came from here: perhaps there are newer ones.</summary>
    /// <param name="refused">What was refused.</param>
    public abstract void Refused(StoreCredentials refused);
}
