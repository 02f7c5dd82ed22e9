"""Devices, processes, preemption and cluster jobs."""
