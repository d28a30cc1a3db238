"""Constants of the simulated participants, with their sources.

Sources, in brackets after a number:

    [data]     statistics of the 122-channel dataset, OpenNeuro ds005589: amplitudes of its 260
               low-speed runs, its timing, its filters (Xue et al., Sci Data 12:663, 2025)
    [paper]    published physiology; author and year stand there
    [template] MNE's standard_1005 electrode positions, which lie in MNI millimetres
    [chosen]   by us, so that the statistics of [data] come out; what came out is in
               docs/simulation.md

They were settled before any decoder of evoked pictures was trained on simulated people. What
decides how well a decoder does (``STRENGTHS`` and the trial-to-trial numbers) was set with the
closed-form decoder alone, whose published accuracy is known, and is not to be touched for others.
"""

from dataclasses import dataclass

# --- the head -------------------------------------------------------------------------------

CENTRE_MM = (0.8, -16.3, -1.2)  # sphere fitted to all positions [template]
RADIUS_MM = 98.6  # the same fit [template]
# Three dipoles in a homogeneous sphere that act like one inside brain, fluid, skull and scalp:
# Berg & Scherg 1994; fitted by MNE 1.13 make_sphere_model for radii .90 .92 .97 1 and
# conductivities .33 1 .004 .33 S/m, residual variance 0.003 %
BERG_MU = (0.945068, 0.667997, -0.291579)  # eccentricity of each, times that of the dipole
BERG_LAMBDA = (0.136396, 0.684063, -0.010089)  # moment of each, times that of the dipole
DEEPEST, SHALLOWEST = 0.35, 0.86  # eccentricity of sources: grey matter [chosen]
REFERENCE = ("Cz", "CPz")  # the Quik-Cap's own reference lies between these two [data]

# --- electrodes -----------------------------------------------------------------------------

# The dataset does not release its 122 names. These are ours: rows from front to back, each from
# left to right, then the lowest ring; so chosen that index 64 is Pz [chosen]
FULL_CAP = """
Fp1 Fpz Fp2 AF7 AF3 AFz AF4 AF8 F7 F5 F3 F1 Fz F2 F4 F6 F8
FFT7h FFC5h FFC3h FFC1h FFC2h FFC4h FFC6h FFT8h FT7 FC5 FC3 FC1 FCz FC2 FC4 FC6 FT8
T7 C5 C3 C1 Cz C2 C4 C6 T8 TTP7h CCP5h CCP3h CCP1h CCP2h CCP4h CCP6h TTP8h
TP7 CP5 CP3 CP1 CPz CP2 CP4 CP6 TP8 P7 P5 P3 P1 Pz P2 P4 P6 P8
PPO7h PPO5h PPO3h PPO1h PPO2h PPO4h PPO6h PPO8h PO7 PO5 PO3 PO1 POz PO2 PO4 PO6 PO8
POO7h POO5h POO3h POO1h POO2h POO4h POO6h POO8h O1 Oz O2 OI1h OI2h I1 Iz I2
F9 F10 FT9 FT10 FTT9h FTT10h T9 T10 TP9 TP10 TPP9h TPP10h P9 P10 PPO9h PPO10h
PO9 PO10 POO9h POO10h
"""
MONTAGES = {  # electrodes -> their names; common caps of that size
    122: FULL_CAP,
    64: """Fp1 Fpz Fp2 AF7 AF3 AFz AF4 AF8 F7 F5 F3 F1 Fz F2 F4 F6 F8 FT7 FC5 FC3 FC1 FCz FC2 FC4
           FC6 FT8 T7 C5 C3 C1 Cz C2 C4 C6 T8 TP9 TP7 CP5 CP3 CP1 CPz CP2 CP4 CP6 TP8 TP10 P7 P5
           P3 P1 Pz P2 P4 P6 P8 PO7 PO3 POz PO4 PO8 O1 Oz O2 Iz""",
    32: """Fp1 Fp2 F7 F3 Fz F4 F8 FC5 FC1 FC2 FC6 T7 C3 Cz C4 T8 TP9 CP5 CP1 CP2 CP6 TP10 P7 P3
           Pz P4 P8 PO9 O1 Oz O2 PO10""",
    16: "Fp1 Fp2 F3 F4 C3 Cz C4 P7 P3 Pz P4 P8 PO7 PO8 O1 O2",
    8: "Fz C3 Cz C4 Pz PO7 Oz PO8",
    4: "TP9 AF7 AF8 TP10",
}
CAP_SHIFT_DEG = 3.0  # sd a session and axis: 5 mm on the scalp [chosen]
GAIN_SPREAD = 0.05  # sd of what an electrode's contact makes of its signal [chosen]

