"""Observations of awkward kinds, as `rarebird train` tells of them."""

import json

import pytest

SERIAL = "--env-args", "stepping=serial"


@pytest.mark.parametrize(
  ("env", "words"),
  [
    ("quirks_spaces:NothingAllowed", "at step 0 of its episode: it allows no action"),
    ("quirks_spaces:WideMask", "has 4 entries"),
    ("quirks:WrongShape", "observation has shape (5,); declared is (3,)"),
    ("quirks:OldReset", "OldReset.reset() takes no seed"),
    ("quirks_spaces:SequenceInside", "observation[1] is a Sequence space"),
    ("quirks_spaces:Huge", "shows 10,000,000 numbers at a time"),
    ("quirks_spaces:WideCategories", "shows 5,120,000 numbers at a time, its categories one-hot"),
    ("gym:no_such:X-v0", "cannot import module 'no_such'"),
    ("CartPole-v1", "did you mean gym:CartPole-v1?"),
  ],
)
def test_what_no_agent_can_read_is_refused_before_anything_starts(train_here, env, words):
  ended = train_here("--env", env, *(SERIAL if env != "CartPole-v1" else ()))
  assert ended.status == 2
  assert ended.err.startswith("rarebird: ")
  assert ended.err.count("\n") == 1
  assert words in ended.err
  assert not ended.run.exists()


@pytest.mark.parametrize(
  ("env", "note"),
  [
    ("quirks:Empty", "note: there is nothing to observe"),
    ("quirks_spaces:ChannelsFirst", "[C, H, W] = (3, 16, 20)"),
    ("quirks_dm:Dm", "note: the agent sees a vector of 5 numbers: b [2, 2], a []"),
    ("quirks_spaces:SameText", "note: observation['told'] is left out"),
  ],
)
def test_what_the_agent_sees_otherwise_is_said_at_the_start(train_here, env, note):
  ended = train_here("--env", env, "--torso", "mlp", *SERIAL)
  assert ended.status == 0, ended.err
  assert note in " ".join(ended.out.split())


@pytest.mark.parametrize(
  ("env", "note"),
  [
    ("quirks:TextDict", "observation['mission'] is text"),
    ("quirks:Masked", "a vector of 3 numbers: obs [3]"),  # which dies at a masked action
    ("quirks_spaces:MaskOfSeveral", None),
    ("quirks_spaces:PictureInside", "a vector of 1 numbers: speed [1]"),
  ],
)
def test_text_masks_and_pictures_among_other_things_train(train_here, env, note):
  ended = train_here("--env", env, "--torso", "linear", *SERIAL)
  assert ended.status == 0, ended.err
  assert note is None or note in " ".join(ended.out.split())


def test_words_that_are_not_known_are_in_the_log(train_here):
  ended = train_here("--env", "quirks_spaces:UnknownWord", "--torso", "linear", *SERIAL)
  assert ended.status == 0, ended.err
  rows = [json.loads(line) for line in (ended.run / "metrics.jsonl").read_text().splitlines()]
  assert all(row["unknown_words"] > 0 for row in rows)
