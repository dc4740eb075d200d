"""Whether servers are well: asked again and again."""
