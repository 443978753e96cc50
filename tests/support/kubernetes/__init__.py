"""Read the manifests in infra/kubernetes, and say what is wrong with them."""
