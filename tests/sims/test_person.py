"""Simulated participants: heads, maps and statistics as published; "none" has no classes."""

from functools import cache

import numpy as np
import pytest

from calibration.fitting import evoked
from rtbci import stimuli
from rtbci.errors import BadInput
from sims.person import STRENGTHS, Person, features, montage
from sims.person import head as head_of
from sims.person.anatomy import INDEX_OF_ERP, of_person, template
from sims.person.background import noise
from sims.person.constants import CLEAR_CLASSES, MEANING, MONTAGES
from sims.person.order import dealt

CAP = montage(122)


@cache
def person(strength: str = "realistic", subject: int = 2, channels: int = 122) -> Person:
    return Person(0, subject, montage(channels), 1000.0, strength)


@cache
def published() -> list[np.ndarray]:
    """A run of each of four people, (100, 500, 122)."""
    rng = np.random.default_rng(1)
    pictures = rng.permutation(len(stimuli.load()))[:100]
    return [person(subject=each).session(1).epochs(pictures) for each in (2, 5, 9, 17)]


def numbers(category: str) -> np.ndarray:
    """The pictures of a category."""
    return np.flatnonzero(features.classes() == stimuli.CATEGORIES.index(category))


def test_caps_hold_the_electrodes_they_promise():
    for count in MONTAGES:
        names = montage(count)
        assert len(set(names)) == count
        assert np.allclose(np.linalg.norm(head_of.electrodes(names), axis=1), 1)
    assert CAP[INDEX_OF_ERP] == "Pz"
    with pytest.raises(BadInput, match="no cap of 77 electrodes; choose one of 122, 64"):
        montage(77)
    with pytest.raises(BadInput, match="no place is known for EEG001"):
        head_of.electrodes(("Cz", "EEG001"))


def test_the_closed_form_is_the_series_of_legendre():
    rng = np.random.default_rng(2)
    cap = rng.normal(size=(9, 3))
    cap /= np.linalg.norm(cap, axis=1, keepdims=True)
    place, moment = np.array([[0.1, -0.5, 0.3]]), np.array([[0.4, 0.2, -1.0]])

    def potential(at: np.ndarray) -> np.ndarray:
        """2 / d + log term as a sum: (2 n + 1) / n s^n P_n."""
        s = np.linalg.norm(at)
        cosine = cap @ at / s
        total, before, now = np.zeros(9), np.ones(9), cosine
        for n in range(1, 200):
            total += (2 * n + 1) / n * s**n * now
            before, now = now, ((2 * n + 1) * cosine * now - n * before) / (n + 1)
        return total

    step = 1e-5 * moment[0]
    slope = (potential(place[0] + step) - potential(place[0] - step)) / 2e-5
    assert head_of.homogeneous(cap, place, moment)[:, 0] == pytest.approx(slope, rel=1e-6)


def test_an_occipital_dipole_is_seen_at_the_back_and_not_at_the_reference():
    cap = head_of.put_on(CAP)
    place = head_of.inside(np.array([[0.0, -92.0, 2.0]]))
    seen = head_of.lead_field(cap, place, place)[:, 0]
    assert CAP[int(np.argmax(seen))] in ("Oz", "OI1h", "OI2h", "O1", "O2", "POz", "Iz")
    near = abs(seen[[CAP.index("Cz"), CAP.index("CPz")]]).max()
    assert near < 0.1 * seen.max()


def test_the_same_arguments_give_the_same_bits_and_others_do_not():
    pictures = [3, 700, 1999]
    x = person().session(1).epochs(pictures)
    again = Person(0, 2, CAP).session(1).epochs(pictures)
    assert x.tobytes() == again.tobytes()
    others = (
        Person(1, 2, CAP).session(1).epochs(pictures),
        Person(0, 3, CAP).session(1).epochs(pictures),
        person().session(2).epochs(pictures),
        person().session(1).epochs(pictures, run=2),
        person().session(1).epochs([3, 700, 5]),
    )
    assert not any(np.array_equal(x, each) for each in others)


def test_epochs_are_float32_half_seconds_without_a_number_that_is_none():
    x = published()[0]
    assert (x.dtype, x.shape) == (np.float32, (100, 500, 122))
    assert np.isfinite(x).all()
    low = Person(0, 2, montage(4), 256.0).session(1).epochs([1, 2])
    assert low.shape == (2, 128, 4)


def test_amplitudes_are_those_of_the_published_recordings():
    low, median, high = np.percentile(
        [np.clip(x, -800, 800).std(axis=(0, 1)) for x in published()], [5, 50, 95], axis=1
    )  # per person
    assert 10 < np.median(median) < 22
    assert median.min() > 7
    assert median.max() < 35
    assert 3 < np.median(low) < 11
    assert 14 < np.median(high) < 41


