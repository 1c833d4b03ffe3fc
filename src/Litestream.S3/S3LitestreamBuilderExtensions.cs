namespace Litestream.S3;

/// <summary>Makes S3 known to an engine.</summary>
public static class S3LitestreamBuilderExtensions
{
    /// <summary>Makes replicas with <c>s3://</c> URLs possible: Amazon S3 and every server that speaks its protocol.</summary>
    /// <param name="builder">The engine's settings.</param>
    public static LitestreamBuilder AddS3(this LitestreamBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.AddBackend(S3ObjectStore.Backend);
    }
}
