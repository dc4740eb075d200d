"""Runs a Plan, and keeps it running."""
