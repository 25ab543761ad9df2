"""cmc: against NumPy, and its views."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from agents.auxiliaries import cmc
from agents.heads import policies
from tests.agents.auxiliaries import slow

KEY = jax.random.key(0)
SETTINGS = {"gap": 1, "neighbours": 2, "projector_hidden": 8, "projector_size": 4}


def edge(one, other, weights, negatives):
  x, y = (slow.normal(slow.rows(z)) for z in (one, other))
  logits = x @ y.T / 0.1
  weights = weights.reshape(-1)
  return sum(slow.info_nce(s, weights, negatives) for s in (logits, logits.T))


@pytest.mark.parametrize("graph", ["core", "full"])
def test_cmc_equals_numpy(graph):
  method, params, state = slow.build("cmc", actions=2, graph=graph, **SETTINGS)
  inputs = slow.inputs()
  assert set(params) == {"core", "later", "actions"}
  observed = np.asarray(inputs.trajectory.observation).reshape(slow.LENGTH + 1, slow.BATCH, -1)
  action = np.eye(2)[np.asarray(inputs.trajectory.action)]
  views = {
    "core": slow.numpy(inputs.latents),
    "later": slow.ahead(observed, 1),
    "actions": np.concatenate([action, slow.ahead(action, 1)], axis=-1),
  }
  z = {name: slow.mlp(params[name], x) for name, x in views.items()}
  own = np.asarray(inputs.weights)
  weights = {"core": own} | {
    name: slow.positives(slow.firsts(), own, gap) for name, gap in (("later", 1), ("actions", 2))
  }
  edges = [("core", "later"), ("core", "actions")]
  edges += [("later", "actions")] if graph == "full" else []
  total = 0.0
  for one, other in edges:
    both = np.minimum(weights[one], weights[other])
    total += edge(z[one], z[other], both, slow.allowed(slow.firsts(), both, 2)) / len(edges)
  loss, _, _ = slow.loss(method, params, state, inputs, KEY)
  np.testing.assert_allclose(loss, total, rtol=1e-4)


class Leaves(slow.Pictures):
  def observation_spec(self):
    return {"view": slow.SPEC, "words": specs.Array((3,), np.float32)}


def test_leaves_are_views_each_by_an_encoder_of_its_own():
  env = Leaves()
  _, params, _ = slow.build("cmc", env=env, actions=0, later=False, **SETTINGS)
  assert set(params) == {"core", "leaf.view", "leaf.words"}
  inputs = slow.inputs()
  words = jnp.ones((slow.LENGTH + 1, slow.BATCH, 3))
  observation = {"view": inputs.trajectory.observation, "words": words}
  inputs = inputs._replace(trajectory=inputs.trajectory._replace(observation=observation))
  policy = policies.build(env.action_spec())
  spec = env.observation_spec()
  for name, size in (("leaf.view", 32), ("leaf.words", 3), ("later", 35)):
    x, _ = cmc.view(name, cmc.CMCConfig(), spec, policy, inputs)
    assert x.shape == (slow.LENGTH + 1, slow.BATCH, size)


def test_one_view_alone_is_refused():
  with pytest.raises(ValueError, match="auxiliary 'cmc' has one view"):
    slow.build("cmc", actions=0, later=False, **SETTINGS)
