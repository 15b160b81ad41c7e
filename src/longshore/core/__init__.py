"""Pure decisions: data in, data out. No I/O, no event loop, no clock."""
