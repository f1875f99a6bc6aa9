"""Our own measurements: `make bench` runs them all, `python -m perf NAME` runs one."""
