"""Probe environments: tiny worlds whose values are known, to test that an agent learns them."""

from envs.probes.probes import KnownValue, Probe

__all__ = ["KnownValue", "Probe"]
