namespace Testing;

/// <summary>
/// A parser that fails behind four bytes, each of which must be right before the next is looked at: a fuzzer that does not see coverage does not come through.
/// </summary>
public static class PlantedFault
{
    /// <summary>Parses.</summary>
    /// <exception cref="IndexOutOfRangeException">The fault.</exception>
    public static void Parse(byte[] input)
    {
        if (input.Length > 3 && input[0] == 'L' && input[1] == 'T' && input[2] == 'X' && input[3] == '9')
            throw new IndexOutOfRangeException("planted");
    }
}
