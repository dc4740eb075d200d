"""Rules for the values of options."""
