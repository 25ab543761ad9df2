"""ETD: pays for what lies many steps from all that the episode has shown.

Formula: r_t = min_k d(e(o_k), e(o_{t+1})) over the o_k that the episode held up to o_t. The
temporal distance d is a quasimetric of embeddings whose halves are x', x'':
  d(x, y) = max_i max(x'_i - y'_i, 0) + ||x'' - y''||_2.
It learns by telling what follows: for pairs (x_i, y_i) of an observation and one k steps later, k
geometric with gamma and cut at the end of the episode or trajectory, with f_ij = c(y_j) - d(x_i,
y_j) and a potential c, the loss is the mean of -log softmax_j f_ii and -log softmax_i f_ii. At its
optimum d is the successor distance, log P(y reached from y) - log P(y reached from x).
Source: Jiang et al. 2025 (arXiv 2501.15418), section 4; the distance, which is the metric residual
network of arXiv 2208.08133, the loss, gamma and sizes as in the authors' code. The distance that
its optimum is: Myers et al. 2024 (arXiv 2406.17098), section 4 (recalled). Pairs are of one
trajectory, which is shorter here than there (512 steps), so that k is; the memory is a ring of
`capacity` embeddings, and was embedded while acting, where the code embeds it anew. The code
normalises by running mean and deviation of the rewards; the shared normaliser divides by the
deviation of their returns.
Good at: worlds that are another in each episode, where counts have nothing to count; what looks
alike but lies far apart, and the other way round.
Bad at: going where no episode has been, as it forgets at every reset; short trajectories, which
show only what lies near.
Cost: a torso of its own, forward and backward; pairs^2 E for the loss; a second forward pass while
acting; distances T B to a ring of capacity x E floats an environment, which every trajectory
carries.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from agents.bonuses import embedding
from agents.bonuses.bonus import Bonus, Context, Outputs, registry
from agents.bonuses.episodic import advance, replay
from agents.bonuses.masking import masked_mean
from agents.bonuses.ring import Ring, ring
from agents.trajectory import Trajectory

HIDDEN = 256
"""Units between the torso and the embedding (the authors' code: 256)."""


@dataclasses.dataclass(frozen=True)
class ETDConfig:
  """Episodic novelty through temporal distance. Sources name the authors' code (Jackory/ETD)."""

  size: int = 32
  """Size of the embedding (64)."""
  gamma: float = 0.99
  """Of the geometric distribution of k (.99)."""
  pairs: int = 256
  """Pairs that the loss compares with each other, at most (512)."""
  capacity: int = 512
  """Embeddings that an episode's memory holds (all)."""

  def __post_init__(self) -> None:
    if self.size < 2 or self.size % 2:
      raise ValueError(f"size is {self.size}; it must be even, and at least 2.")
    if not 0.0 < self.gamma < 1.0:
      raise ValueError(f"gamma is {self.gamma}; it must lie in (0, 1).")
    if self.pairs < 2 or self.capacity < 1:
      raise ValueError("pairs must be at least 2, and capacity at least 1.")


def temporal_distance(x: jax.Array, y: jax.Array) -> jax.Array:
  """d from x to y, [...], of embeddings [..., E]; above 0, and not symmetric."""
  half = x.shape[-1] // 2
  ahead = jnp.max(jax.nn.relu(x[..., :half] - y[..., :half]), axis=-1)
  # With a constant, as the root has no gradient at 0 (the authors' code: 1e-8).
  return ahead + jnp.sqrt(jnp.sum(jnp.square(x[..., half:] - y[..., half:]), axis=-1) + 1e-8)


def steps_left(mask: jax.Array) -> jax.Array:
  """How many steps follow t within its episode and the trajectory, int32 [T, B], of its mask."""

  def body(later: jax.Array, real: jax.Array) -> tuple[jax.Array, jax.Array]:
    left = jnp.where(real, later + 1, 0)
    return left, left

  none = jnp.zeros(mask.shape[1:], jnp.int32)
  return jax.lax.scan(body, none, mask, reverse=True)[1]


def steps_ahead(left: jax.Array, gamma: float, chances: jax.Array) -> jax.Array:
  """k of each step, int32 [T, B]: P(k) proportional to gamma^k for k = 1 .. left; 0 for left = 0.

  Args:
    left: int32 [T, B].
    gamma: in (0, 1).
    chances: [T, B], uniform in [0, 1).
  """
  within = 1.0 - gamma ** left.astype(jnp.float32)
  k = jnp.ceil(jnp.log1p(-within * chances) / jnp.log(gamma)).astype(jnp.int32)
  return jnp.clip(k, jnp.minimum(left, 1), left)


def contrastive_loss(x: jax.Array, y: jax.Array, potential: jax.Array, valid: jax.Array):
  """The loss of P pairs, a scalar; 0 where none is valid.

  Args:
    x, y: [P, E].
    potential: [P], c(y).
    valid: bool [P]; others are neither pairs nor what pairs are told from.
  """
  scores = potential - temporal_distance(x[:, None], y)
  own = jnp.diagonal(scores)
  # Finite rather than -inf, for the gradients where nothing is valid.
  scores = jnp.where(valid[:, None] & valid, scores, -1e9)
  rows, columns = (jax.nn.logsumexp(scores, axis=axis) - own for axis in (1, 0))
  return 0.5 * masked_mean(rows + columns, valid)


@registry.register(
  "etd", ETDConfig, summary="temporal distance from all that the episode has shown"
)
def build(settings: ETDConfig, context: Context) -> Bonus:
  torso = embedding.build(context, HIDDEN)
  last = hk.without_apply_rng(
    hk.transform(lambda x: hk.Linear(settings.size + 1, name="last")(jax.nn.relu(x)))
  )
  memories = ring(settings.size, settings.capacity, 1, temporal_distance)

  def init(key: jax.Array) -> tuple[Any, Any]:
    torso_key, last_key = jax.random.split(key)
    params = {"torso": torso.init(torso_key), "last": last.init(last_key, jnp.zeros((1, HIDDEN)))}
    return params, ()

  def embed(params: Any, observation: Any) -> tuple[jax.Array, jax.Array]:
    """Embeddings [..., E] and potentials [...]."""
    both = last.apply(params["last"], torso.apply(params["torso"], observation))
    return both[..., :-1], both[..., -1]

  def reward(
    params: Any, statistics: Any, trajectory: Trajectory, outputs: Outputs, key: jax.Array
  ):
    del outputs, key
    embedded, _ = embed(params, trajectory.observation)
    nearest, _ = replay(memories, trajectory.memory.bonus, embedded, trajectory.first)
    # At the first step of an episode, to which no transition leads, nothing is held.
    return jnp.where(trajectory.mask, nearest[..., 0], 0.0), statistics, {}

  def loss(
    params: Any, statistics: Any, trajectory: Trajectory, outputs: Outputs, key: jax.Array
  ) -> jax.Array:
    del statistics, outputs
    embedded, potential = embed(params, trajectory.observation)
    ahead_key, choice_key = jax.random.split(key)
    left = steps_left(trajectory.mask)
    ahead = steps_ahead(left, settings.gamma, jax.random.uniform(ahead_key, left.shape))
    # Real pairs at random, before those that are none.
    order = jax.random.uniform(choice_key, left.shape) + (left > 0)
    _, chosen = jax.lax.top_k(order.reshape(-1), min(settings.pairs, left.size))
    t, b = jnp.unravel_index(chosen, left.shape)
    later = t + ahead[t, b]
    return contrastive_loss(embedded[t, b], embedded[later, b], potential[later, b], left[t, b] > 0)

  def remember(
    params: Any, statistics: Any, memory: Ring, observation: Any, first: jax.Array
  ) -> Ring:
    del statistics
    return advance(memories, memory, embed(params, observation)[0], first)

  return Bonus(
    init,
    reward,
    loss,
    scaling="return_std",
    initial_memory=memories.initial,
    remember=remember,
  )
