return await Datasette.Cli.DatasetteProgram.RunAsync(args, new Datasette.Litestream.LitestreamPlugin(), new HelloPlugin());
