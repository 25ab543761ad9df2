"""The playroom's rules one by one, what its instruction says, and that its tasks can be solved."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from envs import conformance
from envs.adapters import to_dm_env
from envs.first_person import body
from envs.first_person.playroom import environment, nouns, oracle, room
from envs.first_person.playroom.environment import ZipfPlayroom

advance = environment._advance


def began(rank=3, seed=0, **settings):
  return ZipfPlayroom(**settings).reset_to(jax.random.key(seed), rank)[0]


def facing(state, thing, away=1.0):
  """The body west of a thing, which it looks at, with nothing else near."""
  foot = jnp.float32([[3.5 + 2 * k, 13.5, 0] for k in range(6)]).at[thing].set([8.5, 8.5, 0])
  pose = body.Pose(jnp.float32(8.5 - away), jnp.float32(8.5), jnp.float32(0), jnp.int32(0))
  corners = jnp.float32([[4.5, 4.5], [12.5, 4.5], [12.5, 11.5]])
  return state._replace(foot=foot, pose=pose, furniture=corners, turned=jnp.zeros(3, bool))


def use(state, task):
  state, reward, terminated = advance(state, jnp.int32(body.USE), task)
  return state, float(reward), bool(terminated)


def test_lifting_the_target_pays_and_ends_and_lifting_another_only_ends():
  assert use(facing(began(), 0), "lift")[1:] == (1.0, True)
  assert use(facing(began(), 1), "lift")[1:] == (0.0, True)


def test_what_is_too_far_or_beside_is_not_gripped():
  state = facing(began(), 0, away=1.6)
  assert use(state, "lift")[1:] == (0.0, False)
  aside = facing(began(), 0)
  aside = aside._replace(pose=aside.pose._replace(heading=jnp.int32(1)))
  assert use(aside, "lift")[1:] == (0.0, False)


def test_touching_the_target_is_finding_it():
  for thing, found in ((0, True), (1, False)):
    state = facing(began(), thing, away=0.7)
    _, reward, terminated = advance(state, jnp.int32(body.ACTIONS.index("forward")), "find")
    assert (bool(reward), bool(terminated)) == (found, found)


@pytest.mark.parametrize(
  ("place", "x", "paid"),
  # The tray is .9 wide, and the thing is .6 ahead of the body; place 2 is on it, 3 near it.
  [(2, -0.6, 1.0), (2, -1.3, 0.0), (3, -1.3, 1.0), (3, -0.6, 0.0), (3, -2.2, 0.0)],
)
def test_a_thing_is_put_on_or_near_the_tray(place, x, paid):
  state = facing(began(), 0)._replace(place=jnp.int32(place))
  state, reward, terminated = use(state, "put")
  assert (int(state.held), reward, terminated) == (0, 0.0, False)
  tray = state.furniture[1]
  state = state._replace(pose=state.pose._replace(x=tray[0] + x, y=tray[1]))
  state, reward, terminated = use(state, "put")
  assert (reward, terminated) == (paid, True)
  assert int(state.held) == room.NOTHING


def test_another_thing_put_there_pays_nothing():
  state = use(facing(began(), 1)._replace(place=jnp.int32(2)), "put")[0]
  tray = state.furniture[1]
  state = state._replace(pose=state.pose._replace(x=tray[0] - 0.6, y=tray[1]))
  assert use(state, "put")[1:] == (0.0, True)


def test_what_is_carried_is_seen_ahead_and_moves_along():
  state = use(facing(began(), 0), "put")[0]
  before = room.feet(state)[0]
  state, _, _ = advance(state, jnp.int32(body.ACTIONS.index("back")), "put")
  np.testing.assert_allclose(before - room.feet(state)[0], [0.3, 0, 0], atol=1e-5)


def test_the_instruction_names_task_target_and_place():
  env = ZipfPlayroom(task="put")
  state = began()._replace(place=jnp.int32(3))
  assert nouns.text(np.asarray(env.instruction(state))) == f"put {nouns.NOUNS[3]} near tray"
  assert nouns.text(np.asarray(ZipfPlayroom().instruction(state))) == f"lift {nouns.NOUNS[3]}"


def test_ranks_follow_the_split_and_things_are_all_different():
  env = ZipfPlayroom(objects=12)

  def things(key):
    bounds = np.cumsum(env._probabilities())[:-1]
    return env.reset_to(key, jnp.int32((jax.random.uniform(key) >= bounds).sum()))[0].things

  drawn = np.asarray(jax.jit(jax.vmap(things))(jax.random.split(jax.random.key(0), 500)))
  assert all(len(set(row)) == 12 for row in drawn.tolist())
  assert abs((drawn[:, 0] == 0).mean() - 0.62) < 0.07


def test_rare_draws_only_the_last_six():
  ranks = jax.jit(lambda k: ZipfPlayroom(split="rare").reset(k)[0].things)
  for seed in range(5):
    assert ranks(jax.random.key(seed)).min() >= nouns.COUNT - nouns.RARE


@pytest.mark.parametrize(
  ("settings", "message"),
  [
    ({"split": "rares"}, "unknown split 'rares': did you mean rare?"),
    ({"task": "lfit"}, "unknown task 'lfit': did you mean lift or find?"),
    ({"objects": 0}, "objects must be 6 or 12, got 0."),
    ({"exponent": -1.0}, "exponent must be finite and at least 0, got -1.0."),
  ],
)
def test_bad_settings_get_one_line(settings, message):
  with pytest.raises(ValueError, match="zipf/playroom") as caught:
    envs.make("zipf/playroom", **settings)
  assert str(caught.value) == f"environment 'zipf/playroom': {message}"


@pytest.mark.parametrize("task", environment.TASKS)
def test_the_oracle_solves_the_task(task):
  env = ZipfPlayroom(task=task, split="uniform")
  episodes, limit = 64, 300

  @jax.jit
  def play(keys):
    def step(carry, _):
      state, over, total = carry
      action = jax.vmap(lambda s: oracle.act(s, task))(state)
      state, reward, ended = jax.vmap(lambda s, a: environment._advance(s, a, task))(state, action)
      return (state, over | ended, total + jnp.where(over, 0, reward)), None

    start = jax.vmap(lambda k: env.reset(k)[0])(keys), jnp.zeros(episodes, bool)
    return jax.lax.scan(step, (*start, jnp.zeros(episodes)), None, limit)[0][2]

  assert play(jax.random.split(jax.random.key(2), episodes)).mean() >= 0.98


def test_the_playroom_conforms(monkeypatch):
  """The test below has it under vmap."""
  monkeypatch.setattr(conformance, "_check_scan", lambda *_: None)
  conformance.check(ZipfPlayroom(), steps=20)


def test_rooms_begin_and_go_on_under_vmap_as_alone():
  """Without their pictures, which those of caster are about."""

  def used(key, things):
    return advance(room.begin(key, things), jnp.int32(body.USE), "put")

  keys, things = jax.random.split(jax.random.key(0), 4), jnp.arange(24).reshape(4, 6)
  together = jax.jit(jax.vmap(used))(keys, things)
  for k in range(4):
    ours = jax.tree.map(lambda x, k=k: x[k], together)
    for a, b in zip(*map(jax.tree.leaves, (ours, used(keys[k], things[k]))), strict=True):
      assert conformance._close(a, b)


def test_dm_env_sees_the_tree():
  env = to_dm_env(ZipfPlayroom(), seed=0)
  observation = env.reset().observation
  assert observation["view"].shape == (64, 64, 3)
  assert observation["words"].shape == (4,)
  env.step(0)


def test_the_room_is_drawn_from_above_beside_the_view():
  picture = jax.jit(ZipfPlayroom().render)(began())
  assert picture.shape == (255, 510, 3)
  assert picture.dtype == np.uint8
