"""The torsos of tokens in NumPy, one observation at a time, in float64."""

import math

import numpy as np

erf = np.vectorize(math.erf)


class Slow:
  """What a torso computes, from its parameters.

  Attributes:
    own: those that are not a layer's.
    layers: those of layers, by name.
    pool, pool_layers: the same of the pool.
  """

  def __init__(self, params):
    p = {k: {n: np.asarray(x, np.float64) for n, x in v.items()} for k, v in params.items()}
    self.own = p.get("encoder", {})
    self.layers = {k.rpartition("/")[2]: v for k, v in p.items() if "/pool" not in k}
    self.pool = p.get("encoder/pool", {})
    self.pool_layers = {k.rpartition("/")[2]: v for k, v in p.items() if "/pool/" in k}

  def linear(self, name, x):
    return x @ self.layers[name]["w"] + self.layers[name]["b"]

  def norm(self, name, x):
    layer = self.layers[name]
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt(x.var(-1, keepdims=True) + 1e-6) * layer["scale"] + layer["offset"]

  def mlp(self, name, x):
    return self.linear(f"{name}_out", gelu(self.linear(f"{name}_in", x)))

  def depthwise(self, name, x):
    h, w, channels = x.shape
    out = np.zeros_like(x)
    for i in range(h):
      for j in range(w):
        for c in range(channels):
          total = self.own[f"{name}_b"][c]
          for di in (-1, 0, 1):
            for dj in (-1, 0, 1):
              if 0 <= i + di < h and 0 <= j + dj < w:
                total += self.own[f"{name}_w"][di + 1, dj + 1, c] * x[i + di, j + dj, c]
          out[i, j, c] = total
    return out

  def cells(self, picture, side):
    h, w, _ = picture.shape
    cut = [
      [picture[i : i + side, j : j + side].reshape(-1) / 255.0 for j in range(0, w, side)]
      for i in range(0, h, side)
    ]
    return self.linear("stem", np.array(cut))

  def placed(self, x, numbers=16):
    h, w, _ = x.shape
    code = [[[*sines(i + 1, h, numbers), *sines(j + 1, w, numbers)] for j in range(w)]
            for i in range(h)]  # fmt: skip
    return x + self.linear("positions", np.array(code))

  def read(self, name, token, x, heads):
    """What the class token [D] reads of tokens [P, D], and the tokens' shares [P]."""
    u = self.norm(f"{name}_norm", np.vstack([token, x]))
    q, k, v = (self.linear(f"{name}_{part}", u) for part in ("query", "key", "value"))
    size, out, shares = len(token) // heads, [], 0.0
    for head in range(heads):
      part = slice(head * size, (head + 1) * size)
      weights = softmax(k[:, part] @ q[0, part] / np.sqrt(size))
      out.append(weights @ v[:, part])
      shares = shares + weights[1:] / heads
    return self.linear(f"{name}_out", np.concatenate(out)), shares / shares.sum()

  def attention(self, x, heads=1):
    pool = self.pool
    read, shares = self.read("attention_0", pool["class"], x, heads)
    token = pool["class"] + pool["attention_scale_0"] * read
    token = token + pool["mlp_scale_0"] * self.mlp("mlp_0", self.norm("mlp_norm_0", token))
    return self.linear("latent", self.norm("last_norm", token)), shares

  def xcit(self, x, depth, heads):
    x = self.placed(x)
    shape = x.shape
    for i in range(depth):
      y = self.norm(f"xca_norm_{i}", x).reshape(-1, shape[-1])
      q, k, v = np.split(self.linear(f"xca_{i}_qkv", y), 3, axis=-1)
      out = cross_covariance(q, k, v, self.own[f"xca_{i}_temperature"])
      y = self.linear(f"xca_{i}_out", out).reshape(shape)
      x = x + self.own[f"xca_scale_{i}"] * y
      y = gelu(self.depthwise(f"lpi_{i}_first", self.norm(f"lpi_norm_{i}", x)))
      y = self.depthwise(f"lpi_{i}_second", self.norm(f"lpi_{i}_middle", y))
      x = x + self.own[f"lpi_scale_{i}"] * y
      x = x + self.own[f"mlp_scale_{i}"] * self.mlp(f"mlp_{i}", self.norm(f"mlp_norm_{i}", x))
    self.layers |= self.pool_layers
    return self.attention(x.reshape(-1, shape[-1]), heads)

  def resmlp(self, x, depth):
    x = x.reshape(-1, x.shape[-1])

    def affine(name, x):
      return self.layers[name]["scale"] * x + self.layers[name]["offset"]

    for i in range(depth):
      y = self.linear(f"places_{i}", affine(f"places_affine_{i}", x).T).T
      x = x + self.own[f"places_scale_{i}"] * y
      x = x + self.own[f"mlp_scale_{i}"] * self.mlp(f"mlp_{i}", affine(f"mlp_affine_{i}", x))
    return self.linear("latent", affine("last", x).mean(0)), None

  def patch_convnet(self, x, depth):
    x = self.placed(x)
    for i in range(depth):
      y = gelu(self.linear(f"in_{i}", self.norm(f"norm_{i}", x)))
      y = gelu(self.depthwise(f"depthwise_{i}", y))
      hidden = np.maximum(self.linear(f"squeeze_{i}_in", y.mean((0, 1))), 0)
      y = y / (1 + np.exp(-self.linear(f"squeeze_{i}_out", hidden)))
      x = x + self.own[f"scale_{i}"] * self.linear(f"out_{i}", y)
    self.layers |= self.pool_layers
    return self.attention(x.reshape(-1, x.shape[-1]))

  def simba(self, x, depth):
    def dense(name, x):
      w = self.own[name]
      return x @ (w / np.linalg.norm(w, axis=0))

    width = len(self.own["embed_scale"])
    x = unit(np.append(x, 3.0))
    x = unit(self.own["embed_scale"] * dense("embed", x))
    for i in range(depth):
      y = np.maximum(self.own[f"in_scale_{i}"] * dense(f"in_{i}", x), 0) + 1e-8
      y = unit(dense(f"out_{i}", y))
      turn = self.own[f"turn_{i}"] / (depth + 1) * np.sqrt(width)
      x = unit(x + turn * (y - x))
    return self.linear("latent", x), None


def gelu(x):
  return x * (1 + erf(x / np.sqrt(2))) / 2


def softmax(x):
  e = np.exp(x - x.max(-1, keepdims=True))
  return e / e.sum(-1, keepdims=True)


def unit(x):
  return x / np.linalg.norm(x)


def sines(place, size, numbers):
  angle = place / (size + 1e-6) * 2 * np.pi
  angles = [angle / 10000 ** (2 * (j // 2) / numbers) for j in range(numbers)]
  return [np.cos(a) if j % 2 else np.sin(a) for j, a in enumerate(angles)]


def cross_covariance(q, k, v, temperature):
  """[P, D] of each, heads side by side."""
  size, out = q.shape[1] // len(temperature), []
  for head, tau in enumerate(temperature):
    part = slice(head * size, (head + 1) * size)
    a, b = (x[:, part] / np.linalg.norm(x[:, part], axis=0) for x in (q, k))
    out.append(v[:, part] @ softmax(tau * a.T @ b).T)
  return np.concatenate(out, axis=1)
