"""The benchmarks: `script/bench`."""
