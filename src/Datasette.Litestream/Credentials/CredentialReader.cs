using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;
using Datasette.Litestream.Configuration;
using Litestream.Replicas;

namespace Datasette.Litestream.Credentials;

/// <summary>Why credentials could not be read, for people; holds nothing of what was read.</summary>
internal sealed class CredentialException(string message, Exception? innerException = null) : Exception(message, innerException);

/// <summary>Reads credentials from the configured file, or from what the configured command prints: a JSON object.</summary>
/// <param name="settings">Which.</param>
/// <param name="time">The clock of the command's limit.</param>
/// <param name="mayBeLive">Tells of a file whether it may be a live database, which must not be opened; null where none is open.</param>
internal sealed class CredentialReader(CredentialSettings settings, TimeProvider time, Func<string, bool>? mayBeLive = null)
{
    private const int MostCharacters = 64 << 10;
    private const int MostErrorCharacters = 500;
    private static readonly TimeSpan s_commandLimit = TimeSpan.FromSeconds(30);

    /// <summary>Reads once.</summary>
    /// <exception cref="CredentialException">Unreadable, no such command, it failed or ran too long, no JSON, or a member is missing.</exception>
    public async Task<StoreCredentials> ReadAsync(CancellationToken cancellationToken) =>
        Parse(await (settings.File is { } file ? ReadFileAsync(file, cancellationToken) : RunAsync(cancellationToken)));

    /// <summary>Takes credentials from JSON. Pure.</summary>
    public StoreCredentials Parse(string text)
    {
        JsonElement root;
        try
        {
            using var document = JsonDocument.Parse(text);
            root = document.RootElement.Clone();
        }
        catch (JsonException)
        {
            // Its message would quote what it did not understand.
            throw Failure(settings.File is null ? "what it printed is not JSON" : "it is not JSON");
        }
        if (root.ValueKind != JsonValueKind.Object)
            throw Failure("the JSON is not an object");
        return new StoreCredentials(
            Member(root, "access-key-id"),
            Member(root, "secret-access-key"),
            OptionalMember(root, "session-token")
        );
    }

    private string Member(JsonElement root, string name) => OptionalMember(root, name) ?? throw Failure($"'{name}' is missing");

    private string? OptionalMember(JsonElement root, string name)
    {
        if (!root.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
            return null;
        if (value.ValueKind != JsonValueKind.String)
            throw Failure($"'{name}' is not a text");
        return value.GetString() is { Length: > 0 } text ? text : null;
    }

    private async Task<string> ReadFileAsync(string file, CancellationToken cancellationToken)
    {
        if (File.Exists(file) && mayBeLive?.Invoke(file) == true)
            throw Failure("it is a database, which nobody but SQLite may open");
        try
        {
            using var reader = new StreamReader(file);
            return await ReadAsync(reader, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Failure(
                e is FileNotFoundException or DirectoryNotFoundException ? "there is no such file" : $"it cannot be read: {e.Message}",
                e
            );
        }
    }

    private async Task<string> RunAsync(CancellationToken cancellationToken)
    {
        using var process = new Process { StartInfo = StartInfo() };
        try
        {
            process.Start();
        }
        catch (Exception e) when (e is Win32Exception or InvalidOperationException)
        {
            throw Failure($"it cannot be started: {e.Message}", e);
        }
        process.StandardInput.Close();
        using var late = new CancellationTokenSource(s_commandLimit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        try
        {
            // Both at once: a full pipe would hold the command up.
            var errors = process.StandardError.ReadToEndAsync(either.Token);
            var output = await ReadAsync(process.StandardOutput, either.Token);
            await process.WaitForExitAsync(either.Token);
            if (process.ExitCode == 0)
                return output;
            throw Failure($"it ended with exit code {process.ExitCode}{Said(await errors)}");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw Failure($"it ran longer than {s_commandLimit.TotalSeconds:0} s and was ended");
        }
        finally
        {
            End(process);
        }
    }

    private ProcessStartInfo StartInfo() =>
        new(settings.Command![0], settings.Command.Skip(1))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };

    private async Task<string> ReadAsync(StreamReader reader, CancellationToken cancellationToken)
    {
        var buffer = new char[MostCharacters + 1];
        var count = await reader.ReadBlockAsync(buffer, cancellationToken);
        return count <= MostCharacters
            ? new string(buffer, 0, count)
            : throw Failure($"it gives more than {MostCharacters >> 10} KiB, which cannot be credentials");
    }

    private static string Said(string errors)
    {
        var text = errors.Trim().ReplaceLineEndings(" ");
        return text.Length == 0 ? " and said nothing"
            : text.Length <= MostErrorCharacters ? $": {text}"
            : $": {text[..MostErrorCharacters]}...";
    }

    private static void End(Process process)
    {
        try
        {
            process.Kill(entireProcessTree: true);
        }
        catch (InvalidOperationException)
        {
            // It has ended.
        }
    }

    private CredentialException Failure(string what, Exception? cause = null) => new($"{settings.Name}: {what}", cause);
}