def test_a_calm_person_has_as_many_components_as_the_published_one():
    # sub-28 of the data, whose runs have an sd of 12 uV: 13 hold 95 % of the variance, 36 hold 99 %
    calm = min(published(), key=lambda x: x.std())
    values = np.linalg.eigvalsh(np.cov(calm.reshape(-1, 122).T))[::-1]
    share = np.cumsum(values) / values.sum()
    assert 8 <= np.searchsorted(share, 0.95) + 1 <= 18
    assert 26 <= np.searchsorted(share, 0.99) + 1 <= 46


def test_the_average_response_is_the_published_one():
    mean = np.stack([x[:, :, INDEX_OF_ERP].mean(axis=0) for x in published()]).mean(axis=0)
    mean -= mean[:50].mean()
    smooth = np.convolve(mean, np.ones(15) / 15, "same")
    assert smooth[155] == pytest.approx(3, abs=2)
    assert smooth[215] == pytest.approx(-1, abs=2)
    assert smooth[300] == pytest.approx(8, abs=2.5)
    assert smooth[450] == pytest.approx(5, abs=2.5)
    assert smooth[215] < smooth[155] < smooth[300]


def test_the_spectrum_falls_like_one_over_f_and_ends_above_100_hz():
    x = published()[1].astype(float)
    power = (abs(np.fft.rfft(x * np.hanning(500)[:, None], axis=1)) ** 2).mean(axis=(0, 2))
    hertz = np.fft.rfftfreq(500, 1e-3)
    between = (hertz >= 14) & (hertz <= 80) & (abs(hertz - 50) > 6)
    slope = np.polyfit(np.log(hertz[between]), np.log(power[between]), 1)[0]
    assert -2.0 < slope < -0.9
    assert (
        power[(hertz > 140) & (hertz < 400)].mean()
        < 1e-2 * power[(hertz > 70) & (hertz < 90)].mean()
    )


def test_drifts_go_on_from_trial_to_trial():
    background = person().session(1).background
    clocked = background.run(np.random.default_rng(3))
    whole = background.steady(np.array([10.0]), 4000, clocked)[0]
    parts = background.steady(np.array([10.0, 11.0, 13.5]), 500, clocked)
    for start, part in zip((0, 1000, 3500), parts, strict=True):
        assert part == pytest.approx(whole[start : start + 500], abs=0.01)
    assert whole[:, 0].std() > 1


def test_noise_has_an_rms_of_one():
    power = np.r_[0, np.ones(40), np.zeros(460)]
    x = noise(power, 1000, 200, 1000, 2, np.random.default_rng(4))
    assert x.std() == pytest.approx(1, rel=0.03)


def test_participants_share_most_of_the_map_and_differ_in_the_rest():
    cap = head_of.put_on(CAP)
    maps = [
        np.concatenate(who.information(cap, 1.0)).ravel()
        for who in (template(), *(of_person(np.random.default_rng(i)) for i in range(6)))
    ]
    alike = np.asarray(np.corrcoef(maps))[np.triu_indices(7, 1)]
    assert alike.min() > 0.4
    assert alike.max() < 0.97


def test_similar_pictures_evoke_similar_responses():
    driven = features.of_set()
    groups = [driven[numbers(each)] for each in stimuli.CATEGORIES]
    same = np.mean([np.linalg.norm(each - each.mean(axis=0), axis=1).mean() for each in groups])
    middle = np.stack([each.mean(axis=0) for each in groups])
    other = np.linalg.norm(middle[:, None] - driven[None], axis=2).mean()
    assert same < 0.85 * other
    near = stimuli.embeddings() @ stimuli.embeddings()[0]
    distance = np.linalg.norm(driven[:, :MEANING] - driven[0, :MEANING], axis=1)
    assert np.corrcoef(near, distance)[0, 1] < -0.5


def test_codes_have_neither_meaning_nor_looks():
    codes = features.of_codes(np.arange(20))
    middle = np.stack([stimuli.embeddings()[numbers(c)].mean(axis=0) for c in stimuli.CATEGORIES])
    upper = np.triu_indices(20, 1)
    one = np.linalg.norm(codes[:, None] - codes, axis=2)[upper]
    two = np.linalg.norm(middle[:, None] - middle, axis=2)[upper]
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.2
    pictures = numbers("horse")[:5].tolist()
    assert len(np.unique(features.of_pictures(pictures, codes=True), axis=0)) == 1


def test_without_class_information_the_signal_never_looks_at_the_pictures():
    who = person("none").session(1)
    x, y = who.epochs(numbers("cat")[:20].tolist()), who.epochs(numbers("train")[:20].tolist())
    assert x.tobytes() == y.tobytes()
    one = who.continuous(numbers("cat")[:5].tolist())
    two = who.continuous(numbers("train")[:5].tolist())
    assert one.signal.tobytes() == two.signal.tobytes()
    assert [each.label for each in two.markers] == ["train"] * 5


