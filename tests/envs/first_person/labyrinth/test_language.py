"""Instructions, and what fits them, against a slow reading of the words."""

import jax.numpy as jnp
import numpy as np
import pytest

from envs.first_person.draws import permutation
from envs.first_person.labyrinth import language, looks, maps, words
from envs.first_person.scene import N
from tests.envs.first_person.labyrinth.play import begin, here, row, slots, touch


def things_of(start):
  """(shape, colour, x, y) of each thing that is there, by slot."""
  things = start.things
  return {
    slot: (
      looks.SHAPES[int(things.shape[slot])],
      looks.COLOUR_NAMES[int(things.colour[slot])],
      float(things.x[slot]),
      float(things.y[slot]),
    )
    for slot in slots(things.on)
  }


def instruction(start):
  return words.text(int(w) for w in start.words)


def is_a(thing, word):
  return word in thing[:2]


def fits(text, things, slot):
  """Whether a thing is what a command asks for."""
  parts = [part for part in text.split() if part != "every"]
  if "near" in parts:
    one, other = parts[0], parts[2]
    return is_a(things[slot], one) and any(
      is_a(t, other) and np.hypot(t[2] - things[slot][2], t[3] - things[slot][3]) <= language.NEAR
      for s, t in things.items()
      if s != slot
    )
  return all(is_a(things[slot], part) for part in parts)


def test_of_two_things_the_one_named_pays_10_the_other_costs_10_and_a_new_task_begins():
  for seed in range(5):
    start = begin("language_select_described_object", seed=seed)
    things = things_of(start)
    assert len(things) == 2
    for slot, (shape, *_) in things.items():
      outcome = touch(start, slot)
      assert float(outcome.reward) == (10 if shape == instruction(start) else -10)
      assert int(outcome.state.steps) == 1
      assert here(outcome.state) != (things[slot][2], things[slot][3])
      assert not bool(outcome.terminated)


def test_one_thing_alone_has_the_colour_and_lies_in_the_room_of_the_colour():
  name = "language_select_located_object"
  for k in range(6):
    start = begin(name, k, seed=k)
    rooms = maps.load().room[row(name, k)]
    _, colour, _, room_colour, _ = instruction(start).split()
    right = []
    for slot, (_, its_colour, x, y) in things_of(start).items():
      floor = looks.COLOUR_NAMES[int(start.colours[rooms[int(y), int(x)]])]
      right += [slot] * (its_colour == colour and floor == room_colour)
    assert slots(start.things.on & (start.things.value > 0)) == right
    assert len(right) == 1
    assert len(things_of(start)) == 2 * (rooms.max() + 1)


def test_what_a_command_asks_for_is_what_pays():
  kinds = set()
  for seed in range(60):
    start = begin("language_execute_random_task", seed=seed)
    text, things = instruction(start), things_of(start)
    right = [slot for slot in things if fits(text, things, slot)]
    assert slots(start.things.on & (start.things.value > 0)) == right
    kinds.add(("every" in text, "near" in text, len(text.split())))
  assert len(kinds) >= 4


def test_every_pays_1_each_and_10_for_the_last():
  start = next(
    start
    for seed in range(80)
    for start in [begin("language_execute_random_task", seed=seed)]
    if "every" in instruction(start) and (start.things.on & (start.things.value > 0)).sum() == 2
  )
  one, two = slots(start.things.on & (start.things.value > 0))
  first = touch(start, one)
  assert float(first.reward) == 1
  assert instruction(first.state) == instruction(start)
  assert not bool(first.state.things.on[one])
  last = touch(first.state, two)
  assert float(last.reward) == 10
  assert things_of(last.state) != things_of(first.state)
  wrong = slots(start.things.on & (start.things.value < 0))[0]
  assert float(touch(start, wrong).reward) == -10


def answer(text, things):
  """Whether the answer to a question is yes."""
  quantifier, *rest = text.split()
  asked = [t for t in things if quantifier == "anything" or t[0] == rest[0]]
  share = [t[1] == rest[-1] for t in asked]
  return {
    "all": all(share),
    "any": any(share),
    "anything": any(share),
    "most": sum(share) > len(share) / 2,
  }[quantifier]


def test_the_white_ball_is_yes_and_the_black_one_no_and_half_the_answers_are_yes():
  yes, quantifiers = 0, set()
  for seed in range(80):
    start = begin("language_answer_quantitative_question", seed=seed)
    things = things_of(start)
    assert things[language.YES][:2] == ("ball", "white")
    assert things[language.NO][:2] == ("ball", "black")
    text = instruction(start)
    right = answer(text, [t for slot, t in things.items() if slot > 1])
    assert float(start.things.value[language.YES]) == (10 if right else -10)
    assert float(start.things.value[language.NO]) == (-10 if right else 10)
    yes += right
    quantifiers.add(text.split()[0])
  assert 25 < yes < 55
  assert quantifiers == {"all", "any", "anything", "most"}


def test_things_that_a_question_is_about_do_nothing():
  start = begin("language_answer_quantitative_question")
  outcome = touch(start, 5)
  assert float(outcome.reward) == 0
  assert bool(outcome.state.things.on[5])


def test_levels_without_an_instruction_have_no_words():
  assert not np.asarray(begin("rooms_watermaze").words).any()


@pytest.mark.parametrize("name", ["language_select_described_object", "natlab_fixed_large_map"])
def test_no_two_things_and_the_agent_are_in_one_cell(name):
  for seed in range(20):
    start = begin(name, seed=seed)
    on = np.append(np.asarray(start.things.on), True)
    x = np.append(np.asarray(start.things.x), start.pose.x)[on].astype(int)
    y = np.append(np.asarray(start.things.y), start.pose.y)[on].astype(int)
    assert len(set((y * N + x).tolist())) == on.sum()


def test_a_permutation_holds_every_number_once():
  drawn = jnp.array([0.5, 0.25, 0.5, 0.0, 0.9, 0.5])
  assert permutation(drawn).tolist() == [2, 1, 3, 0, 5, 4]
