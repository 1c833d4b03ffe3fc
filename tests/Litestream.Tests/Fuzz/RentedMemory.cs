using System.Diagnostics.Tracing;

namespace Litestream.Tests.Fuzz;

/// <summary>What this thread has rented of the shared pool and not given back, at most: the pool's own allocations hide behind its caches.</summary>
internal sealed class RentedMemory : EventListener
{
    private const int BufferRented = 1;
    private const int BufferAllocated = 2;
    private const int BufferReturned = 3;

    [ThreadStatic]
    private static long s_rented;

    [ThreadStatic]
    private static long s_most;

    [ThreadStatic]
    private static long s_allocated;

    /// <summary>Starts counting on this thread.</summary>
    public static void Reset() => (s_rented, s_most, s_allocated) = (0, 0, 0);

    /// <summary>The most since <see cref="Reset"/>.</summary>
    public static long Most => s_most;

    /// <summary>What the pool had to make for it since <see cref="Reset"/>: counted as rented, and not a second time as allocated.</summary>
    public static long Allocated => s_allocated;

    protected override void OnEventSourceCreated(EventSource eventSource)
    {
        if (eventSource.Name == "System.Buffers.ArrayPoolEventSource")
            EnableEvents(eventSource, EventLevel.Verbose);
    }

    protected override void OnEventWritten(EventWrittenEventArgs eventData)
    {
        if (eventData.EventId is not (BufferRented or BufferAllocated or BufferReturned) || eventData.Payload is not [_, int size, ..])
            return;
        if (eventData.EventId == BufferAllocated)
        {
            s_allocated += size;
            return;
        }
        s_rented += eventData.EventId == BufferRented ? size : -size;
        s_most = Math.Max(s_most, s_rented);
    }
}