# --- sources of the response ----------------------------------------------------------------

AREAS_MM = {  # right hemisphere, MNI; left mirrored. Early visual: V1/V2 at the calcarine;
    # lateral occipital: Malach et al. 1995; fusiform: Kanwisher et al. 1997; intraparietal
    "early": (10.0, -92.0, 2.0),
    "lateral": (43.0, -76.0, -5.0),
    "fusiform": (38.0, -54.0, -16.0),
    "parietal": (26.0, -62.0, 50.0),
}  # [paper]
PATCH_DIPOLES = 3  # per hemisphere and area, as a patch folds [chosen]
PATCH_MM = 8.0  # sd of where they lie around the area's middle [chosen]
PATCH_TURN = 0.8  # sd of their directions around the outward one, in units of it [chosen]
ANATOMY_MM = 4.0  # sd by which a person's sources lie elsewhere than the template's;
# areas of people lie millimetres apart (Frost & Goebel 2012) [chosen]
ANATOMY_TURN = 0.25  # sd of a person's directions, in units of one [chosen]
OWN_MAP = 0.25  # share of variance of the map from features to sources that is a person's own;
# the rest is everybody's, as maps of meaning are (Huth et al. 2016) [chosen]
ANATOMY_SEED = 20_250_663  # of the template: patches and maps of everybody [chosen]

# --- what drives the response ---------------------------------------------------------------

MEANING, LOOKS = 12, 4  # numbers of a picture's meaning and of its looks [chosen]
FEATURE_SEED = 5_589  # of the projections onto them [chosen]


@dataclass(frozen=True)
class Wave:
    """A bump in time of one area: a Gaussian around ``peak`` ms with an sd of ``width`` ms."""

    area: str
    peak: float  # ms after the trigger, DISPLAY_MS included
    width: float  # ms
    size: float  # common response: uV at index 64 of the template; else in units of Strength.effect
    driver: str = ""  # "meaning", "looks", or "" for what every picture evokes


DISPLAY_MS = 25.0  # the picture comes 1 to 2 frames of 60 Hz after the trigger [data]
# +3 uV at 155 ms, -1 at 215, +8 at 300, then a tail of 4 to 6 at index 64 [data]
COMMON = (
    Wave("early", 150, 20, 1.0),
    Wave("parietal", 157, 20, 2.2),
    Wave("lateral", 200, 22, -1.1),
    Wave("parietal", 217, 22, -3.1),
    Wave("parietal", 300, 42, 5.7),
    Wave("parietal", 430, 110, 5.0),
)
# Looks 80 to 150 ms after the picture, meaning from 150 on (Cichy et al. 2014: low-level
# information peaks around 100 ms, categories between 150 and 250 ms) [paper]
INFORMATION = (
    Wave("early", 105 + DISPLAY_MS, 17, 1.0, "looks"),
    Wave("lateral", 135 + DISPLAY_MS, 22, 0.7, "looks"),
    Wave("lateral", 180 + DISPLAY_MS, 28, 0.7, "meaning"),
    Wave("fusiform", 200 + DISPLAY_MS, 32, 1.0, "meaning"),
    Wave("fusiform", 285 + DISPLAY_MS, 45, 0.7, "meaning"),
    Wave("parietal", 370 + DISPLAY_MS, 70, 0.8, "meaning"),
)
RESPONSE_MS = 900.0  # length of a response where signal is continuous [chosen]


@dataclass(frozen=True)
class Strength:
    """Size of the picture response in the signal."""

    effect: float  # uV, rms over pictures of a wave of size 1 at its best electrode; 0: nothing
    quiet: float = 1.0  # factor on the background: a calm person under a good cap
    pattern: float = 0.5  # sd of what a trial adds to the features, in units of their sd


# [chosen: see top] realistic: published accuracies (8 to 13 % of 20 classes within a session);
# clear: for teaching and for comparing decoders; codes: classes without meaning
STRENGTHS = {
    "realistic": Strength(5.3),
    "clear": Strength(16.0, quiet=0.5, pattern=0.2),
    "none": Strength(0.0),
    "codes": Strength(8.0),
}
CLEAR_CLASSES = ("aeroplane", "bird", "bottle", "cat", "diningtable", "horse", "person", "train")

PEOPLE_SEED = 2_026  # of everybody who can be simulated [chosen]

# --- from person to person, session to session, trial to trial -------------------------------

