"""Benchmarks: each is a program of its own, `python -m picorl_host.bench.NAME`, that prints a table and writes JSON."""
