"""Runs one site: passes events to the machine, and performs its actions."""
