using Litestream.Cli;

// The engine uses the SQLite that the program chooses; one native library per process.
SQLitePCL.Batteries_V2.Init();
return await LitestreamCommand.RunAsync(args);
