"""The demonstration: `script/demo`."""
