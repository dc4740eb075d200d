"""Whom the gateway would rather not answer: who tries paths of scanners, and who is banned for it."""
