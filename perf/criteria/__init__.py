"""The success criteria of the memory design, each with what was measured: `make criteria`."""
