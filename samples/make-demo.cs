#!/usr/bin/env dotnet
#:package Microsoft.Data.Sqlite.Core
#:package SQLitePCLRaw.bundle_e_sqlite3
#:property RestorePackagesWithLockFile=false
#:property PublishAot=false

// dotnet run samples/make-demo.cs -- SCRIPT.sql DATABASE.db: a new database from a script, without the sqlite3 shell.
using Microsoft.Data.Sqlite;

if (args is not [var script, var database])
{
    Console.Error.WriteLine("usage: make-demo SCRIPT.sql DATABASE.db");
    return 2;
}

if (File.Exists(database))
{
    Console.Error.WriteLine($"{database} exists already; remove it first");
    return 1;
}

using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = database, Pooling = false }.ToString());
connection.Open();
using var transaction = connection.BeginTransaction();
using var command = connection.CreateCommand();
command.CommandText = File.ReadAllText(script);
command.ExecuteNonQuery();
transaction.Commit();
return 0;
