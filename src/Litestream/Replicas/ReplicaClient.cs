using System.Runtime.CompilerServices;
using Litestream.Ltx;

namespace Litestream.Replicas;

/// <summary>How exactly a listing must know the time of each file.</summary>
public enum TimestampAccuracy
{
    /// <summary>Whatever the listing says, free of charge.</summary>
    Listing,

    /// <summary>The time in the file's header, as kept in the object's metadata or read from the header itself; may cost a request a file.</summary>
    Exact,
}
