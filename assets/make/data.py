"""Writes assets/demo, assets/demo-pairs and frames.json. Standard library only: python3 data.py"""

import json
import random
import re
from pathlib import Path

import demo_frames
import lexicon
import pairs_frames

HERE = Path(__file__).resolve().parent
SLOT = re.compile(r"\{([a-z]+)([0-9]?)([+-]?)\}")
DEMO_ROWS = {"train": 3200, "validation": 500, "test": 500}
PAIR_ROWS = {"train": 3200, "validation": 500, "test": 500}


def tidy(text):
    """Capital first letters, and `an` before a vowel."""
    text = re.sub(r"\b([Aa]) (?=[aeiouAEIOU])(?!(?:one|use|uni|eur)[a-z]*)", r"\1n ", text)
    text = re.sub(r"\bi\b", "I", text)
    return re.sub(r"(^|[.!?] )([a-z])", lambda m: m[1] + m[2].upper(), text)


def shared_pool(slot, sign):
    """The values of a slot that do not depend on what is reviewed."""
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


def own_pool(domain, slot, sign):
    """The values of a slot for one kind of thing."""
    if slot == "thing":
        return [one for one, _ in domain.things]
    if slot == "things":
        return [many for _, many in domain.things]
    if slot == "aspect":
        return domain.aspects
    return domain.fields.get(slot + sign, [])


def pool(domain, slot, sign, seen_only):
    parts = (shared_pool(slot, sign), own_pool(domain, slot, sign))
    values = [v for part in parts for i, v in enumerate(part) if not (seen_only and sign and lexicon.reserved(i))]
    assert values, (slot, sign)
    return values


def fill(frame, rng, seen_only):
    domain = rng.choice(list(lexicon.DOMAINS.values()))
    used = set()

    def value(match):
        slot, _, sign = match.groups()
        choices = pool(domain, slot, sign, seen_only)
        # Half of the adjectives are the kind of thing's own, so that both sorts are met.
        own = [v for v in own_pool(domain, slot, sign) if v in choices]
        if slot == "adj" and own and rng.random() < 0.3:
            choices = own
        choices = [c for c in choices if c not in used]
        chosen = rng.choice(choices)
        used.add(chosen)
        return chosen

    return tidy(SLOT.sub(value, frame))


def share(frame, sign):
    """How often a frame is used: those that say plainly what they mean more often, as people do."""
    turned = {"+": "-", "-": "+"}[sign] + "}"
    return 1 if turned in frame or (sign + "}") not in frame else 3


def demo_split(split, taken):
    """Rows of a split: both labels equally often, no sentence twice."""
    rng = random.Random(f"demo {split}")
    rows = []
    for label, sign in ((1, "+"), (0, "-")):
        frames = [frame for own, frame in demo_frames.frames(split) if own == sign]
        dry = {frame: 0 for frame in frames}
        wanted = DEMO_ROWS[split] // 2
        made = 0
        while made < wanted:
            open_frames = [f for f in frames if dry[f] < 20 for _ in range(share(f, sign))]
            for frame in open_frames:
                sentence = fill(frame, rng, split == "train")
                if sentence.lower() in taken:
                    dry[frame] += 1
                    continue
                taken.add(sentence.lower())
                rows.append((sentence, label))
                made += 1
                if made == wanted:
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
    """Every slot with all that can stand in it, for the test that looks for leaks."""
    values = {}
    for split in demo_frames.SPLITS:
        for _, frame in demo_frames.frames(split):
            for slot, _, sign in SLOT.findall(frame):
                everything = {v for d in lexicon.DOMAINS.values() for v in pool(d, slot, sign, False)}
                values[slot + sign] = sorted(everything)
    return dict(sorted(values.items()))


def main():
    taken = set()
    for split in ("train", "validation", "test"):
        rows = demo_split(split, taken)
        write(HERE.parent / "demo" / f"{split}.tsv", ("sentence", "label"), rows)
    pairs = {}
    for split in ("train", "validation", "test"):
        rows = pairs_frames.rows(split, PAIR_ROWS[split], random.Random(f"pairs {split}"))
        write(HERE.parent / "demo-pairs" / f"{split}.tsv", ("question1", "question2", "is_duplicate"), rows)
        pairs[split] = pairs_frames.all_frames(split)
    frames = {
        "demo": {
            "slots": slot_values(),
            "frames": {s: [SLOT.sub(r"{\1\3}", f) for _, f in demo_frames.frames(s)] for s in demo_frames.SPLITS},
        },
        "demo-pairs": {"slots": pairs_frames.POOLS, "frames": pairs},
    }
    (HERE / "frames.json").write_text(json.dumps(frames, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
