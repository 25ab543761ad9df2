"""Classic control: small worlds in which an agent that learns at all soon succeeds."""

from envs.classic.cartpole import CartPole
from envs.classic.catch import Catch
from envs.classic.pendulum import Pendulum
from envs.classic.pendulum_swingup import PendulumSwingup
from envs.classic.point_mass import PointMass

__all__ = ["CartPole", "Catch", "Pendulum", "PendulumSwingup", "PointMass"]
