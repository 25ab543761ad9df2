"""XLand-MiniGrid (Nikulin et al. 2023), MiniGrid's gridworlds in JAX; functional environments."""
