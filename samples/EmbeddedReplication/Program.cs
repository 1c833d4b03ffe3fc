// An app that keeps its database in a bucket while it runs. Try it with a folder:
//   dotnet run --project samples/EmbeddedReplication -- --database app.db --replica file:///tmp/app-replica
using Litestream;
using Litestream.S3;
using Microsoft.Extensions.Hosting;

var builder = Host.CreateApplicationBuilder(args);
var database = builder.Configuration["database"] ?? "app.db";
var replica = builder.Configuration["replica"] ?? "s3://bucket/app";
builder.Services.AddLitestream(l => l.AddDatabase(database, replica).AddS3());
await builder.Build().RunAsync();
