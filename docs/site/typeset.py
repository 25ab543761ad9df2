"""The text of docstrings as Markdown: formulas set as text, papers and files as links."""

from __future__ import annotations

import html
import re
from typing import NamedTuple

FIELDS = ("Formula", "Source", "Good at", "Bad at", "Cost")
"""What a paragraph of a method's docstring may begin with, in the order of the pages."""
GREEK = {
  "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "eps": "ε", "epsilon": "ε", "eta": "η",
  "theta": "θ", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π",
  "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "psi": "ψ", "omega": "ω", "sum": "Σ",
}  # fmt: skip
SIGNS = {"&lt;=": "≤", "&gt;=": "≥", "&lt;-": "←", "-&gt;": "→", "!=": "≠", "+-": "±"}

_WORD = re.compile(rf"(?<![A-Za-z])({'|'.join(sorted(GREEK, key=len, reverse=True))})(?![A-Za-z])")
_INDEX = re.compile(
  r"(?:(?<![A-Za-z0-9_])(?P<base>[A-Za-zα-ωΣ]|log|max|min|mean|softmax)|(?<=[)'\]]))"
  r"_(?P<index>\{[^{}]*\}|[A-Za-zα-ω0-9]+)(?![\w.]*/)"
)
_POWER = re.compile(r"\^(\{[^{}]*\}|\([^()]*\)|-?[A-Za-zα-ω0-9]+(?:\.[0-9]+)?)")
_ARXIV = re.compile(r"arXiv:? (\d{4}\.\d{4,5})")
_FILE = re.compile(r"`?\b((?:agents|envs|experiments|docs|tests)/[\w/.\\-]+\.(?:py|md))\b`?")


class Document(NamedTuple):
  """A docstring in parts.

  Attributes:
    summary: its first paragraph, one line.
    about: the paragraphs that no field names, before and between, as Markdown.
    fields: the others as Markdown, by what they begin with.
  """

  summary: str
  about: str
  fields: dict[str, str]


def formula(text: str) -> str:
  """One line of a formula as HTML: Greek letters, indices below and powers above."""
  text = html.escape(text, quote=False)
  for sign, character in SIGNS.items():
    text = text.replace(sign, character)
  text = text.replace("sqrt(", "√(").replace("sqrt ", "√ ")
  text = _WORD.sub(lambda m: GREEK[m[1]], text)
  return _raised(text)


def _raised(text: str) -> str:
  """HTML with indices below and powers above."""
  for _ in range(2):  # an index of an index
    text = _INDEX.sub(lambda m: f"{m['base'] or ''}<sub>{m['index'].strip('{}')}</sub>", text)
  return _POWER.sub(lambda m: f"<sup>{m[1].strip('{}')}</sup>", text)


def prose(text: str) -> str:
  """Words as Markdown; what would be taken for marks is not."""
  pieces = re.split(r"(`[^`]*`)", text)
  for i in range(0, len(pieces), 2):
    plain = re.sub(r"([*\[\]|])", r"\\\1", _raised(html.escape(pieces[i], quote=False)))
    pieces[i] = plain.replace("_", "\\_")
  return "".join(pieces)


def linked(text: str, up: str = "", sources: set[str] | None = None) -> str:
  """Text with its papers and files as links.

  Args:
    text: Markdown as `prose` gives it.
    up: what leads from the page to the root, such as "../../".
    sources: takes the files that are linked; none are without it.
  """
  text = _ARXIV.sub(r"[arXiv \1](https://arxiv.org/abs/\1)", text)
  if sources is None:
    return text

  def link(match: re.Match[str]) -> str:
    path = match[1].replace("\\", "")
    sources.add(path)
    target = f"{up}{path}" if path.endswith(".md") else f"{up}source/{path}.md"
    return f"[`{path}`]({target})"

  return _FILE.sub(link, text)


def document(docstring: str) -> Document:
  """Takes a docstring apart."""
  first, _, rest = docstring.strip().partition("\n\n")
  about: list[str] = []
  fields: dict[str, list[str]] = {}
  into = about
  for line in rest.splitlines():
    label, colon, after = line.partition(": ")
    if colon and label in FIELDS:
      into = fields.setdefault(label, [])
      line = after
    elif not line.strip():
      into = about  # a field ends with its paragraph
    into.append(line)
  made = {label: _block(lines, label == "Formula") for label, lines in fields.items()}
  return Document(" ".join(first.split()), _block(about, False), made)


def _block(lines: list[str], is_formula: bool) -> str:
  """Lines as Markdown: those that are set in are a formula's, of any paragraph."""
  out: list[str] = []
  words: list[str] = []
  shown: list[str] = []

  def close() -> None:
    if words:
      text = " ".join(words)
      text = text[:1].upper() + text[1:] if re.match(r"[a-z]{2,} |a ", text) else text
      out.append(f'<p class="formula">{formula(text)}</p>' if is_formula else prose(text))
      words.clear()
    if shown:
      out.append('<p class="formula shown">' + "<br>".join(map(formula, shown)) + "</p>")
      shown.clear()

  for line in lines:
    if not line.strip():
      close()
    elif line.startswith("- "):
      close()
      words.append(line)
    elif line.startswith("  ") and not (words and words[0].startswith("- ")):
      if words:
        close()
      shown.append("\u2003" * ((len(line) - len(line.lstrip()) - 2) // 2) + line.strip())
    else:
      if shown:
        close()
      words.append(line.strip())
  close()
  return "\n\n".join(out)
