"""Awkward observations, each of a kind that people have: pictures, nests, text, masks, sizes."""

import gymnasium as gym
import numpy as np
from gymnasium import spaces as S
from quirks import Base


class Shown(Base):
  """Shows samples of its space."""

  def obs(self):
    self.observation_space.seed(int(self.np_random.integers(2**31)))
    return self.observation_space.sample()


class ChannelsFirst(Shown):
  observation_space = S.Box(0, 255, (3, 16, 20), np.uint8)


class GreyFirst(Shown):
  observation_space = S.Box(0, 255, (1, 16, 20), np.uint8)


class Frames(Shown):  # four grey frames, as FrameStackObservation gives them
  observation_space = S.Box(0, 255, (4, 16, 20), np.uint8)


class FramesFirst(Shown):  # frames of channels-first pictures
  observation_space = S.Box(0, 255, (2, 3, 16, 20), np.uint8)


class FramesLast(Shown):
  observation_space = S.Box(0, 255, (2, 16, 20, 3), np.uint8)


class Grey(Shown):
  observation_space = S.Box(0, 255, (40, 48), np.uint8)


class ChannelsLast(Shown):
  observation_space = S.Box(0, 255, (16, 20, 3), np.uint8)


class Ambiguous(Shown):
  observation_space = S.Box(0, 255, (2, 20, 3), np.uint8)


class Planes(Shown):
  observation_space = S.Box(0, 255, (9, 12, 12), np.uint8)


class FramesLastOfAll(Shown):  # [H, W, C, S]
  observation_space = S.Box(0, 255, (20, 20, 3, 4), np.uint8)


class WidePlanes(Shown):  # 16 rows, or 16 channels?
  observation_space = S.Box(0, 255, (16, 40, 32), np.uint8)


class IntegerPixels(Shown):
  observation_space = S.Box(0, 255, (20, 20, 3), np.int32)


class IntegerFirst(Shown):
  observation_space = S.Box(0, 255, (3, 20, 20), np.int64)


class IntegerGrey(Shown):
  observation_space = S.Box(0, 255, (40, 48), np.int16)


class IntegerBeyond(Base):
  observation_space = S.Box(0, 255, (20, 20, 3), np.int32)

  def obs(self):
    shown = np.zeros((20, 20, 3), np.int32)
    shown[0, 0, 0] = 256
    return shown


class SignedPicture(Shown):
  observation_space = S.Box(-128, 127, (20, 20, 3), np.int8)


class FloatPicture(Shown):
  observation_space = S.Box(0, 1, (3, 20, 20), np.float32)


class FloatInside(Shown):
  observation_space = S.Dict({"camera": FloatPicture.observation_space, "speed": S.Box(0, 1)})


class Table(Shown):  # days, things, numbers of each
  observation_space = S.Box(-np.inf, np.inf, (20, 30, 5), np.float32)


class SmallFloats(Shown):
  observation_space = S.Box(0, 1, (8, 8, 12), np.float32)


class SmallIntegers(Shown):
  observation_space = S.Box(0, 100, (7, 7, 3), np.int32)


class WideCategories(Shown):
  observation_space = S.Box(0, 255, (20_000,), np.int32)


class Deep(Shown):
  observation_space = S.Dict(
    {"a": S.Discrete(3), "b": S.Tuple((S.Box(0, 1, (2,)), S.Dict({"c": S.Box(0, 1)})))}
  )


class ManyParts(Shown):
  observation_space = S.Dict({f"p{i:02}": S.Box(0, 1) for i in range(20)})


class Memory(Shown):  # bytes that are no picture
  observation_space = S.Box(0, 255, (128,), np.uint8)


class Symbols(Shown):  # kinds of things in cells, as bytes
  observation_space = S.Box(0, 10, (5, 5, 3), np.uint8)


class EmptyDict(Shown):
  observation_space = S.Dict({"nothing": S.Box(0, 1, (0, 3)), "always": S.Text(0, min_length=0)})


class Huge(Base):
  observation_space = S.Box(-1, 1, (10_000_000,), np.float32)

  def obs(self):
    return np.zeros(10_000_000, np.float32)


class GraphInside(Shown):
  observation_space = S.Dict({"a": S.Discrete(2), "g": S.Graph(S.Box(0, 1, (2,)), None)})


class SequenceInside(Shown):
  observation_space = S.Tuple((S.Discrete(2), S.Sequence(S.Discrete(3))))


class Either(Shown):
  observation_space = S.OneOf((S.Discrete(2), S.Box(0, 1, (2,))))


class PictureInside(Shown):
  observation_space = S.Dict({"camera": S.Box(0, 255, (8, 8, 3), np.uint8), "speed": S.Box(0, 1)})


class TextInside(Shown):
  observation_space = S.Tuple((S.Box(0, 1), S.Dict({"told": S.Text(9)})))


class TextAlone(Shown):
  observation_space = S.Text(9)


class SameText(Shown):  # one string is possible
  observation_space = S.Dict(
    {"told": S.Text(2, min_length=2, charset="x"), "place": S.Box(0, 1, (2,))}
  )


class OtherText(SameText):
  def obs(self):
    return super().obs() | {"told": "no"}


class MaskInTuple(Shown):
  observation_space = S.Tuple((S.Box(0, 1), S.Dict({"action_mask": S.MultiBinary(3)})))


class MaskInInfo(Base):
  def reset(self, *, seed=None, options=None):
    return super().reset(seed=seed)[0], self.info()

  def info(self):
    return {"action_mask": np.array([1, 1, 0], np.int8)}


