"""What papers say of self-supervised losses, tried on small worlds: a file a claim."""
