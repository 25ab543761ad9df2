"""The comparison of cores: equal parameters, and the table of what was found."""

from experiments.bench import cores


def test_all_cores_have_as_many_parameters():
  sizes = {core: cores.size(cores.Cell("t_maze", 500, core)) for core in cores.CORES}
  parameters = [size.parameters for size in sizes.values()]
  assert max(parameters) < 1.05 * min(parameters)
  # A window that holds the sign: 511 keys and values of 2 heads of 16, beside a local layer's 7.
  assert sizes["transformer"].state_bytes > 4 * 511 * 2 * 2 * 16
  for size in sizes.values():
    assert size.item_bytes > size.state_bytes


def test_the_table_has_a_row_a_core_and_the_success_of_each_seed():
  def row(core, length, seed, success):
    costs = {"parameters": 7, "state_bytes": 1, "item_bytes": 2048, "steps_per_second": 9}
    cell = cores.Cell("t_maze", length, core)._asdict()
    return {**cell, "seed": seed, "success": success, **costs}

  rows = [row("gru", 10, 0, 1.0), row("gru", 10, 1, 0.5), row("lru", 50, 0, 0.25)]
  assert cores.table(rows).splitlines()[2:] == [
    "| core | 10 | 50 | parameters | steps/s | KiB of an item |",
    "| --- | --- | --- | --- | --- | --- |",
    "| gru | 1.00 0.50 | - | 7 | 9 | 2.0 |",
    "| lru | - | 0.25 | 7 | 9 | 2.0 |",
  ]
