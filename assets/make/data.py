"""Writes assets/demo, assets/demo-pairs and frames.json. Standard library only: python3 data.py"""

import json
import random
import re
from pathlib import Path

import demo_frames
import lexicon
import pairs_frames
import pairs_intents

HERE = Path(__file__).resolve().parent
SLOT = re.compile(r"\{([a-z]+)([0-9]?)([+-]?)\}")
DEMO_ROWS = {"train": 3200, "validation": 500, "test": 500}
# Rows of composed pairs. The training split also has rows of the written intents of `pairs_frames.py`, by their groups there.
PAIR_ROWS = {"train": 2000, "validation": 500, "test": 500}
WRITTEN_PAIR_ROWS = {"train": 720, "validation": 240, "test": 240}


def tidy(text):
    """Capitalizes first letters and writes `an` before a vowel."""
    text = re.sub(r"\b([Aa]) (?=[aeiouAEIOU])(?!(?:one|use|uni|eur)[a-z]*)", r"\1n ", text)
    text = re.sub(r"\bi\b", "I", text)
    return re.sub(r"(^|[.!?] )([a-z])", lambda m: m[1] + m[2].upper(), text)


def shared_pool(slot, sign):
    """The values of a slot that all domains share."""
    return {
        "adj": lambda: lexicon.ADJECTIVES[sign],
        "noun": lambda: lexicon.NOUNS[sign],
        "liked": lambda: lexicon.LIKED[sign],
        "like": lambda: lexicon.LIKE[sign],
        "comp": lambda: lexicon.COMPARATIVES[sign],
        "feel": lambda: lexicon.FEELINGS[sign],
        "verdict": lambda: lexicon.VERDICTS[sign],
        "adv": lambda: lexicon.ADVERBS,
        "who": lambda: lexicon.PEOPLE,
    }.get(slot, list)()


def domain_pool(domain, slot, sign):
    """The values of a slot that are specific to a domain."""
    if slot == "thing":
        return [one for one, _ in domain.things]
    if slot == "things":
        return [many for _, many in domain.things]
    if slot == "aspect":
        return domain.aspects
    return domain.fields.get(slot + sign, [])


def pool(domain, slot, sign, seen_only):
    """All values of a slot; with `seen_only` those that the training split may contain."""
    parts = (shared_pool(slot, sign), domain_pool(domain, slot, sign))
    values = [v for part in parts for i, v in enumerate(part) if not (seen_only and sign and lexicon.reserved(i))]
    assert values, (slot, sign)
    return values


def fill(frame, rng, seen_only):
    """A sentence of the frame with random slot values."""
    domain = rng.choice(list(lexicon.DOMAINS.values()))
    used = set()

    def value(match):
        slot, _, sign = match.groups()
        choices = pool(domain, slot, sign, seen_only)
        # Prefers adjectives of the domain in some sentences, so that both kinds occur.
        specific = [v for v in domain_pool(domain, slot, sign) if v in choices]
        if slot == "adj" and specific and rng.random() < 0.3:
            choices = specific
        choices = [c for c in choices if c not in used]
        chosen = rng.choice(choices)
        used.add(chosen)
        return chosen

    return tidy(SLOT.sub(value, frame))


def weight(frame, sign):
    """The weight of a frame: frames whose words all have the sentence's polarity are used more often."""
    opposite = {"+": "-", "-": "+"}[sign] + "}"
    return 1 if opposite in frame or (sign + "}") not in frame else 3


def demo_split(split, used):
    """The rows of a split. Labels are balanced; sentences in `used` are skipped, and new ones are added to it."""
    rng = random.Random(f"demo {split}")
    rows = []
    for label, sign in ((1, "+"), (0, "-")):
        frames = [frame for polarity, frame in demo_frames.frames(split) if polarity == sign]
        repeats = {frame: 0 for frame in frames}
        target = DEMO_ROWS[split] // 2
        count = 0
        while count < target:
            open_frames = [f for f in frames if repeats[f] < 20 for _ in range(weight(f, sign))]
            for frame in open_frames:
                sentence = fill(frame, rng, split == "train")
                if sentence.lower() in used:
                    repeats[frame] += 1
                    continue
                used.add(sentence.lower())
                rows.append((sentence, label))
                count += 1
                if count == target:
                    break
    rng.shuffle(rows)
    return rows


def write(path, header, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    for row in rows:
        assert not any("\t" in str(cell) or "\n" in str(cell) for cell in row), row
    text = "".join("\t".join(map(str, row)) + "\n" for row in [header, *rows])
    path.write_text(text, encoding="utf-8")


def slot_values():
    """All values of every slot, for the test that looks for leaks between splits."""
    values = {}
    for split in demo_frames.SPLITS:
        for _, frame in demo_frames.frames(split):
            for slot, _, sign in SLOT.findall(frame):
                everything = {v for d in lexicon.DOMAINS.values() for v in pool(d, slot, sign, False)}
                values[slot + sign] = sorted(everything)
    return dict(sorted(values.items()))


def main():
    used = set()
    for split in ("train", "validation", "test"):
        rows = demo_split(split, used)
        write(HERE.parent / "demo" / f"{split}.tsv", ("sentence", "label"), rows)
    pairs, used = {}, set()
    for split in ("train", "validation", "test"):
        rng = random.Random(f"pairs {split}")
        rows = pairs_intents.rows(split, PAIR_ROWS[split], rng, used)
        pairs[split] = pairs_intents.all_templates(split)
        if split == "train":
            for group, count in WRITTEN_PAIR_ROWS.items():
                rows += pairs_frames.rows(group, count, rng)
                pairs[split] = sorted({*pairs[split], *pairs_frames.all_frames(group)})
            rng.shuffle(rows)
        write(HERE.parent / "demo-pairs" / f"{split}.tsv", ("question1", "question2", "is_duplicate"), rows)
    frames = {
        "demo": {
            "slots": slot_values(),
            "frames": {s: [SLOT.sub(r"{\1\3}", f) for _, f in demo_frames.frames(s)] for s in demo_frames.SPLITS},
        },
        "demo-pairs": {"slots": {**pairs_frames.POOLS, **pairs_intents.synonym_slots()}, "frames": pairs},
    }
    (HERE / "frames.json").write_text(json.dumps(frames, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
