"""Sizes and kinds that all tasks share, so that one masked step plays every one of them."""

from __future__ import annotations

THINGS, GATES, FIXED, LINKS, COLOURS = 9, 6, 2, 6, 6
"""Of a map at most: things that can be moved, gates, boxes that cannot, links of its chain; and
colours drawn."""
AREAS, LISTED, MARKS = 5, 96, 2
"""Areas of a map, cells of one, and places that an oracle knows, at most."""

NONE, KEY, CUBE, BLOCK, BAT = range(5)
"""Kinds of things: keys and cubes are lifted, and touched to plates; cubes stand in the way and
carry what is put on them; blocks are pushed; a bat is lifted, and strikes what lies high."""
WORDS = ("key", "cube", "block", "bat")

ABSENT, LATCH, HOLD, RECESS, SPEND, ONE_WAY = range(6)
"""What a gate is opened by: nothing, a touch for good, a touch for as long as it lasts, a block of
its colour that sinks into it, a touch that uses the key up; and one that shuts behind a body."""

ROOM, CHAMBER, DOOR, SUNKEN, STRIP, FAR, CHASM = range(7)
"""Kinds of floor: a strip costs who comes upon it, and `FAR` is what lies behind an obstacle."""

EVENTS = (
  "lifted",
  "first lifted",
  "second lifted",
  "stacked",
  "pushed",
  "struck",
  "across",
  "far",
  "climbed",
  "opened",
  "second opened",
  "third opened",
  "apple",
)
"""What may be a link of a chain; see `rules.events`."""
