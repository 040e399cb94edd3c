"""What only the desktop has: training runs, comparisons, plots and benchmarks. The library itself is `picorl`."""
