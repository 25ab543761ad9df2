"""Every agent and objective learns in the runtimes on the host."""


def test_ppo_learns_from_a_queue(train_here):
  ended = train_here("--env", "gym:CartPole-v1", "--objective", "ppo")
  assert ended.status == 0, ended.err
