using Datasette.Hosting;
using Datasette.Litestream;

return await DatasetteProgram.RunAsync(args, new LitestreamPlugin());