PERSON_GAIN, SESSION_GAIN, TRIAL_GAIN = 0.20, 0.10, 0.30  # sd of the log of the response's size:
# by about a third from trial to trial [chosen]
PERSON_LATENCY_MS, SESSION_LATENCY_MS, TRIAL_LATENCY_MS = 8.0, 3.0, 12.0  # sd, all waves together;
# latencies vary from trial to trial (Navajas et al. 2013) [chosen]
WAVE_LATENCY_MS = 5.0  # sd of each wave by itself, by person and again by trial [chosen]

# --- background -----------------------------------------------------------------------------

LEVEL_UV, LEVEL_SPREAD = 14.0, 0.27  # median sd of a channel, and sd of its log over people:
# 10 to 25 uV over the subjects [data]
SKULL = 0.7  # share of the log of a person's level that scales the response as well: a thin skull
# lets more of both through [chosen]
SESSION_LEVEL = 0.12  # sd of the log of a session's level [chosen]
BAND_HZ = (0.1, 100.0)  # zero-phase band of the published epochs [data]
BAND_EDGE_HZ = 25.0  # width of the filter's upper edge, from BAND_HZ[1] on [data]
SLOPE = 1.4  # power falls with 1 / f ** SLOPE; 1 to 2 in awake people (He 2014) [paper]
SLOW_HZ = 0.5  # below: drifts that go on from trial to trial; above: drawn for each [chosen]
SLOW_WAVES = 24  # sinusoids that make up the drifts of a run [chosen]
CORTEX_SOURCES = 250  # dipoles all over the cortex that make up the background [chosen]
CORTEX_DEPTH = (0.48, 0.84)  # their eccentricity: many at once act like a deeper one [chosen]
COMPONENTS = 48  # principal components of these that are drawn [chosen]
SENSOR_UV = 1.0  # rms that each electrode adds by itself; with CORTEX_SOURCES it makes
# 13 components hold 95 % and 36 hold 99 % of the variance [data]
DRIFT_UV = 0.6  # rms of slow potentials of each electrode by itself [chosen]
ALPHA_UV, ALPHA_SPREAD = 6.0, 0.5  # rms at its strongest electrode, and sd of its log [chosen]
ALPHA_HZ, ALPHA_HZ_SPREAD = 10.0, 0.9  # peak over people (Haegens et al. 2014) [paper]
ALPHA_WIDTH_HZ = 0.8  # so narrow a band waxes and wanes over a second [chosen]
BLINK_UV, BLINKS_PER_S = 200.0, 0.12  # at the forehead; between reading and rest (Bentivoglio
# et al. 1997: 4.5 and 17 a minute), for people blink between pictures [paper]
BLINK_MS = 320.0  # length of a blink [chosen]
EYES_MM = (0.0, 75.0, -35.0)  # between the eyes [template]
EYE_REACH = 0.62  # radians away, a blink has 1/e of its size [chosen]
MUSCLE_PER_S, MUSCLE_UV = 0.05, 9.0  # bursts, and their rms at their middle [chosen]
MUSCLE_S, MUSCLE_REACH = 0.4, 0.35  # sd of their length, reach in radians [chosen]
MUSCLE_HZ = (20.0, 100.0)  # [paper] Goncharova et al. 2003
POPS_PER_S, POP_UV = 0.03, 120.0  # of one electrode somewhere, and their median size: runs of good
# subjects reach -600 to 1400 uV [data]
POP_S = 0.8  # time in which the high-pass of BAND_HZ forgets them, about [chosen]
HUM_HZ, HUM_UV = 50.0, 0.15  # rms that the published notch left [chosen]
BAD_SHARE = 0.012  # of electrodes, a session: noisy, popping or without contact [data: a few]
BAD_UV = 60.0  # rms of a noisy electrode: channels beyond 5 times the median exist [data]
DEAD_UV = 0.8  # rms of an electrode without contact [chosen]

# --- the experiment -------------------------------------------------------------------------

EPOCH_MS = 500  # from the trigger, sample 0, to 499 ms [data]
SOA_MS, SOA_SPREAD_MS = 2816.0, 800.0  # least time between pictures, and mean of what is added
# (exponential; median 3582 in all) [data]
BREAK_EVERY, BREAK_MS = 20, 6700.0  # pictures, and how long it is then [data]
SUBJECTS = (2, 3, 5, 9, 14, 15, 17, 19, 20, 23, 24, 28, 29)  # numbers of the course copy [data]
# three computers wrote the paths of the pictures; trials of each [data]
PATH_PREFIXES = {
    r"C:\Users\casia\Desktop\eeg_code_exp-info\pic_10000_resized": 12_000,
    r"C:\Users\Huawei\Desktop\eeg_pascal_imagenet\pic_10000_resized": 10_800,
    r"C:\Users\DELL\Desktop\eeg_code_exp-info\pic_10000_resized": 3_200,
}
