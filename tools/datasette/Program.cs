using Datasette.Cli;
using Datasette.Litestream;

return await DatasetteProgram.RunAsync(args, new LitestreamPlugin());
