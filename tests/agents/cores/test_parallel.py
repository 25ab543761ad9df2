"""The cores that read a whole sequence at once, against slow ones in NumPy, and their memory."""

import functools

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.cores import attention
from agents.cores import core as cores
from agents.cores.gtrxl import gate
from agents.cores.parallel import Parallel
from agents.precision import lowered

SIZE, INPUTS, BATCH, LENGTH = 8, 5, 4, 16
LOCAL, WINDOW = 3, 6
SETTINGS = {
  "transformer": {
    "window": WINDOW, "local_window": LOCAL, "heads": 4, "kv_heads": 2, "head_size": 4, "hidden": 7,
  },
  "gtrxl": {"window": WINDOW, "heads": BATCH, "head_size": 2, "hidden": 7},
  "lru": {"units": 40, "r_min": 0.5, "r_max": 0.9},
}  # fmt: skip
NAMES = sorted(SETTINGS)
QUICK = {"xla_backend_optimization_level": 0}
FIRST = np.random.default_rng(1).random((LENGTH, BATCH)) < 0.08
FIRST[0, :2], FIRST[-1, 0], FIRST[7, 1], FIRST[9, 3] = True, True, True, True


@functools.cache
def settings_of(name, **changes):
  return cores.registry.choice(name, **SETTINGS[name] | changes).settings


@functools.cache
def build(name):
  """Parameters, (params, inputs, first, state) -> (beliefs, state), compiled for each length, the
  state at the start, and the parameters at first."""
  kind, settings = cores.registry.get(name), settings_of(name)

  def run(x, first, state):
    core = kind(settings, SIZE, "core")
    return core.unroll(core.project(x), first, state)

  module = hk.without_apply_rng(hk.transform(run))
  start = kind.initial_state(settings, SIZE, BATCH)
  init = jax.jit(module.init, compiler_options=QUICK)
  params = init(jax.random.key(0), inputs()[:1], FIRST[:1], start)
  rng = np.random.default_rng(0)  # away from zero, where a scale and a bias could hide
  moved = jax.tree.map(lambda x: x + 0.3 * rng.normal(size=x.shape).astype(np.float32), params)
  return moved, jax.jit(module.apply, compiler_options=QUICK), start, params


def inputs(seed=0, scale=1.0):
  x = np.random.default_rng(seed).normal(size=(LENGTH, BATCH, INPUTS))
  return jnp.asarray(scale * x, jnp.float32)


def whole(name, x=None, first=FIRST, state=None):
  params, run, start, _ = build(name)
  return run(params, inputs() if x is None else x, jnp.asarray(first), state or start)


def in_chunks(name, length):
  params, run, state, _ = build(name)
  beliefs = []
  for t in range(0, LENGTH, length):
    belief, state = run(params, inputs()[t : t + length], jnp.asarray(FIRST[t : t + length]), state)
    beliefs.append(belief)
  return jnp.concatenate(beliefs), state


