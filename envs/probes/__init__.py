"""Probe environments: tiny worlds whose values are known, to test that an agent learns them."""
