"""Stands in for the package safetensors on a machine that has torch alone."""
