"""Checkpoints of a whole run, by orbax: arrays and JSON only, so loading one executes nothing."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from experiments.runs.files import write_atomically
from experiments.settings.errors import Failed, UserError


def _is_key(x: Any) -> bool:
  return jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)


def to_arrays(tree: Any) -> Any:
  """Random keys become the integers they are made of; arrays without an element, which orbax does
  not save, are left out."""

  def convert(x: Any) -> Any:
    return jax.random.key_data(x) if _is_key(x) else x if x.size else ()

  return jax.tree.map(convert, tree)


def from_arrays(like: Any, tree: Any) -> Any:
  """What `to_arrays` was given, in the structure of `like`."""

  saved = iter(jax.tree.leaves(tree))

  def restore(old: Any) -> Any:
    if not old.size:
      return old
    new = next(saved)
    return jax.random.wrap_key_data(new, impl=jax.random.key_impl(old)) if _is_key(old) else new

  return jax.tree.map(restore, like)


def _one_copy(x: Any) -> Any:
  """An array that is whole on each of several devices, from one of them: orbax would have each
  write a slice, for which it needs a newer JAX than the oldest that we run on."""
  several = isinstance(x, jax.Array) and len(x.sharding.device_set) > 1
  return x.addressable_data(0) if several and x.is_fully_replicated else x


def _path(path: tuple[Any, ...]) -> tuple[str, ...]:
  """Where a leaf is in a tree, whether its nodes are named tuples or, as in a file, dicts."""
  return tuple(jax.tree_util.keystr((key,), simple=True) for key in path)


def _checksums(folder: Path) -> dict[str, str]:
  """SHA-256 of every file in a folder, by its path there."""
  files = sorted(path for path in folder.rglob("*") if path.is_file())
  return {
    str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
  }


class Checkpoints:
  """The checkpoints of one run; the two newest are kept, and each appears whole or not at all."""

  def __init__(self, folder: Path, fingerprint: dict[str, Any], create: bool = False):
    """`fingerprint` says what the checkpoint is of; one with another is refused."""
    # What goes wrong is told once, by the errors raised here.
    for noisy in ("absl", "asyncio"):
      logging.getLogger(noisy).setLevel(logging.CRITICAL)
    self._folder = (folder / "checkpoints").absolute()
    self._sums = (folder / "checksums").absolute()
    self._fingerprint = fingerprint
    options = ocp.CheckpointManagerOptions(
      max_to_keep=2, create=create, enable_async_checkpointing=False
    )
    self._manager = ocp.CheckpointManager(self._folder, options=options)

  def latest(self) -> int | None:
    """The update of the newest checkpoint, None if there is none."""
    return self._manager.latest_step()

  def save(self, update: int, state: Any) -> None:
    """Saves a pytree of arrays; a checkpoint of the same update is left as it is.

    Raises:
      Failed: if it cannot be written, for want of space say. The one before is kept.
    """
    if self.latest() == update:
      return
    try:
      self._manager.save(
        update,
        args=ocp.args.Composite(
          state=ocp.args.StandardSave(jax.tree.map(_one_copy, to_arrays(state))),
          about=ocp.args.JsonSave(self._fingerprint),
        ),
      )
    except Exception as error:  # orbax and tensorstore raise many kinds
      reason = str(error).strip().split("\n")[0][:160]
      where = self._folder / str(update)
      raise Failed(f"the checkpoint {where} cannot be written ({reason}).") from error
    self._sums.mkdir(exist_ok=True)
    sums = json.dumps(_checksums(self._folder / str(update)))
    write_atomically(self._sums / f"{update}.json", sums.encode())
    for old in self._sums.glob("*.json"):
      if int(old.stem) not in self._manager.all_steps():
        old.unlink()

  def restore(self, like: Any) -> Any:
    """Restores the newest checkpoint, in the structure, dtypes and placement of `like`.

    Raises:
      UserError: if it is of another config, damaged or truncated. Nothing is changed.
    """
    update = self.latest()
    where = self._folder / str(update)
    # Compared before orbax reads: its threads print pages about damage, after our one line.
    sums = self._sums / f"{update}.json"
    if sums.exists():  # not if the process was killed between checkpoint and checksums
      found = _checksums(where)
      for name, digest in json.loads(sums.read_text("utf-8")).items():
        if found.get(name) != digest:
          raise UserError(
            f"checkpoint {where} is damaged or truncated (its file {name}); delete that folder to"
            " go back to the one before."
          )
    try:
      about = self._manager.restore(
        update, args=ocp.args.Composite(about=ocp.args.JsonRestore())
      ).about
      if about != self._fingerprint:
        changed = sorted(k for k in self._fingerprint if about.get(k) != self._fingerprint[k])
        raise UserError(f"checkpoint {where} is of another config ({', '.join(changed)} differ).")
      restored = self._read(update, like)
    except UserError:
      raise
    except Exception as error:  # orbax and tensorstore raise many kinds for damaged files
      reason = str(error).strip().split("\n")[0][:160]
      raise UserError(
        f"checkpoint {where} is damaged or truncated ({reason}); delete that folder to go back to"
        " the one before."
      ) from error
    return from_arrays(like, restored)

  def _read(self, update: int | None, like: Any) -> list[jax.Array]:
    """The arrays saved at `update`, in the order of the leaves that `to_arrays` makes of `like`.

    Arrays are matched by their paths, so that a state may have gained a part without an array in it
    since it was saved, which orbax takes for another structure.

    Raises:
      UserError: if there are arrays in one of the two alone.
    """
    arrays = {_path(p): x for p, x in jax.tree.leaves_with_path(to_arrays(like))}
    tree = self._about(update)
    saved = {_path(p) for p, _ in jax.tree.leaves_with_path(tree)}
    if unmatched := sorted("/".join(path) for path in saved ^ set(arrays)):
      where = self._folder / str(update)
      raise UserError(
        f"checkpoint {where} is of another version of Rarebird ({unmatched[0]} is in it or in the"
        " run, but not in both): go on with the version that made it, or train anew with --out."
      )
    abstract = jax.tree_util.tree_map_with_path(
      lambda p, _: jax.ShapeDtypeStruct(
        arrays[_path(p)].shape, arrays[_path(p)].dtype, sharding=arrays[_path(p)].sharding
      ),
      tree,
    )
    restored = self._manager.restore(
      update, args=ocp.args.Composite(state=ocp.args.StandardRestore(abstract))
    ).state
    found = {_path(p): x for p, x in jax.tree.leaves_with_path(restored)}
    return [found[path] for path in arrays]

  def _about(self, update: int | None) -> Any:
    """Shapes and dtypes of what was saved at `update`, in its structure."""
    about: Any = ocp.StandardCheckpointHandler().metadata(
      self._manager.directory / str(update) / "state"
    )
    return getattr(about, "tree", about)  # of old versions, the tree itself

  def read_arrays(self) -> dict[str, Any]:
    """The newest checkpoint as NumPy arrays by their path in the state, without its structure.

    Wherever it was saved: there may have been more devices than here.
    """
    update = self.latest()
    here = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    abstract = jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=here), self._about(update)
    )
    state = self._manager.restore(
      update, args=ocp.args.Composite(state=ocp.args.StandardRestore(abstract))
    ).state
    return {jax.tree_util.keystr(path): x for path, x in jax.tree.leaves_with_path(state)}

  def close(self) -> None:
    self._manager.close()
