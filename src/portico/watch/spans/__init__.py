"""OpenTelemetry spans, made from log lines afterwards: requests do no work for them."""
