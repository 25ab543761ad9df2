"""A short clip of the agent: one of its episodes as a looping GIF."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import jax
import numpy as np

from agents.agent import Agent
from envs.capabilities import HasRender
from envs.environment import Environment
from envs.errors import RAISED, Failure
from envs.host.environment import HostEnvironment
from experiments.acting import rollout
from experiments.acting.policy import ActingPolicy, AgentPolicy
from experiments.evaluation import attention, clip_frames, host_clips
from experiments.evaluation.attention import Watch
from experiments.evaluation.clip_frames import MAX_STEPS, UNDRAWN, Episode, NoClip
from experiments.runs.files import write_atomically

EPISODES = 16
"""Episodes played, of which one is shown."""
Choosing = Callable[[np.ndarray, np.ndarray], Sequence[int]]
"""(success, bool [E], length, int [E]) -> the episodes that are drawn."""


def choose(success: np.ndarray, length: np.ndarray) -> int:
  """Index of the episode worth showing: of median length among successes, else the longest.

  Args:
    success: bool [E].
    length: int [E].
  """
  if not success.any():
    return int(np.argmax(length))
  successes = np.flatnonzero(success)
  return int(successes[np.argsort(length[successes], kind="stable")[len(successes) // 2]])


class Played(Protocol):
  """What is played: an environment, and an agent for it."""

  @property
  def env(self) -> Environment | HostEnvironment:
    """The environment."""

  @property
  def agent(self) -> Agent:
    """The agent."""


def write_episode(
  path: Path,
  experiment: Played,
  variables: Any,
  clock: Callable[[], float] = time.monotonic,
  attends: bool = False,
) -> None:
  """Plays a few episodes of the first split with the first seed's agent; one is a looping GIF.

  Left, where observations are pixels, what the agent sees; right, `env.render`. The same variables
  give the same file, of at most about 1 MB, unless drawing is slow: of long episodes not every step
  is shown.

  Args:
    path: of the GIF, put there in one move.
    experiment: the run.
    variables: the agent's, with a leading axis of seeds.
    clock: gives seconds; it bounds the work on the host.
    attends: whether what the encoder looks at is drawn beside it.

  Raises:
    NoClip: with nothing written, if the environment cannot be rendered or fails.
    UserError: if the encoder has no attention to draw.
  """
  env, agent = experiment.env, experiment.agent
  watch = attention.watch(env, agent) if attends else None
  first = agent.on_task(jax.tree.map(lambda x: x[0], variables))
  if isinstance(env, Environment):
    env = next(iter(env.splits().values()))
    episode = player(env, agent, watch)(first)
  else:
    if env.failures:
      raise NoClip(
        f"worker processes of this environment died or got stuck ({env.failures} times), and a clip"
        " is played in the process of the run"
      )
    seed, length = host_clips.find(env, AgentPolicy(agent), first, clock)
    episode = host_clips.draw(env, AgentPolicy(agent), first, seed, length, clock, watch)
  write_atomically(path, clip_frames.encode(episode))


def player(env: Environment, agent: Agent, watch: Watch | None = None) -> Callable[[Any], Episode]:
  """Returns variables of one seed -> the one of `EPISODES` that `choose` takes; see
  `episodes_player`.

  Raises:
    NoClip: if the environment cannot be rendered.
  """
  play = episodes_player(env, AgentPolicy(agent), EPISODES, clip_frames.MAX_FRAMES, watch)
  return lambda variables: next(play(variables, lambda *told: [choose(*told)]))


def episodes_player(
  env: Environment, policy: ActingPolicy, count: int, frames: int, watch: Watch | None = None
) -> Callable[[Any, Choosing], Iterator[Episode]]:
  """Returns what plays episodes of a functional environment from a fixed key and draws some.

  It takes the policy's variables, and which of the `count` episodes are drawn. Made once, it is
  compiled once.

  Args:
    env: which is played.
    policy: who plays.
    count: of episodes, side by side.
    frames: steps of an episode that are drawn, about.
    watch: what tells what the encoder looks at, which is then drawn too.

  Raises:
    NoClip: if the environment cannot be rendered.
  """
  _check_drawn(env)
  assert isinstance(env, HasRender)
  limit = min(env.max_episode_steps, MAX_STEPS)
  render = jax.jit(jax.vmap(env.render))

  @jax.jit
  def play(variables: Any, pick: jax.Array) -> tuple[rollout.Episodes, rollout.Recording]:
    def arrivals(acting: rollout.Acting) -> Any:
      state, observation = jax.tree.map(
        lambda x: x[pick], (acting.env_state, acting.timestep.observation)
      )
      if watch is None:
        return state, clip_frames.picture(env, observation), None
      alone = jax.tree.map(lambda x: x[None], observation)
      return state, *jax.tree.map(lambda x: x[0], watch(variables, alone))

    recorder = rollout.Recorder(arrivals, lambda step: step.after.timestep.reward)
    return rollout.episodes(env, policy, variables, count, jax.random.key(0), recorder, limit)

  def episodes(variables: Any, choosing: Choosing) -> Iterator[Episode]:
    scores, _ = jax.device_get(play(variables, 0))
    success = np.zeros(count, bool) if scores.success is None else scores.success
    for pick in choosing(success, scores.length):
      # Played again, for states and pictures of all episodes could fill the memory.
      _, recording = play(variables, pick)
      states, seen, weights = recording.arrivals
      length = int(scores.length[pick])
      steps = clip_frames.every(length, -(-length // frames))
      rendered = render(jax.tree.map(lambda x, steps=steps: x[steps], states))
      returns = np.cumsum(np.append(0.0, np.asarray(recording.steps)[:, pick]), dtype=np.float32)
      yield Episode(
        steps,
        np.asarray(rendered),
        None if seen is None else np.asarray(seen[steps]),
        returns[steps],
        length,
        bool(success[pick]) if math.isfinite(env.success_return) else None,
        attention=None if weights is None else np.asarray(weights[steps]),
      )

  return episodes


def _check_drawn(env: Environment) -> None:
  if not isinstance(env, HasRender):
    raise NoClip(UNDRAWN)
  try:
    picture = jax.eval_shape(lambda key: env.render(env.reset(key)[0]), jax.random.key(0))
  except NotImplementedError:
    raise NoClip(UNDRAWN) from None
  except RAISED as error:
    raise NoClip(f"render() raised {Failure.of(error)}") from error
  if getattr(picture, "dtype", None) != np.uint8 or picture.shape[2:] != (3,):
    raise NoClip(f"render() returned {picture}, not uint8 [H, W, 3]")
