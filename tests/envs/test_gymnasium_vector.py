"""Many environments at once, as gymnasium vectorises them."""

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from envs.adapters import to_gymnasium_vector
from envs.gymnasium_entry import register_all
from envs.hard.deep_sea import DeepSea
from envs.probes import probes
from tests.worlds_of_trees import OneLeafTells

register_all()
pytestmark = pytest.mark.filterwarnings("error")


def test_a_vector_resets_on_the_next_step():
  venv = to_gymnasium_vector(probes.Truncation(2), 3)
  assert venv.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
  first, _ = venv.reset(seed=0)
  steps = [venv.step(np.zeros(3, int)) for _ in range(4)]
  assert [s[3].tolist() for s in steps] == [[t] * 3 for t in (False, True, False, False)]
  assert not any(s[2].any() for s in steps)
  assert [s[1].tolist() for s in steps] == [[r] * 3 for r in (1.0, 1.0, 0.0, 1.0)]
  np.testing.assert_array_equal(steps[2][0], first)


def test_a_vector_tells_termination():
  venv = to_gymnasium_vector(probes.Termination(2), 1)
  venv.reset(seed=0)
  flags = [venv.step(np.zeros(1, int))[2:4] for _ in range(2)]
  assert [(bool(a[0]), bool(b[0])) for a, b in flags] == [(False, False), (True, False)]


def test_the_environments_of_a_vector_differ_and_a_seed_fixes_them():
  venv = to_gymnasium_vector(probes.ObservationReward(), 16)
  first, again, other = (venv.reset(seed=s)[0] for s in (1, 1, 2))
  np.testing.assert_array_equal(first, again)
  assert (first != other).any()
  assert len(np.unique(first)) == 2


@pytest.mark.parametrize("actions", [[0, 2], [0], [0.0, 1.0], [[0, 1]]])
def test_wrong_actions_of_a_vector_are_refused(actions):
  venv = to_gymnasium_vector(DeepSea(3), 2)
  venv.reset(seed=0)
  with pytest.raises(ValueError, match="action"):
    venv.step(actions)


def test_a_vector_renders_one_picture_an_environment():
  venv = gymnasium.make_vec("rarebird/deep_sea-v0", num_envs=2, size=3, render_mode="rgb_array")
  venv.reset(seed=0)
  assert [picture.shape for picture in venv.render()] == [(24, 24, 3)] * 2


def test_gymnasiums_vector_wrappers_work():
  venv = gymnasium.wrappers.vector.RecordEpisodeStatistics(
    to_gymnasium_vector(probes.Termination(2), 2)
  )
  venv.reset(seed=0)
  venv.step(np.zeros(2, int))
  *_, info = venv.step(np.zeros(2, int))
  assert info["episode"]["r"].tolist() == [2.0, 2.0]


def test_leaves_of_many_environments_are_batched():
  env = to_gymnasium_vector(OneLeafTells("text"), 3)
  observation, _ = env.reset(seed=0)
  assert env.observation_space.contains(observation)
  assert observation["picture"].shape == (3, 8, 8, 1)
  observation, *_ = env.step(np.zeros(3, np.int32))
  assert observation["text"].shape == (3, 3)