def test_a_strength_or_rate_that_cannot_be_is_refused():
    with pytest.raises(BadInput, match="no strength 'weak'; choose of realistic, clear"):
        Person(0, 2, CAP, 1000.0, "weak")
    with pytest.raises(BadInput, match="50 Hz; a simulated amplifier has 100 to 5000"):
        Person(0, 2, CAP, 50.0)


def test_a_continuous_run_has_a_response_after_each_marker():
    who = Person(0, 5, montage(8), 250.0, "clear").session(1)
    recording = who.continuous(numbers("bird")[:60].tolist(), soa=1.5)
    assert recording.signal.shape == (((5 + 90 + 2) * 250), 8)
    pz = recording.signal[:, recording.info.channels.index("Pz")]
    windows = np.stack([pz[m.index - 50 : m.index + 200] for m in recording.markers])
    windows -= windows[:, :50].mean(axis=1, keepdims=True)
    late = windows[:, 50 + 70 : 50 + 85].mean(axis=1)  # 280 to 340 ms
    assert late.mean() > 4 * late.std() / np.sqrt(len(late))
    first = recording.markers[0]
    assert first.fields["image"] == "bird_0001"
    assert first.fields["trial"] == 1


def test_pieces_of_a_continuous_run_fade_without_a_step_or_a_dip():
    signal = Person(0, 5, ("Oz", "Pz"), 250.0, "none").session(1).signal()
    signal.take(7)
    x = np.concatenate([signal.take(n) for n in (1, 250, 3000, 7000)])
    assert signal.head == 7 + len(x)
    steps = abs(np.diff(x[:, 0]))
    assert steps.max() < 9 * steps.std()  # also where pieces meet
    whole = Person(0, 5, ("Oz", "Pz"), 250.0, "none").session(1).signal().take(len(x) + 7)[7:]
    assert whole == pytest.approx(x, abs=1e-3)  # however it is cut


def test_a_late_response_loses_only_samples_already_sent():
    def run(late: int) -> np.ndarray:
        signal = Person(0, 5, ("Oz", "Pz"), 250.0, "none").session(1).signal()
        parts = [signal.take(100 + late)]
        signal.evoke(100, None)
        return np.concatenate([*parts, signal.take(400 - late)])

    on_time, late = run(0), run(30)
    assert np.array_equal(on_time[130:], late[130:])
    assert not np.array_equal(on_time[:130], late[:130])


def test_pictures_are_dealt_like_cards():
    by_class = [numbers(each) for each in stimuli.CATEGORIES]
    plan = dealt(by_class, 5, 4, 100, np.random.default_rng(5))
    for session in plan:
        for run in session:
            assert np.bincount(features.classes()[run], minlength=20).tolist() == [5] * 20
    every = np.concatenate([run for session in plan for run in session])
    assert len(np.unique(every)) == 2000  # five sessions of four runs show each picture once
    shorter = dealt(by_class, 2, 4, 100, np.random.default_rng(5))
    assert all(np.array_equal(a, b) for a, b in zip(shorter[1], plan[1], strict=True))


def test_a_picture_comes_back_only_when_its_class_is_through():
    by_class = [np.arange(10), np.arange(10, 20)]
    (session,) = dealt(by_class, 1, 3, 14, np.random.default_rng(6))
    assert all(len(set(run.tolist())) == 14 for run in session)
    assert len(set(np.concatenate(session[:2]).tolist())) == 20


def test_the_order_has_no_blocks_of_a_class():
    by_class = [numbers(each) for each in stimuli.CATEGORIES]
    plan = dealt(by_class, 5, 4, 100, np.random.default_rng(7))
    same = [np.diff(features.classes()[run]) == 0 for session in plan for run in session]
    assert np.mean(same) == pytest.approx(0.0404, abs=0.02)  # as a plain shuffle


def test_clear_participants_are_decoded_well_above_chance_and_empty_ones_are_not():
    rng = np.random.default_rng(8)
    chosen = np.concatenate([rng.permutation(numbers(c))[:36] for c in CLEAR_CLASSES[:4]])
    order = rng.permutation(len(chosen))
    y = np.repeat(np.arange(4), 36)[order]
    found = {}
    for strength in ("clear", "none"):
        who = Person(0, 5, montage(32), 250.0, strength).session(1)
        x = who.epochs(chosen[order].tolist())[:, ::2].transpose(0, 2, 1)  # 125 Hz
        x = np.stack([x - x[:, :, :8].mean(axis=2, keepdims=True)] * 2, axis=1).astype(float)
        decoder = evoked.fit(x[:100], y[:100], CLEAR_CLASSES[:4], 125.0)
        found[strength] = np.mean(decoder.logits(x[100:]).argmax(axis=1) == y[100:])
    assert found["clear"] > 0.5
    assert found["none"] < 0.5


def test_every_strength_is_a_person():
    assert set(STRENGTHS) == {"realistic", "clear", "none", "codes"}
    for strength in STRENGTHS:
        assert np.isfinite(person(strength, channels=4).session(1).epochs([0, 1])).all()
