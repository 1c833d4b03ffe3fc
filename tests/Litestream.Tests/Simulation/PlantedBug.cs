namespace Litestream.Tests.Simulation;

/// <summary>A bug put into the world on purpose, to see that the simulation finds it.</summary>
internal enum PlantedBug
{
    None,

    /// <summary>A replica says "stored" and forgets some of the files.</summary>
    StoreForgets,

    /// <summary>A replica flips a bit now and then.</summary>
    StoreDamages,
}
