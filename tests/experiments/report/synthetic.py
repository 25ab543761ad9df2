"""Data of a comparison that was never run, in the form in which a comparison leaves it."""

import json
from pathlib import Path

import numpy as np

BONUSES = (
  *("none", "byol_explore", "byol_hindsight", "ndigo", "rnd", "icm", "disagreement", "ngu"),
  *("e3b", "re3", "recode", "counts", "oracle_counts"),
)
ENVS = (
  *("maze/five_rooms?noise=none", "maze/five_rooms?noise=brownian", "maze/nine_rooms"),
  *("maze/nine_rooms?noise=on_demand", "deep_sea?size=20", "craftax/classic"),
)
WEIGHTS = (0.001, 0.01, 0.1)


def world(side: int, rooms: int = 3) -> dict:
  """A square map of rooms with walls and doors between them."""
  wall = np.zeros((side, side), bool)
  wall[[0, -1]] = wall[:, [0, -1]] = True
  size = (side - 1) // rooms
  for k in range(1, rooms):
    wall[k * size] = wall[:, k * size] = True
  doors = size // 2 + size * np.arange(rooms)
  for k in range(1, rooms):
    wall[k * size, doors] = wall[doors, k * size] = False
  row, column = np.indices(wall.shape)
  room = np.minimum(row // size, rooms - 1) * rooms + np.minimum(column // size, rooms - 1)
  return {
    "rows": side,
    "columns": side,
    "reachable": (~wall).ravel().tolist(),
    "rooms": np.where(wall, -1, room).ravel().tolist(),
    "reference": {"random": 0.05, "optimal": 0.95},
    "metric": "success",
  }


def walk(reachable: np.ndarray, steps: int, start: int, rng: np.random.Generator) -> np.ndarray:
  """Places of a random walk that keeps its direction most of the time."""
  side = int(np.sqrt(len(reachable)))
  places, step = [start], 1
  for _ in range(steps - 1):
    if rng.random() < 0.25 or not reachable[places[-1] + step]:
      step = int(rng.choice([1, -1, side, -side]))
    places.append(places[-1] + step * bool(reachable[places[-1] + step]))
  return np.array(places)


def write(
  folder: Path, bonuses=BONUSES, envs=ENVS, seeds=5, points=60, side=25, steps=1_000_000
) -> None:
  """Fills `folder`; the last environment has no places, and so no maps, where there are several:
  oracle_counts does not apply there.
  """
  folder.mkdir(parents=True, exist_ok=True)
  rng = np.random.default_rng(0)
  skill = {bonus: 0.25 + 0.6 * rng.random() for bonus in bonuses} | {"none": 0.2}
  maps, cells, curves, finals, instruments, tuning = {}, [], [], [], [], []
  logged = np.linspace(steps / points, steps, points).astype(int)
  for k, env in enumerate(envs):
    mapped = k < len(envs) - 1 or len(envs) == 1
    maps[env] = world(side) if mapped else {"reference": {"random": 0.02, "optimal": None}}
    maps[env]["metric"] = "success" if k % 2 == 0 else "return"
    reachable = np.array(maps[env].get("reachable", []), bool)
    for bonus in bonuses:
      if bonus == "oracle_counts" and not mapped:
        continue
      cell = {"variant": bonus, "env": env}
      cells.append(cell)
      level = np.clip(skill[bonus] + 0.2 * rng.standard_normal() * (bonus != "none"), 0.05, 0.97)
      for seed in range(seeds):
        top, half = np.clip(level + 0.07 * rng.standard_normal(), 0, 1), rng.uniform(0.2, 0.6)
        curve = top / (1 + np.exp(-10 * (logged / steps - half)))
        score = np.clip(curve + 0.02 * rng.standard_normal(points), 0, 1)
        final = {
          **cell,
          "seed": seed,
          "score": score[-1],
          "return": score[-1],
          "success": score[-1],
          "auc": score.mean(),
          "seconds": 60 * (1 + 0.1 * bonuses.index(bonus)) * (1 + 0.1 * k),
          "compile_seconds": 9.0,
          "memory_bytes": 2**28 + 2**24 * bonuses.index(bonus),
          "steps_per_second": steps / (60 * (1 + 0.1 * bonuses.index(bonus))),
          "command": f"rarebird train --bonus {bonus} --env {env} --seed {seed} --steps {steps}",
        }
        if mapped:
          far = walk(reachable, int(400 + 6000 * level), side + 1, rng)
          first = np.full(side * side, -1)
          first[far[::-1]] = (np.arange(len(far)) * steps // len(far))[::-1]
          final |= {
            "coverage": np.mean(first[reachable] >= 0),
            "rooms": len({maps[env]["rooms"][place] for place in set(far.tolist())}),
            "visits": np.bincount(far, minlength=side * side).tolist(),
            "first_visit": first.tolist(),
          }
        finals.append(final)
        for step, value in zip(logged.tolist(), score.tolist(), strict=True):
          row = cell | {"seed": seed, "step": step, "score": value, "episode/return": value}
          curves.append(row | ({"coverage": value**0.5} if mapped else {}))
      instrument = cell | {"seed": 0, "discovery_loss": None if k % 2 else 1.5 - level}
      if mapped:
        places = walk(reachable, 500, side + 1, rng)
        novel = np.array([place not in places[:t] for t, place in enumerate(places)])
        paid = 0.1 * rng.random(500) + 0.9 * novel * rng.random(500)
        paid -= 0.4 * (bonus == "ndigo") * rng.random(500)
        noise = places % side > side // 2
        instrument |= {
          "trajectory": {
            "place": places.tolist(),
            "bonus": paid.tolist(),
            "real": [True] * 500,
            "first": novel.tolist(),
            "near_noise": noise.tolist(),
          },
          "near_noise": noise.mean(),
          "bonus_familiar": paid[~novel].mean(),
          "bonus_novel": paid[novel].mean(),
        }
      instruments.append(instrument)
      if bonus != "none":
        tuning += [
          cell | {"weight": weight, "seed": seed, "score": level * (0.5 + 5 * weight)}
          for weight in WEIGHTS
          for seed in (1000, 1001)
        ]
  settings = {
    "vary": "bonus",
    "baseline": "none" if "none" in bonuses else None,
    "variants": list(bonuses),
    "envs": list(envs),
    "cells": cells,
    "seeds": list(range(seeds)),
    "steps": steps,
    "date": "2026-11-22",
    "machine": {"cpu": "a processor", "cores": 2, "devices": ["cpu:0", "cpu:1"], "jax": "0.6.2"},
    "versions": {"rarebird": "0.1.0", "jax": "0.6.2"},
    "command": f"rarebird compare --bonuses all --envs {' '.join(envs)} --seeds {seeds}",
    "agent": {
      "auxiliary": "none",
      "learning_rate": 0.0003,
      "batch_size": 32,
      "world_model.horizon": 8,
    },
    "weights": {bonus: WEIGHTS[-1] for bonus in bonuses if bonus != "none"},
  }
  (folder / "compare.json").write_text(json.dumps(settings, indent=2))
  (folder / "maps.json").write_text(json.dumps(maps))
  tables = {"curves": curves, "finals": finals, "instruments": instruments, "tuning": tuning}
  for name, rows in tables.items():
    lines = [json.dumps(row, default=lambda x: x.item()) + "\n" for row in rows]
    (folder / f"{name}.jsonl").write_text("".join(lines))
