"""The commands. One file per command."""
