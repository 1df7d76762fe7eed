"""Benchmarks: one file each, run by `clapboard bench NAME`; docs/benchmarks.md is written from bench/results/.

A benchmark is a module with a docstring (first line: what it measures), `add_arguments(parser)` and
`run(arguments) -> bench.result.Result`. It reports ratios measured in one run, because machines are noisy.
"""
