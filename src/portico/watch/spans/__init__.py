"""Spans of OpenTelemetry, made of the log lines after the fact: a request does nothing for them."""
