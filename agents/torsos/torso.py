"""Torsos: from one observation to one latent vector. No torso keeps batch statistics.

Batch statistics would let examples of one batch see each other, which changes what BYOL learns and
breaks acting with batch size one; GroupNorm and weight standardisation take their place
(Richemond et al. 2020, arXiv 2010.10241: 73.9% against 74.3% with batch norm on ImageNet).

A torso maps one leaf of observations [N, ...] to tokens [N, P, D], features at P places, and pools
them into latents [N, size], float32. agents/torsos/fuse.py joins those of several leaves.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from agents.torsos.convolution import Conv2D, convolution
from envs.observation import Cells, Spec, Tokens, shapes
from envs.registry import Registry

registry = Registry("torso")


def preprocess(spec: Spec, observation: Any) -> Any:
  """Turns an observation batch [N, ...] into float32 features.

  Pixels (uint8) go to [0, 1]; bounded integers are categories and become one-hot along a new last
  axis, merged into the previous one; of text it is counted how often each word occurs; floats pass
  unchanged. Of a dict of leaves, each by itself.
  """
  if isinstance(spec, dict):
    return {name: preprocess(leaf, observation[name]) for name, leaf in spec.items()}
  if isinstance(spec, Tokens):  # 0, which is no word, has no place
    return jax.nn.one_hot(observation - 1, spec.size - 1, dtype=jnp.float32).sum(-2)
  if spec.dtype == np.uint8:
    return observation.astype(jnp.float32) / 255.0
  if np.issubdtype(spec.dtype, np.integer):
    if not isinstance(spec, specs.BoundedArray) or np.min(spec.minimum) < 0:
      raise ValueError(
        f"integer observation {spec.name!r} needs bounds, from 0 up, to be read as categories."
      )
    encoded = jax.nn.one_hot(observation, int(np.max(spec.maximum)) + 1, dtype=jnp.float32)
    return encoded.reshape(*encoded.shape[:-2], -1) if spec.shape else encoded
  return observation.astype(jnp.float32)


def preprocessed(spec: Spec) -> Spec:
  """The spec of what `preprocess` makes of one observation; raises what it raises."""
  if isinstance(spec, dict):
    return {name: preprocessed(leaf) for name, leaf in spec.items()}
  made = jax.eval_shape(functools.partial(preprocess, spec), shapes(spec, (1,)))
  if isinstance(spec, Cells):
    return Cells(made.shape[1:], np.float32, -np.inf, np.inf, spec.side, spec.name)
  return specs.Array(made.shape[1:], np.float32, spec.name)


def width(spec: Spec) -> int:
  """How many numbers `preprocess` makes of one observation; raises what it raises."""
  return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(preprocessed(spec)))


class Torso(hk.Module):
  """The contract: `spec` of a leaf of observations, `size` of the latent.

  Most have `features` alone.
  """

  def __init__(self, spec: specs.Array, size: int, name: str):
    super().__init__(name=name)
    self.spec = spec
    self.size = size

  def __call__(
    self, observation: jax.Array, key: jax.Array | None = None, training: bool = False
  ) -> jax.Array:
    """Latents [N, size] of observations [N, *O]."""
    return self.pool(self.tokens(observation, key, training))

  def tokens(
    self, observation: jax.Array, key: jax.Array | None = None, training: bool = False
  ) -> jax.Array:
    """Features at P places, [N, P, D]; one place where they have none.

    Args:
      observation: [N, *O].
      key: for what is random in training, such as stochastic depth; None for none.
      training: whether it is.
    """
    del key, training
    features = self.features(preprocess(self.spec, observation))
    n = len(features)
    return features.reshape(n, -1, features.shape[-1]) if features.ndim > 2 else features[:, None]

  # Transparent, so that the layer is named as if it were made in __call__.
  @hk.transparent
  def pool(self, tokens: jax.Array) -> jax.Array:
    """The latent [N, size] of tokens [N, P, D]."""
    return hk.Linear(self.size, name="latent")(tokens.reshape(len(tokens), -1))

  def features(self, x: jax.Array) -> jax.Array:
    """Features [N, ..., D] of preprocessed observations."""
    raise NotImplementedError

  def _require_image(self, x: jax.Array) -> None:
    if x.ndim != 4:
      raise ValueError(
        f"this torso reads images [H, W, C]; the observation is {self.spec.shape}. Use --torso mlp."
      )


@registry.register("linear")
class Linear(Torso):
  """One linear layer on the flattened observation (Craftax_Baselines' recurrent agent: of 512)."""

  def features(self, x: jax.Array) -> jax.Array:
    return x


@registry.register("mlp")
class MLP(Torso):
  """Two hidden layers of 256 with ReLU on the flattened observation."""

  LAYERS = 2

  def features(self, x: jax.Array) -> jax.Array:
    hidden = hk.nets.MLP([256] * self.LAYERS, activate_final=True)
    return hidden(x.reshape(x.shape[0], -1))


@registry.register("mlp3")
class MLP3(MLP):
  """Three hidden layers of 256 with ReLU (Craftax_Baselines' networks of bonuses)."""

  LAYERS = 3


@registry.register("flat")
class Flat(Torso):
  """No encoder: the latent is the flattened observation itself, for vectors that need none."""

  def __call__(
    self, observation: jax.Array, key: jax.Array | None = None, training: bool = False
  ) -> jax.Array:
    x = preprocess(self.spec, observation)
    x = x.reshape(x.shape[0], -1)
    if x.shape[-1] != self.size:
      raise ValueError(
        f"the flat torso makes latents of {x.shape[-1]} numbers; give --latent-size {x.shape[-1]}."
      )
    return x


@registry.register("conv")
class Conv(Torso):
  """The small three-layer network of DQN (Mnih et al. 2015): 32x8/4, 64x4/2, 64x3/1.

  Without padding, as in the paper. Its hidden layer of 512 units is the latent, of size 512.
  """

  def features(self, x: jax.Array) -> jax.Array:
    self._require_image(x)
    if min(x.shape[1:3]) < 36:
      raise ValueError(
        f"the conv torso needs 36x36 pixels; the image is {x.shape[1]}x{x.shape[2]}."
      )
    for channels, kernel, stride in ((32, 8, 4), (64, 4, 2), (64, 3, 1)):
      x = jax.nn.relu(Conv2D(channels, kernel, stride)(x))
    return x


@registry.register("patch")
class Patch(Torso):
  """One linear map shared by all cells of a grid image, then a hidden layer over all cells.

  A convolution whose stride is its kernel (ViT's patch embedding, arXiv 2010.11929), with the patch
  set to the observation's cell: an image of a grid holds no more than which thing is in which cell.
  """

  CELL_FEATURES = 16
  HIDDEN = 256

  def features(self, x: jax.Array) -> jax.Array:
    self._require_image(x)
    side = self.spec.side if isinstance(self.spec, Cells) else 8
    n, h, w, c = x.shape
    if h % side or w % side:
      raise ValueError(f"the patch torso cuts {side}-pixel cells; the image is {h}x{w}.")
    cells = x.reshape(n, h // side, side, w // side, side, c).swapaxes(2, 3)
    cells = jax.nn.relu(
      hk.Linear(self.CELL_FEATURES, name="cell")(cells.reshape(n, -1, side**2 * c))
    )
    hidden = hk.Linear(self.HIDDEN, name="hidden")(cells.reshape(n, -1))
    return jax.nn.relu(hk.LayerNorm(-1, True, True, name="norm")(hidden))


class StandardisedConv2D(hk.Module):
  """A 3x3 convolution with standardised weights: (W - mean) / sqrt(var * fan_in) * gain.

  Qiao et al. 2019 (arXiv 1903.10520), in the scaled form of Brock et al. 2021 (arXiv 2101.08692).
  """

  def __init__(self, channels: int, name: str | None = None):
    super().__init__(name=name)
    self.channels = channels

  def __call__(self, x: jax.Array) -> jax.Array:
    shape = (3, 3, x.shape[-1], self.channels)
    fan_in = float(np.prod(shape[:-1]))
    w = hk.get_parameter("w", shape, init=hk.initializers.VarianceScaling())
    gain = hk.get_parameter("gain", (self.channels,), init=jnp.ones)
    bias = hk.get_parameter("bias", (self.channels,), init=jnp.zeros)
    mean, var = jnp.mean(w, axis=(0, 1, 2)), jnp.var(w, axis=(0, 1, 2))
    w = (w - mean) * jax.lax.rsqrt(jnp.maximum(var * fan_in, 1e-4)) * gain
    return convolution(jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), w) + bias


@registry.register("resnet")
class ResNet(Torso):
  """The five-section residual network of BYOL-Explore: 16, 32, 32, 32, 32 channels, GroupNorm(1).

  A section is IMPALA's (Espeholt et al. 2018): convolution, normalisation, 3x3/2 max pooling, two
  residual blocks (arXiv 2206.08332, appendix).
  """

  SECTIONS = (16, 32, 32, 32, 32)
  BLOCKS = 2

  # Static, as Haiku names the modules that a method of a module makes anew at each of its calls.
  @staticmethod
  def conv(channels: int) -> Callable[[jax.Array], jax.Array]:
    return Conv2D(channels, 3, padding=1)

  def features(self, x: jax.Array) -> jax.Array:
    self._require_image(x)
    for channels in self.SECTIONS:
      x = hk.GroupNorm(1)(self.conv(channels)(x))
      x = hk.max_pool(x, (1, 3, 3, 1), (1, 2, 2, 1), "SAME")
      for _ in range(self.BLOCKS):
        y = self.conv(channels)(jax.nn.relu(x))
        x = x + self.conv(channels)(jax.nn.relu(hk.GroupNorm(1)(y)))
    return jax.nn.relu(x)


@registry.register("resnet_ws")
class WeightStandardisedResNet(ResNet):
  """The residual network with weight-standardised convolutions, BYOL's batch-free recipe."""

  @staticmethod
  def conv(channels: int) -> Callable[[jax.Array], jax.Array]:
    return StandardisedConv2D(channels)


@registry.register("siamese")
class Siamese(Torso):
  """One encoder for what is seen and for the goal, of observations [2, *O] of envs/goals.

  The latent is the pair of both latents, each of half its size, by the torso that fits one view.
  """

  def __call__(
    self, observation: jax.Array, key: jax.Array | None = None, training: bool = False
  ) -> jax.Array:
    shape = self.spec.shape[1:]
    if self.spec.shape[:1] != (2,) or self.size % 2:
      raise ValueError(
        f"the siamese torso reads a view and a goal [2, ...] into latents of even size; the"
        f" observation is {self.spec.shape}, the latent {self.size}."
      )
    spec = one_view(self.spec)
    torso = registry.get(automatic(spec))(spec, self.size // 2, name="view")
    return torso(observation.reshape(-1, *shape)).reshape(-1, self.size)


@registry.register("goal_mlp")
class GoalMLP(Torso):
  """Two small networks, one for what is seen and one for the goal, of observations [2, N].

  Each has two hidden layers of 64 with tanh (GO-FRESH's code, arXiv 2301.02099), and half of the
  latent as its output: a fifteenth of the work of `siamese` on vectors.
  """

  HIDDEN = 64

  def __call__(
    self, observation: jax.Array, key: jax.Array | None = None, training: bool = False
  ) -> jax.Array:
    if self.spec.shape[:1] != (2,) or len(self.spec.shape) != 2 or self.size % 2:
      raise ValueError(
        "the goal_mlp torso reads vectors, a view and a goal [2, N], into latents of even size; the"
        f" observation is {self.spec.shape}, the latent {self.size}: else give --torso siamese."
      )
    x = preprocess(self.spec, observation).reshape(len(observation), 2, -1)
    sizes = [self.HIDDEN, self.HIDDEN, self.size // 2]
    halves = [
      hk.nets.MLP(sizes, activation=jnp.tanh, name=name)(x[:, place])
      for place, name in enumerate(("seen", "goal"))
    ]
    return jnp.concatenate(halves, axis=-1)


def one_view(spec: specs.Array) -> specs.Array:
  """The spec of one of the two views of an observation [2, *O]."""
  if isinstance(spec, specs.BoundedArray):
    low, high = (np.broadcast_to(x, spec.shape)[0] for x in (spec.minimum, spec.maximum))
    return specs.BoundedArray(spec.shape[1:], spec.dtype, low, high, spec.name)
  return specs.Array(spec.shape[1:], spec.dtype, spec.name)


def automatic(spec: specs.Array) -> str:
  """The torso that fits a leaf: `patch` for grids of cells, `resnet` for other images, `words` for
  text."""
  if isinstance(spec, Cells | Tokens):
    return "patch" if isinstance(spec, Cells) else "words"
  return "resnet" if spec.dtype == np.uint8 and len(spec.shape) == 3 else "mlp"
