"""A Ray session: a private Ray on this machine, or a place in a running cluster.

Ray listens on every interface, and whoever reaches it may run code. So a session asks for Ray's
token authentication: every RPC and HTTP request without the token is refused. It does not encrypt;
on a network that is not trusted, add Ray's TLS (RAY_USE_TLS and its certificates).

A private Ray keeps its token, sockets and logs in one temporary folder that only its owner can
enter. A cluster is joined with the user's own token, from where Ray looks for it: RAY_AUTH_TOKEN,
RAY_AUTH_TOKEN_PATH, or ~/.ray/auth_token, which must hold the same token on every machine. The
driver runs on one of the cluster's machines:

  ray get-auth-token --generate       # once; copy ~/.ray/auth_token to every machine
  export RAY_AUTH_MODE=token          # on every machine
  ray start --head --port 6379 --include-dashboard false --disable-usage-stats
  ray start --address HEAD:6379 --labels host=b --resources '{"simulator": 4}'  # on the others
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import platform
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from experiments.runs.files import write_atomically
from experiments.runtimes.cluster import sweeper
from experiments.settings.errors import UserError

OBJECT_STORE_BYTES = 256 * 2**20
"""Shared memory of a private Ray, in bytes: a few versions of the parameters. What does not fit is
spilled to disk, and what is not used is not taken."""

CONNECT_SECONDS = 5.0

_LEAN = {
  # A private Ray scales nothing, so nobody reads these figures, and the port would be open to all.
  "AUTOSCALER_METRIC_PORT": "-1",
  "RAY_enable_metrics_collection": "0",
  # Ray runs its workers at 15, behind anything else on the machine.
  "RAY_worker_niceness": "0",
}


@dataclasses.dataclass(frozen=True)
class Session:
  """A connection to Ray, made by `start`.

  Attributes:
    address: host:port of the cluster's head.
    token: the file with its token; None if that lies in one of Ray's usual places.
    logs: the folder with what this machine's Ray processes print, a private Ray's until it closes.
  """

  address: str
  token: Path | None
  logs: Path


@contextlib.contextmanager
def start(
  address: str | None = None,
  *,
  token: Path | None = None,
  cpus: int | None = None,
  gpus: int | None = None,
  object_store_bytes: int = OBJECT_STORE_BYTES,
  namespace: str | None = None,
  show_output: bool = False,
) -> Iterator[Session]:
  """Starts a private Ray, or joins a cluster, until the context closes.

  Closing ends a private Ray with all its processes in about two seconds; so does the end of this
  process, however it ends. Closing in a cluster ends this driver's actors.

  Args:
    address: None for a private Ray; "auto" for the cluster of this machine; or the head's
      host:port.
    token: the token file of the cluster to join, if it is not in one of Ray's usual places.
    cpus: processors that a private Ray hands out; by default those of this machine.
    gpus: the same of accelerators.
    object_store_bytes: shared memory of a private Ray.
    namespace: where the names of actors are looked up; by default a new one.
    show_output: whether what the actors print is shown here.

  Raises:
    UserError: without Linux or Ray, or if it cannot be started, reached or entered.
  """
  ray = _import_ray()
  options: dict[str, Any] = {
    "namespace": namespace,
    "log_to_driver": show_output,
    "logging_level": "ERROR",
  }
  variables: dict[str, str | None]
  with contextlib.ExitStack() as stack:
    if address is None:
      folder = stack.enter_context(private_folder())
      token = folder / "token"
      variables = {**token_variables(token), **_LEAN}
      options |= {
        "num_cpus": cpus,
        "num_gpus": gpus,
        "object_store_memory": object_store_bytes,
        "include_dashboard": False,
        # Ray opens its folder to all users, so it gets one within ours.
        "_temp_dir": str(folder / "ray"),
        # Processes for tasks that nobody sends: 50 MB for each processor.
        "_system_config": {"enable_worker_prestart": False, "prestart_worker_first_driver": False},
      }
    else:
      _check_reachable(address)
      # Given an address, Ray itself would come without a token unless it was told a mode.
      variables = {"RAY_AUTH_MODE": os.environ.get("RAY_AUTH_MODE", "token")}
      if token:
        variables = token_variables(token)
    stack.enter_context(_environment(variables))
    yield stack.enter_context(_connected(ray, address, token, options))


def _import_ray() -> Any:
  if platform.system() != "Linux":  # the sweeper reads /proc
    raise UserError("a cluster needs Linux; `rarebird train` runs on this system.")
  try:
    import ray
  except ImportError as error:
    raise UserError("this needs Ray; install it with pip install 'rarebird[cluster]'.") from error
  if not hasattr(ray._raylet, "AuthenticationTokenLoader"):
    raise UserError(f"this Ray, {ray.__version__}, lets everybody in; install 2.52 or newer.")
  if ray.is_initialized():
    raise UserError("this process has a Ray session already; call ray.shutdown() first.")
  return ray


def token_variables(token: Path) -> dict[str, str | None]:
  """Variables that make Ray use the token of a file; None stands for one that must be unset."""
  return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token), "RAY_AUTH_TOKEN": None}


@contextlib.contextmanager
def _environment(changes: Mapping[str, str | None]) -> Iterator[None]:
  """Sets variables, or removes those that are None, and puts the old ones back."""
  old = {name: os.environ.get(name) for name in changes}

  def put(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
      if value is None:
        os.environ.pop(name, None)
      else:
        os.environ[name] = value

  put(changes)
  try:
    yield
  finally:
    put(old)


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
  """A folder that only its owner can enter, with a fresh token in the file `token`.

  When the context or this process ends, so does every process that was started with this token's
  `token_variables`, and the folder is removed.
  """
  # Not in the run folder: Ray's sockets are in it too, and a socket's path may have 107 bytes.
  folder = Path(tempfile.mkdtemp(prefix="rarebird-"))
  process = subprocess.Popen(
    [sys.executable, "-IS", sweeper.__file__, str(folder), str(os.getpid())],
    stdin=subprocess.PIPE,
    start_new_session=True,  # so that Ctrl-C and a closed terminal do not reach it
  )
  try:
    write_atomically(folder / "token", secrets.token_hex(32).encode())
    (folder / "token").chmod(0o600)
    yield folder
  finally:
    process.communicate()


@contextlib.contextmanager
def _connected(
  ray: Any, address: str | None, token: Path | None, options: dict[str, Any]
) -> Iterator[Session]:
  _forget_token(ray)
  in_main = threading.current_thread() is threading.main_thread()
  on_terminate = signal.getsignal(signal.SIGTERM)
  # A refused token is tried anew for so many seconds.
  patience = {"RAY_gcs_server_port_wait_time_s": "1"} if address else {}
  # log_to_driver leaves out the raylet's own messages, which would break into a progress bar.
  ray._private.worker._worker_logs_enabled = options["log_to_driver"]
  try:
    try:
      with _environment(patience):
        info = ray.init(address or "local", **options).address_info
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
      what = f"cannot join Ray at {address}" if address else "cannot start Ray"
      raise UserError(f"{what}: {_reason(error)}") from error
    if in_main:  # ray.init puts a handler of its own there
      signal.signal(signal.SIGTERM, on_terminate)
    yield Session(info["gcs_address"], token, Path(info["session_dir"]) / "logs")
  finally:
    ray.shutdown()


def _forget_token(ray: Any) -> None:
  """Ray reads the mode and the token once a process; a session has its own."""
  ray._raylet.AuthenticationTokenLoader.instance().reset_cache()
  ray._raylet.Config.initialize("")


def _check_reachable(address: str) -> None:
  """Ray itself would wait for two minutes."""
  if address == "auto":
    return
  host, _, port = address.rpartition(":")
  if not host or "/" in host or not port.isdecimal():
    raise UserError(f'--address {address}: give host:port of the cluster\'s head, or "auto".')
  try:
    socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
  except (OSError, OverflowError) as error:
    reason = getattr(error, "strerror", None) or error
    raise UserError(
      f"nothing answers at {address} ({reason}); check the address, or start the cluster there with"
      " `ray start --head`."
    ) from error


def _reason(error: BaseException) -> str:
  from ray.exceptions import AuthenticationError

  # The refusal itself is only in the text of the last cause.
  text = f"{error} {error.__cause__}"
  if isinstance(error, AuthenticationError) or "InvalidAuthToken" in text:
    return (
      "it refused this token, or there is none; put the cluster's token in ~/.ray/auth_token or"
      " name its file in RAY_AUTH_TOKEN_PATH."
    )
  return str(error).strip().split("\n")[0]
