"""The user's own directives, each in the language of a gateway."""
