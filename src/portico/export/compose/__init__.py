"""A site for Compose: a gateway and replicas, or a gateway and its app apart, and their rolling release."""
