"""The report of `portico bench` as one HTML page: no script, nothing from elsewhere."""
