"""What is to run: settings, cells and trials."""

import dataclasses
import json

import pytest

from agents import bonuses, objectives
from agents.torsos import torso as torsos
from experiments.compare import plan
from experiments.compare.plan import Cell, Trial
from experiments.settings import compare as compare_config
from experiments.settings import stored
from experiments.settings.compare import CompareConfig
from experiments.settings.errors import UserError


def test_weights_are_tried_only_beside_a_reward(small):
  config = dataclasses.replace(small, envs=("deep_sea?size=4", "maze/nine_rooms"), tune=True)
  envs = plan.environments(config)
  tuned = plan.tuned(config, envs, plan.cells(config, envs))
  assert tuned == [Cell("byol_explore", "deep_sea?size=4")]


def test_cells_come_environment_by_environment(small):
  config = dataclasses.replace(small, envs=("deep_sea?size=4", "deep_sea?size=5"))
  envs = plan.environments(config)
  assert [env.size for env in envs.values()] == [4, 5]
  assert plan.cells(config, envs) == [
    Cell("none", "deep_sea?size=4"),
    Cell("byol_explore", "deep_sea?size=4"),
    Cell("none", "deep_sea?size=5"),
    Cell("byol_explore", "deep_sea?size=5"),
  ]


def test_all_takes_every_bonus_and_counts_of_true_places_where_they_are_known(small):
  config = dataclasses.replace(
    small, bonuses=("all",), envs=("maze/nine_rooms", "probe/constant_reward")
  )
  cells = plan.cells(config, plan.environments(config))
  names = set(bonuses.registry.names())
  assert {cell.variant for cell in cells if cell.env == "maze/nine_rooms"} == names
  without = {cell.variant for cell in cells if cell.env != "maze/nine_rooms"}
  assert without == names - {"oracle_counts"}
  assert cells[0].variant == "none"


def test_a_host_environment_is_told_to_be_trained_one_by_one(small):
  config = dataclasses.replace(small, envs=("gym:CartPole-v1",))
  with pytest.raises(UserError, match=r"runs on the host.*rarebird train"):
    plan.environments(config)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"bonuses": ()}, "--bonuses"),
    ({"envs": ("deep_sea", "deep_sea")}, "each once"),
    ({"weights": ()}, "--weights"),
    ({"seeds": 0}, "--seeds is 0"),
    ({"curve_points": 0}, "--curve-points is 0"),
    ({"tuning_share": 0.0}, "--tuning-share"),
  ],
)
def test_what_no_comparison_can_be_made_of_is_refused(small, change, message):
  with pytest.raises(UserError, match=message):
    compare_config.check(dataclasses.replace(small, **change))


def test_a_curve_has_its_points_and_tuning_its_share(small):
  run = small.train_config("none", "deep_sea?size=4")
  assert (run.log_updates, small.rows(run), small.tuning_rows(run)) == (5, 5, 2)
  longer = dataclasses.replace(small, steps=small.steps + 1)
  run = longer.train_config("none", "deep_sea?size=4")
  assert longer.rows(run) == run.eval_rows == 6
  assert longer.rows(run) * longer.steps_per_row(run) >= longer.steps


@pytest.mark.parametrize(
  ("seeds", "weights", "expected"),
  [
    (2, (1.0, 2.0), [[(1.0, 1007), (2.0, 1007)]]),
    (3, (1.0, 2.0), [[(1.0, 1007), (2.0, 1007), (2.0, 1007)]]),
    (4, (1.0, 2.0), [[(1.0, 1007), (2.0, 1007), (1.0, 1008), (2.0, 1008)]]),
    (2, (1.0, 2.0, 3.0), [[(1.0, 1007), (2.0, 1007)], [(3.0, 1007), (3.0, 1007)]]),
  ],
)
def test_trials_fill_the_program_of_the_comparison(small, seeds, weights, expected):
  config = dataclasses.replace(small, seed=7, seeds=seeds, weights=weights)
  assert plan.trials(config) == [[Trial(*trial) for trial in batch] for batch in expected]


def test_differences_name_what_may_not_change(small):
  old = json.loads(small.to_json())
  other = dataclasses.replace(small, out="elsewhere", checkpoint_rows=9)
  assert compare_config.differences(old, other) == []
  other = dataclasses.replace(small, seeds=9)
  assert compare_config.differences(old, other) == ["seeds was 2, now 9"]
  few = {"format": stored.FORMAT, "seeds": 2}
  assert compare_config.differences(few, other)[0].startswith("seeds was 2, now 9")


