"""What an app says about itself, one file a framework."""
