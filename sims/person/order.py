"""Order of the pictures: balanced classes in random order, no picture twice in a run.

Pictures of a class are dealt like cards, a shuffled deck a person: sessions share none until the
deck is through (five sessions of four runs of 100 trials use each of the 2,000 pictures once).
"""

from collections.abc import Sequence

import numpy as np

Rng = np.random.Generator


def dealt(
    by_class: Sequence[np.ndarray], sessions: int, runs: int, trials: int, rng: Rng
) -> list[list[np.ndarray]]:
    """Pictures of every run of every session, each (trials,), in order of presentation.

    ``by_class`` are the numbers of the pictures of each class. Longer experiments of the same
    person begin with the same runs. No picture comes twice in a run as long as its class has
    pictures enough, and within a session as late as possible.
    """
    decks: list[list[int]] = [[] for _ in by_class]
    plan = []
    for _ in range(sessions):
        seen: set[int] = set()
        session = []
        for _ in range(runs):
            run: list[int] = []
            for number, count in enumerate(counts(trials, len(by_class), rng)):
                for _ in range(count):
                    if not decks[number]:
                        decks[number] = _deck(by_class[number], seen, set(run), rng)
                    run.append(decks[number].pop())
            seen.update(run)
            session.append(rng.permutation(np.array(run, int)))
        plan.append(session)
    return plan


def counts(trials: int, classes: int, rng: Rng) -> np.ndarray:
    """Trials of each class in a run, (classes,): equal, or one more for some drawn by lot."""
    found = np.full(classes, trials // classes)
    found[rng.permutation(classes)[: trials % classes]] += 1
    return found


def _deck(pictures: np.ndarray, seen: set[int], run: set[int], rng: Rng) -> list[int]:
    """Shuffled deck of pictures, the next one last; those of this run or session come late."""
    shuffled = rng.permutation(pictures).tolist()
    return sorted(shuffled, key=lambda each: (each not in run, each not in seen))
