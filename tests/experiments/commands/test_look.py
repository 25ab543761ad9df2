"""`rarebird look`: a sheet of what random play meets."""

import numpy as np
import pytest
from PIL import Image

from experiments.commands import look
from experiments.evaluation import clip_frames, clips
from experiments.settings.errors import UserError


def write(path, *arguments):
  assert look.read([*arguments, "--out", str(path)], "")() == 0
  with Image.open(path) as sheet:
    return np.asarray(sheet.convert("RGB"))


def rows(sheet):
  """Heights of the sheet's rows: words and pictures in turn, by the white lines between them."""
  dark = (sheet != 255).any((1, 2))
  edges = np.flatnonzero(np.diff(np.pad(dark, 1).astype(int)))
  return edges[1::2] - edges[::2]


def test_a_functional_environment_has_a_row_for_each_episode(tmp_path):
  sheet = write(tmp_path / "new" / "a.png", "deep_sea", "--env-args", "size=4", "--episodes", "3")
  assert sum(rows(sheet) > 60) == 3
  # Its episodes take 4 steps: five pictures, all of a size.
  assert abs(sheet.shape[1] - 5 * 96 - 4 * clip_frames.STRIP_GAP - 2 * clip_frames.MARGIN) <= 5 * 4


def test_an_environment_on_the_host_too(tmp_path):
  sheet = write(tmp_path / "a.png", "gym:CartPole-v1", "--episodes", "2", "--frames", "2")
  blocks = (sheet.reshape(len(sheet), -1) < 40).sum(1)  # the carts are black
  assert sheet.shape[1] == 2 * 144 + clip_frames.STRIP_GAP + 2 * clip_frames.MARGIN
  assert (np.diff(np.pad(blocks > 12, 1).astype(int)) == 1).sum() == 2


@pytest.mark.parametrize(
  ("arguments", "words"),
  [
    (["deep_sea", "--split", "rare"], "--split is 'rare'; deep_sea has"),
    (["gym:CartPole-v1", "--split", "rare"], "has no splits"),
    (["deep_sea", "--episodes", "0"], "--episodes is 0"),
    (["deep_sea", "--frames", "0"], "--frames is 0"),
    (["deep_see"], "deep_sea"),
  ],
)
def test_what_is_wrong_is_one_line(tmp_path, arguments, words):
  with pytest.raises(UserError, match=words) as error:
    write(tmp_path / "a.png", *arguments)
  assert "\n" not in str(error.value)
  assert not (tmp_path / "a.png").exists()


def test_a_folder_is_no_file(tmp_path):
  with pytest.raises(UserError, match=r"is a folder; give a file in it, .*look\.png\.$"):
    write(tmp_path, "deep_sea")


def test_where_it_cannot_be_written_nothing_is_played(tmp_path, monkeypatch):
  (tmp_path / "file").touch()
  monkeypatch.setattr(clips, "episodes_player", None)
  with pytest.raises(UserError, match=r"cannot write to .*a\.png: .*; give --out\.$"):
    write(tmp_path / "file" / "a.png", "deep_sea")
