"""Simulated participants: a forward model from pictures to microvolts."""

from sims.person.constants import STRENGTHS
from sims.person.head import montage
from sims.person.person import Person, SimulatedSession

__all__ = ["STRENGTHS", "Person", "SimulatedSession", "montage"]