class Slow:
  """One example and one step at a time, by the formulae alone, with a list of all that was."""

  def __init__(self, name):
    self.settings = settings_of(name)
    params = jax.tree.map(lambda x: np.asarray(x, np.float64), build(name)[0])
    self.own = params.get("core", {})
    self.params = {module.rpartition("/")[2]: x for module, x in params.items()}
    self.step = getattr(self, name)

  def linear(self, name, x):
    params = self.params[name]
    return x @ params["w"] + params.get("b", 0.0)

  def rms(self, name, x):
    return x / np.sqrt(np.mean(x**2) + 1e-6) * (1 + self.own[f"{name}_scale"])

  def norm(self, name, x):
    params = self.params[name]
    x = (x - x.mean()) / np.sqrt(x.var() + 1e-5)
    return x * params["scale"] + params["offset"]

  def attend(self, name, x, past, window, heads, shared, size, cap):
    """`past` holds a step's keys and values, by absolute time; x is added to it."""
    time = len(past)
    query, key, value = (
      self.linear(f"{name}_{what}", x).reshape(-1, size) for what in ("query", "key", "value")
    )

    def turned(x, time):
      angle = time * 10_000.0 ** (-np.arange(size // 2) / (size // 2))
      pair = (x[: size // 2] + 1j * x[size // 2 :]) * np.exp(1j * angle)
      return np.concatenate([pair.real, pair.imag])

    past.append((key, value))
    out = []
    for h in range(heads):
      kv = h // (heads // shared)
      seen = range(max(0, time - window + 1), time + 1)
      logits = [turned(query[h], time) @ turned(past[s][0][kv], s) / size**0.5 for s in seen]
      logits = np.asarray(logits) if not cap else cap * np.tanh(np.asarray(logits) / cap)
      weights = np.exp(logits - logits.max())
      weights /= weights.sum()
      out.append(sum(w * past[s][1][kv] for w, s in zip(weights, seen, strict=True)))
    return self.linear(f"{name}_out", np.concatenate(out))

  def transformer(self, x, past):
    c = self.settings
    for i, window in enumerate((LOCAL, WINDOW)):
      read = self.attend(
        f"layer_{i}", self.rms(f"layer_{i}_before", x), past.setdefault(i, []), window, c.heads,
        c.kv_heads, c.head_size, 50.0,
      )  # fmt: skip
      x = x + self.rms(f"layer_{i}_after", read)
      u = self.rms(f"layer_{i}_before_mlp", x)
      gate = self.linear(f"layer_{i}_gate", u)
      gate = 0.5 * gate * (1 + np.tanh(np.sqrt(2 / np.pi) * (gate + 0.044715 * gate**3)))
      fed = self.linear(f"layer_{i}_down", gate * self.linear(f"layer_{i}_up", u))
      x = x + self.rms(f"layer_{i}_after_mlp", fed)
    return self.rms("last", x)

  def gate(self, name, x, y):
    sigmoid, n = lambda v: 1 / (1 + np.exp(-v)), SIZE
    new, old = self.linear(f"{name}_new", y), self.linear(f"{name}_old", x)
    r = sigmoid(new[:n] + old[:n])
    z = sigmoid(new[n : 2 * n] + old[n:] - self.own[f"{name}_bias"])
    candidate = np.tanh(new[2 * n :] + self.linear(f"{name}_candidate", r * x))
    return (1 - z) * x + z * candidate

  def gtrxl(self, x, past):
    c = self.settings
    for i in range(2):
      u = self.norm(f"layer_{i}_before", x)
      read = self.attend(
        f"layer_{i}", u, past.setdefault(i, []), WINDOW, c.heads, c.heads, c.head_size, 0.0
      )
      x = self.gate(f"layer_{i}_gate", x, np.maximum(read, 0))
      u = self.linear(f"layer_{i}_up", self.norm(f"layer_{i}_before_mlp", x))
      fed = self.linear(f"layer_{i}_down", np.maximum(u, 0))
      x = self.gate(f"layer_{i}_gate_mlp", x, np.maximum(fed, 0))
    return x

  def lru(self, x, past):
    for i in range(2):
      own = {
        n.removeprefix(f"layer_{i}_"): v for n, v in self.own.items() if n.startswith(f"layer_{i}_")
      }
      u = self.norm(f"layer_{i}_norm", x)
      eigenvalue = np.exp(-np.exp(own["nu"]) + 1j * np.exp(own["theta"]))
      driven = np.exp(own["log_gamma"]) * (u @ (own["b_real"] + 1j * own["b_imaginary"]))
      past[i] = eigenvalue * past.get(i, 0.0) + driven
      y = (past[i] @ (own["c_real"] + 1j * own["c_imaginary"])).real + own["d"] * u
      y = 0.5 * y * (1 + np.tanh(np.sqrt(2 / np.pi) * (y + 0.044715 * y**3)))
      gate = 1 / (1 + np.exp(-self.linear(f"layer_{i}_gate", y)))
      x = x + self.linear(f"layer_{i}_out", y) * gate
    return self.norm("last", x)


def test_these_are_all_there_are():
  parallel = {n for n in cores.registry.names() if issubclass(cores.registry.get(n), Parallel)}
  assert parallel == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_beliefs_equal_a_slow_loop(name):
  slow, x, expected = Slow(name), np.asarray(inputs(), np.float64), np.zeros((LENGTH, BATCH, SIZE))
  for b in range(BATCH):
    past = {}
    for t in range(LENGTH):
      past = {} if FIRST[t, b] else past
      expected[t, b] = slow.step(slow.linear("inputs", x[t, b]), past)
  beliefs, _ = whole(name)
  assert np.std(expected) > 0.3
  np.testing.assert_allclose(beliefs, expected, atol=2e-5)


@pytest.mark.parametrize("length", [1, 8])
@pytest.mark.parametrize("name", NAMES)
def test_chunks_and_steps_give_what_the_whole_gives(name, length):
  beliefs, state = whole(name)
  parts, last = in_chunks(name, length)
  np.testing.assert_allclose(parts, beliefs, atol=1e-5)
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), last, state)


@pytest.mark.parametrize("name", NAMES)
def test_the_episode_before_changes_nothing(name):
  first = np.zeros_like(FIRST)
  first[10] = True
  before, _ = whole(name, first=first)
  noise = inputs(seed=2, scale=100.0)
  after, _ = whole(name, inputs().at[:10].set(noise[:10]), first)
  np.testing.assert_array_equal(after[10:], before[10:])
  assert np.all(np.any(np.asarray(after[:10] != before[:10]), axis=-1))


@pytest.mark.parametrize("name", NAMES)
def test_a_reset_state_may_hold_anything_and_reaches_no_gradient(name):
  params, run, start, _ = build(name)
  first = np.zeros_like(FIRST)
  first[0] = True
  nan = jax.tree.map(lambda x: jnp.full_like(x, jnp.nan if x.dtype == jnp.float32 else 9), start)
  beliefs, state = whole(name, first=first, state=nan)
  expected, kept = whole(name, first=first)
  np.testing.assert_array_equal(beliefs, expected)
  jax.tree.map(np.testing.assert_array_equal, state, kept)
  gradient = jax.jit(
    jax.grad(lambda p: jnp.sum(run(p, inputs(), first, nan)[0] ** 2)), compiler_options=QUICK
  )
  assert all(np.isfinite(x).all() and np.any(x != 0) for x in jax.tree.leaves(gradient(params)))


@pytest.mark.parametrize(("name", "windows"), [("transformer", LOCAL + WINDOW), ("gtrxl", 12)])
def test_the_last_belief_depends_on_exactly_its_windows(name, windows):
  first = np.zeros_like(FIRST)
  before = whole(name, first=first)[0][-1]
  # Of the columns each is changed at another step.
  reach = windows - 2 + 1  # sum of W - 1 over the two layers, and the step itself
  steps = [LENGTH - 1, LENGTH - reach, LENGTH - reach - 1, 0]
  x = inputs().at[jnp.asarray(steps), jnp.arange(BATCH)].multiply(-3.0)
  changed = np.any(np.asarray(whole(name, x, first)[0][-1] != before), axis=-1)
  np.testing.assert_array_equal(changed, [True, True, False, False])


@pytest.mark.parametrize("name", NAMES)
def test_the_state_is_bounded_whatever_the_length(name):
  start = build(name)[2]
  after = whole(name, first=np.zeros_like(FIRST))[1]
  assert jax.tree.map(lambda x: (x.shape, x.dtype), after) == jax.tree.map(
    lambda x: (x.shape, x.dtype), start
  )
  if name != "lru":
    np.testing.assert_array_equal(after.held, WINDOW)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_finite_over_512_steps(name):
  params, run, start, _ = build(name)
  x = np.random.default_rng(0).normal(size=(512, 1, INPUTS)).astype(np.float32)
  first, start = np.zeros((512, 1), bool), jax.tree.map(lambda x: x[:1], start)

  def last(params, x):
    return jnp.sum(run(params, x, first, start)[0][-1] ** 2)

  by_params, by_inputs = jax.jit(jax.grad(last, argnums=(0, 1)), compiler_options=QUICK)(params, x)
  assert all(np.isfinite(g).all() for g in jax.tree.leaves(by_params))
  assert np.isfinite(by_inputs).all()
  assert np.any(np.asarray(by_inputs[-2]) != 0)


@pytest.mark.parametrize("name", NAMES)
def test_products_are_computed_in_bfloat16_where_that_is_asked(name):
  kind, settings = cores.registry.get(name), settings_of(name)
  params, _, start, _ = build(name)

  def products(compute):
    def run(x):
      core = kind(settings, SIZE, "core")
      return lowered(lambda x: core.unroll(core.project(x), FIRST, start), compute)(x)

    jaxpr = str(jax.make_jaxpr(hk.without_apply_rng(hk.transform(run)).apply)(params, inputs()))
    return [line for line in jaxpr.splitlines() if "= dot_general[" in line]

  assert all("f32" in line for line in products("float32"))
  assert products("bfloat16")
  assert all("bf16" in line for line in products("bfloat16"))


def qkv(heads, shared, seed=0):
  rng = np.random.default_rng(seed)
  shapes = [(LENGTH, BATCH, n, 4) for n in (heads, shared, shared)]
  return [jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in shapes]


@functools.partial(jax.jit, static_argnames="cap")
def attended(query, key, value, cap=0.0):
  cache = attention.empty(BATCH, (WINDOW,), key.shape[2], 4).caches[0]
  held = attention.held(jnp.asarray(FIRST), jnp.zeros(BATCH, jnp.int32))
  return attention.attend(query, key, value, cache, held, cap)[0]


def test_grouped_queries_are_full_attention_with_repeated_keys_and_values():
  query, key, value = qkv(4, 2)
  repeated = (jnp.repeat(x, 2, axis=2) for x in (key, value))
  np.testing.assert_allclose(
    attended(query, key, value), attended(query, *repeated), rtol=1e-5, atol=1e-6
  )


def test_the_cap_is_there_above_it():
  """A soft cap that is dropped shows above it alone."""
  query, key, value = qkv(2, 2)
  plain, capped = (attended(30 * query, 10 * key, value, cap) for cap in (0.0, 50.0))
  assert np.max(np.abs(plain - capped)) > 0.05
  small = [attended(0.1 * query, key, value, cap) for cap in (0.0, 50.0)]
  np.testing.assert_allclose(*small, atol=1e-5)


def test_steps_held_are_counted_from_the_last_first():
  first = jnp.asarray([[0, 1, 0], [0, 0, 0], [1, 0, 0], [0, 0, 1]], bool)
  held = attention.held(first, jnp.asarray([3, 5, 0]))
  np.testing.assert_array_equal(held, [[4, 1, 1], [5, 2, 2], [1, 3, 3], [2, 4, 1]])


def test_a_gate_carries_on_what_the_paper_says():
  """With weights of zero: .88 of x by a bias of 2, and .52 by one of .1 (specs: s(2), s(.1))."""
  module = hk.without_apply_rng(hk.transform(lambda x, b: gate(x, jnp.ones_like(x), b, "gate")))
  x = jnp.ones((1, 3))
  for bias, carried in ((2.0, 0.8808), (0.1, 0.5250)):
    params = jax.eval_shape(functools.partial(module.init, b=bias), jax.random.key(0), x)
    params = jax.tree.map(lambda x: jnp.zeros(x.shape), params)
    root = next(name for name in params if "gate_bias" in params[name])
    params[root]["gate_bias"] = jnp.full(3, bias)
    np.testing.assert_allclose(module.apply(params, x, bias), carried, atol=1e-4)


def test_eigenvalues_begin_in_the_ring():
  own = build("lru")[3]["core"]
  nu, theta = (np.concatenate([own[f"layer_{i}_{x}"] for i in (0, 1)]) for x in ("nu", "theta"))
  size = np.exp(-np.exp(nu))
  assert 0.5 <= size.min() < size.max() <= 0.9
  # Uniform in the ring's area: the mean of the square lies in the middle.
  assert abs(np.mean(size**2) - (0.25 + 0.81) / 2) < 0.05
  assert np.exp(theta).max() <= settings_of("lru").max_phase
  np.testing.assert_allclose(
    np.exp(own["layer_0_log_gamma"]), np.sqrt(1 - size[:40] ** 2), rtol=1e-4
  )


@pytest.mark.parametrize(
  ("name", "settings", "message"),
  [
    ("transformer", {"window": 0}, "core.window is 0; it counts the steps seen"),
    ("gtrxl", {"window": 0}, "core.window is 0"),
    ("transformer", {"heads": 4, "kv_heads": 3}, "does not divide the 4 heads; give one of 1, 2"),
    ("transformer", {"head_size": 3}, "head_size is 3"),
    ("transformer", {"layers": 0}, "core.layers is 0"),
    ("transformer", {"local_window": 0}, "core.local_window is 0"),
    ("gtrxl", {"hidden": 0}, "core.hidden is 0"),
    ("lru", {"r_max": 1.0}, "0 <= r_min < r_max < 1"),
    ("lru", {"units": 0}, "core.units is 0"),
    ("lru", {"max_phase": 0.0}, "core.max_phase is 0"),
  ],
)
def test_settings_that_cannot_be_are_refused(name, settings, message):
  with pytest.raises(ValueError, match=message):
    cores.registry.choice(name, **settings)


def test_local_layers_see_no_more_than_global_ones():
  assert cores.registry.choice("transformer").settings.windows == (8, 32)
  assert cores.registry.choice("transformer", layers=3, window=4).settings.windows == (4, 4, 4)
  assert cores.registry.choice("transformer", layers=1).settings.windows == (32,)
