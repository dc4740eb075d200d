"""The same options for another use: on a platform, with a gateway elsewhere, in development."""
