"""A site as objects of Kubernetes: plain YAML, a base with overlays for Kustomize, and a chart for Helm."""
