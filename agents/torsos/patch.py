"""patch: the cells of a grid image, each by the same linear map."""

from __future__ import annotations

import dataclasses

import haiku as hk
import jax

from agents.torsos.pools import PoolConfig
from agents.torsos.torso import Torso, registry
from envs.observation import Cells


@dataclasses.dataclass(frozen=True)
class PatchConfig(PoolConfig):
  """Cells of a grid."""

  cell_features: int = 16
  """Numbers that each cell becomes (ours)."""
  hidden: int = 256
  """Units of the layer over all cells (ours)."""


@registry.register("patch", PatchConfig)
class Patch(Torso):
  """One linear map shared by all cells of a grid image, then a hidden layer over all cells.

  A convolution whose stride is its kernel (ViT's patch embedding, arXiv 2010.11929), with the patch
  set to the observation's cell: an image of a grid holds no more than which thing is in which cell.
  """

  def features(self, x: jax.Array) -> jax.Array:
    self.require_image(x)
    side = self.spec.side if isinstance(self.spec, Cells) else 8
    n, h, w, c = x.shape
    if h % side or w % side:
      raise ValueError(f"the patch torso cuts {side}-pixel cells; the image is {h}x{w}.")
    cells = x.reshape(n, h // side, side, w // side, side, c).swapaxes(2, 3)
    return jax.nn.relu(
      hk.Linear(self.settings.cell_features, name="cell")(
        cells.reshape(n, h // side, w // side, -1)
      )
    )

  @hk.transparent
  def pool(self, tokens: jax.Array) -> jax.Array:
    """The latent [N, size] of cells [N, P, D]."""
    hidden = hk.Linear(self.settings.hidden, name="hidden")(tokens.reshape(len(tokens), -1))
    hidden = jax.nn.relu(hk.LayerNorm(-1, True, True, name="norm")(hidden))
    return hk.Linear(self.size, name="latent")(hidden)
