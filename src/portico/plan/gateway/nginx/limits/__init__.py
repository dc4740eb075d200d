"""How much one client may ask for and hold; refused with 429, as HTTP has it, not nginx's 503."""
