"""On several devices, among which a batch is shared, losses are those of one."""

import os
import subprocess
import sys

import jax
import numpy as np

from tests.agents.auxiliaries import slow

DEVICES = 8
METHODS = {
  "msn": {"block": 2, "prototypes": 4},
  "supcon": {"bins": 3},
  "swav": {"long": 3, "prototypes": 4},
}
"""Those that compare entries of the whole batch, and draw random numbers for each."""


def in_devices():
  """Raises AssertionError unless each loss is the same on all and on one."""
  devices = jax.devices()
  assert len(devices) == DEVICES
  mesh = jax.sharding.Mesh(devices, ("batch",))
  shared = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(None, "batch"))
  given = slow.given(0, 7, DEVICES)
  parts = given._replace(
    **{
      name: jax.device_put(x, shared)
      for name, x in given._asdict().items()
      if name not in ("online", "target", "labels")
    }
  )
  for name, settings in METHODS.items():
    method, params, state = slow.build(name, 7, DEVICES, **settings)

    def loss(params, given, method=method, state=state):
      return method.loss(params, state, slow.of(given), jax.random.key(1))[0]

    run = jax.jit(jax.value_and_grad(loss))
    several, one = run(params, parts), run(params, given)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), several, one)


def test_eight_devices_have_the_losses_of_one():
  flags = f"--xla_backend_optimization_level=0 --xla_force_host_platform_device_count={DEVICES}"
  subprocess.run(
    [sys.executable, __file__], env=os.environ | {"XLA_FLAGS": flags, "PYTHONPATH": "."}, check=True
  )


if __name__ == "__main__":
  in_devices()
