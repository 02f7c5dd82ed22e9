"""Metrics, scores, comparison and reports."""