def test_a_comparison_of_another_version_is_not_resumed(small):
  with pytest.raises(stored.OtherFormatError, match=r"made by Rarebird 0\.1"):
    compare_config.differences({"seeds": 2}, small)


def test_any_choice_is_varied_each_with_its_settings(small):
  config = dataclasses.replace(small, vary=("objective", "vmpo", "ppo?clip=0.3"))
  cells = plan.cells(config, plan.environments(config))
  assert [cell.variant for cell in cells] == ["vmpo", "ppo?clip=0.3"]
  runs = [config.train_config(cell.variant, cell.env) for cell in cells]
  assert runs[0].agent == config.agent
  assert runs[1].agent.objective == objectives.registry.choice("ppo", clip=0.3)
  assert config.baseline([cell.variant for cell in cells]) == "vmpo"
  assert plan.tuned(dataclasses.replace(config, tune=True), {}, cells) == []


@pytest.mark.parametrize(
  ("vary", "read", "expected"),
  [
    (("bonus", "rnd?size=8"), lambda run: run.agent.bonus.settings.size, [8]),
    (("core", "gru", "lstm"), lambda run: run.agent.world_model.core.name, ["gru", "lstm"]),
    (("torso", "mlp"), lambda run: run.agent.world_model.torso.name, ["mlp"]),
    (("optimiser", "sgd"), lambda run: run.agent.optimiser.name, ["sgd"]),
    (
      ("auxiliary", "none", "byol?weight=2"),
      lambda run: [(loss.name, loss.settings.weight) for loss in run.agent.auxiliary],
      [[], [("byol", 2.0)]],
    ),
    (
      ("planner", "none", "lookahead?depth=2"),
      lambda run: getattr(run.agent.planner.settings, "depth", None),
      [None, 2],
    ),
    (("agent", "soft_q", "sac"), lambda run: run.agent_name, ["soft_q", "sac"]),
  ],
)
def test_what_is_varied_differs(small, vary, read, expected):
  config = dataclasses.replace(small, vary=vary)
  runs = [config.train_config(name, "deep_sea?size=4") for name in config.names]
  assert [read(run) for run in runs] == expected


def test_another_agent_keeps_what_was_changed_of_the_first(small):
  config = dataclasses.replace(small, vary=("agent", "soft_q?learning_rate=0.5"))
  agent = config.train_config(config.names[0], "deep_sea?size=4").agent
  assert (agent.objective.name, agent.learning_rate) == ("soft_q", 0.5)
  assert agent.batch_size == small.agent.batch_size
  assert agent.world_model.latent_size == small.agent.world_model.latent_size


def test_varied_agents_keep_the_methods_that_were_given(small):
  torso, objective = torsos.registry.choice("linear"), objectives.registry.choice("ppo")
  model = dataclasses.replace(small.agent.world_model, torso=torso)
  agent = dataclasses.replace(small.agent, world_model=model, objective=objective)
  config = dataclasses.replace(
    small, agent=agent, vary=("agent", "byol_explore?horizon=1", "soft_q"), auxiliaries=()
  )
  first, other = (config.train_config(name, "catch").agent for name in config.names)
  assert (first.objective, first.world_model.torso) == (objective, torso)
  assert first.world_model.horizon == 1
  assert (other.objective.name, other.world_model.torso) == ("soft_q", torso)


def test_an_agent_without_a_world_model_takes_what_it_has(small):
  usual = CompareConfig.of(small.agent_name)
  config = dataclasses.replace(usual, vary=("agent", "sac"))
  assert config.train_config("sac", "catch").agent.objective.name == "sac"


@pytest.mark.parametrize(
  ("vary", "message"),
  [
    (("bonuses", "rnd"), "name first what is varied, one of bonus, objective"),
    (("objective",), "name at least one"),
    (("objective", "ppo", "ppo"), "each once"),
    (("objective", "pppo"), "did you mean ppo"),
    (("auxiliary", "sinkhorn"), "unknown auxiliary 'sinkhorn'"),
    (("agent", "fresh"), "learns from a dataset"),
    (("agent", "soft_q?sice=1"), "soft_q has no setting 'sice'"),
  ],
)
def test_what_cannot_be_varied_is_told(small, vary, message):
  config = dataclasses.replace(small, vary=vary, bonuses=CompareConfig.bonuses)

  def plan_it():
    compare_config.check(config)
    config.train_config(config.names[0], "deep_sea?size=4")

  with pytest.raises(UserError, match=message):
    plan_it()


def test_bonuses_are_short_for_varying_the_bonus(small):
  with pytest.raises(UserError, match="--bonuses is short for --vary bonus"):
    compare_config.check(dataclasses.replace(small, vary=("bonus", "rnd")))