class MaskInReset(Base):
  def reset(self, *, seed=None, options=None):
    return super().reset(seed=seed)[0], {"action_mask": np.array([1, 1, 0], np.int8)}


class MaskInStep(Base):
  def info(self):
    return {"action_mask": np.array([1, 1, 0], np.int8)}


class MasksOfSeveral(Shown):
  observation_space = S.Dict(
    {"x": S.Box(0, 1, (2,)), "action_mask": S.Tuple((S.MultiBinary(2), S.MultiBinary(3)))}
  )


class MaskMethod(Base):  # as sb3-contrib asks for it
  def action_masks(self):
    return np.array([True, True, False])


class Masker(gym.Wrapper):  # as sb3-contrib's ActionMasker
  def action_masks(self):
    return np.array([True, True, False])


def masker():
  return Masker(MaskInInfo())


class OwnMasks(Base):
  def __init__(self, masks=3):
    super().__init__()
    self.observation_space = S.Box(-1, 1, (masks,), np.float32)

  def obs(self):
    return np.zeros(self.observation_space.shape, np.float32)


class WithMask(Base):  # of this shape, and always the same
  mask = np.array([1, 1, 0], np.int8)
  beside = S.Box(0, 1, (2,), np.float32)

  def __init__(self, render_mode=None):
    super().__init__(render_mode)
    space = S.Box(0, 1, self.mask.shape, self.mask.dtype)
    self.observation_space = S.Dict({"observation": self.beside, "action_mask": space})

  def obs(self):
    return {"observation": np.zeros(self.beside.shape, self.beside.dtype), "action_mask": self.mask}


class WideMask(WithMask):
  mask = np.ones(4, np.int8)


class NothingAllowed(WithMask):
  mask = np.zeros(3, np.int8)


class FloatMask(WithMask):
  mask = np.array([0.5, 1, 0], np.float32)


class ContinuousMask(WithMask):
  action_space = S.Box(-1, 1, (3,), np.float32)


class MaskOfSeveral(WithMask):
  action_space = S.MultiDiscrete([2, 3])
  mask = np.array([1, 0, 0, 1, 1], np.int8)

  def step(self, a):
    assert a[0] == 0, f"{a} was masked"
    assert a[1] != 0, f"{a} was masked"
    return super().step(a)


class PictureAndMask(WithMask):
  beside = S.Box(0, 255, (16, 20, 3), np.uint8)


class NothingAllowedLater(WithMask):
  def obs(self):
    return super().obs() | {"action_mask": np.full(3, self.t == 0, np.int8)}


class NothingAtTheEnd(NothingAllowedLater):
  length = 1


class DeclaredChoices(WithMask):  # a mask declared as three choices of two
  def __init__(self, render_mode=None):
    super().__init__(render_mode)
    choices = S.MultiDiscrete([2, 2, 2])
    self.observation_space = S.Dict({"observation": self.beside, "action_mask": choices})


class FirstInside(Shown):
  observation_space = S.Dict({"eyes": S.Dict({"left": S.Box(0, 255, (3, 16, 20), np.uint8)})})


class ReservedName(Shown):
  observation_space = S.Dict({"vector": S.Box(0, 255, (8, 8, 3), np.uint8), "x": S.Box(0, 1)})


class FewTexts(Base):
  observation_space = S.Dict({"told": S.Text(1, charset="ab"), "x": S.Box(0, 1)})
  text = "b"

  def obs(self):
    return {"told": self.text, "x": np.zeros(1, np.float32)}


class UnknownWord(FewTexts):
  text = "c"


class NoText(FewTexts):
  text = 3


class LateLeaf(Base):
  observation_space = S.Dict({"a": S.Box(0, 1)})

  def obs(self):
    shown = {"a": np.zeros(1, np.float32)}
    return shown | ({"b": shown["a"]} if self.t else {})


class MissingKey(Shown):
  observation_space = S.Dict({"a": S.Discrete(2), "b": S.Discrete(2)})

  def obs(self):
    return {"a": 0}


class MoreKeys(MissingKey):
  def obs(self):
    return {"a": 0, "b": 1, "c": 2}


class FloatPixels(ChannelsLast):  # 0 to 1 where bytes are declared
  def obs(self):
    return np.zeros((16, 20, 3), np.float32)


class WideFloats(Base):  # float64 for float32 is fine
  def obs(self):
    return np.zeros(3)


class WrongCategory(Base):
  observation_space = S.Discrete(3)

  def obs(self):
    return 3


class WrongCategoryInside(Base):
  observation_space = S.Dict({"where": S.Discrete(3), "kinds": S.MultiDiscrete([2, 3])})

  def obs(self):
    return {"where": 3, "kinds": [0, 0]}


class BelowBounds(Base):
  observation_space = S.Box(-3, 3, (2,), np.int8)

  def obs(self):
    return np.array([-4, 0], np.int8)


class LaterWrong(Base):  # right at the reset, wrong after it
  def step(self, a):
    return np.zeros((3, 1), np.float32), *super().step(a)[1:]


class LongReset(Base):
  def reset(self, *, seed=None, options=None):
    return (*super().reset(seed=seed), {})


class NoInfo(Base):  # seeds, but returns the observation alone
  def reset(self, *, seed=None, options=None):
    return super().reset(seed=seed)[0]


gym.register("QuirkSpaces-v0", entry_point="quirks_spaces:ChannelsFirst", max_episode_steps=5)
