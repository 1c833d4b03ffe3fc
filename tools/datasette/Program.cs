return await Datasette.Hosting.DatasetteProgram.RunAsync(args);
