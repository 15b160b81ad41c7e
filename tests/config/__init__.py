"""The configuration: from a file, the environment and defaults to typed values, or to problems with positions."""
