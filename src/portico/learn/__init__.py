"""The copy of a site that lessons are made of: it is asked, and taken down."""
