"""Benchmarks: what the stack costs beside doing the same by hand, in one run on one platform."""
