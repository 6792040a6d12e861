"""Pushed kernels as they run: their queue, inputs, sandboxes, logs and outputs."""
