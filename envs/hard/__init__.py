"""Hard exploration: small worlds in which undirected exploration takes exponential time."""
