"""Question pairs of the `demo-pairs` task that are composed: an opening, an action with synonyms, and a circumstance.

A group is an action or a comparison together with a circumstance. It has slots and several meanings, and each meaning is a
list of frames that ask the same. An action, a comparison and a circumstance belong to one split, so no frame is in two.
The openings occur in all splits. With `pairs_frames.py`, whose intents are all training rows, this is the whole task;
`corpus.py` cannot generate a frame of validation or test, because no circumstance of these splits is in its grammar.
"""

import random
import re

from pairs_frames import POOLS, fill

# {v} is an action in the base form. Each row is a meaning.
OPENINGS = [row.split(" | ") for row in """
How do I {v}? | How can I {v}? | What is the best way to {v}? | Is there a good way to {v}? | Can someone tell me how to {v}? | What must I do to {v}?
Why do people {v}? | What is the reason to {v}? | For what reason do people {v}? | Why would anyone {v}?
How much does it cost to {v}? | What is the price if I {v}? | How expensive is it to {v}? | How much money do I need to {v}?
How long does it take to {v}? | How much time do I need to {v}? | How many hours does it take to {v}?
Can I {v}? | May I {v}? | Am I allowed to {v}? | Is it possible to {v}?
Is it dangerous to {v}? | Is it risky to {v}? | Is there any danger if I {v}?
Where can I {v}? | What is a good place to {v}? | Do you know a place to {v}?
When should I {v}? | What is the right time to {v}? | At what time should I {v}?
Should I {v}? | Is it a good idea to {v}? | Is it wise to {v}? | Would it be wise to {v}?
What happens if I {v}? | What are the effects if I {v}? | What would be the result if I {v}?
How often should I {v}? | How many times should I {v}?
Do I need a license to {v}? | Is a license required to {v}? | Must I have a license to {v}?
Who can help me to {v}? | Who knows how to {v}? | Is there anyone who can help me {v}?
""".strip().splitlines()]

# Synonyms of an action, and what it is done to.
ACTIONS = {
    "train": """
buy | purchase | shop for = a {device}; a {instrument}; a {car}
clean | wash | get dirt off = my {device}; a {cloth}; the {room}
paint | color = the {room}; a {shape}
cook | prepare = {food}
find | locate | look for | search for = my {device}; {person}
open | unlock = the {room}; a {format} file
turn on | switch on = my {device}
delete | remove | erase | get rid of = a {format} file
send | mail | ship = a {device}; a {instrument}
store | keep | save = {food}; {drink}
move | carry | transport = a {instrument}; a {animal}
grow | raise = {plant}
heat | warm up | make warm = the {room}; {drink}
reduce | lower | cut down on = {drink}
replace | exchange | swap out = my {device}; my {car}
borrow | take for a while = a {instrument}; a {car}
rent | pay to use for a month = a {car}; a {device}
insure | get insurance for = my {car}; my {animal}
measure | find the size of = the {room}; a {shape}
draw | make a picture of = a {animal}; a {shape}
hide | conceal | put out of sight = my {device}; {food}
protect | keep safe | defend = {plant}; {person}; my {animal}
test | try out | check = a {car}; a {device}
choose | pick | select = a {instrument}; a {car}; {food}
install | set up = a {device}
throw away | dispose of | dump = {food}; a {cloth}
feed | give food to = a {animal}
visit | go to see | travel to = {city}; {country}; {person}
convince | persuade | talk round = {person}
thank | say thanks to = {person}
meet | get to know | make friends with = {person}
call | phone | ring up = {person}; a {job}
hire | employ | give a job to = a {job}
cure | heal | treat | get over = {illness}
study | learn about | find out about | read up on = {subject}; {code}; {language}
watch | look at | see = a {animal}; {planet}
make | create | build | produce = a {shape}; a {format} file
connect | plug in | link up = my {device}
download | load from the internet = a {format} file
hear | listen to = a {instrument}; {person}
steal | take in secret = a {car}; {metal}
""",
    "validation": """
fix | repair | mend = my {device}; my {car}; a {cloth}
sell | find a buyer for = my {car}; a {instrument}; my {device}
return | give back | bring back = a {device}; a {instrument}
prevent | avoid = {illness}
invite | ask over = {person}; a {job}
close | shut | lock = the {room}
cut | slice | chop = {food}
cool | chill | make cold = {drink}; the {room}
""",
    "test": """
lend | give for a while = my {device}; my {car}; a {instrument}
dry | get water out of = a {cloth}; my {device}
freeze | turn to ice = {drink}; {food}
print | put on paper = a {format} file
upload | post | put on the internet = a {format} file
forgive | pardon = {person}
fire | lay off | dismiss = a {job}
describe | tell about | explain = {subject}; {city}; a {shape}
""",
}
CIRCUMSTANCES = {
    "train": ["", "", "", "on a Sunday", "with little money", "without any help", "for the first time", "as a student", "on vacation", "by myself", "in a big city", "this week", "before a trip"],
    "validation": ["in a hurry", "on a rainy day", "for some old friends", "after the holidays", "as soon as possible"],
    "test": ["before breakfast", "during a storm", "with cold hands", "without making noise", "as a beginner"],
}

# What holds for the first thing = what then holds for the second: the pools of things.
COMPARISONS = {
    "train": """
bigger | larger = smaller | tinier: country, planet, shape
cheaper | less expensive = more expensive | dearer: car, city, device
faster | quicker = slower | less fast: car, animal
harder | more difficult = easier | less difficult: subject, instrument, code, language
older | of greater age = younger | newer: city, country
warmer | hotter = colder | cooler: country, planet
better | of higher quality = worse | of lower quality: car, drink, site
safer | less dangerous = more dangerous | less safe: car, city, sport
heavier | of greater weight = lighter | less heavy: animal, metal
better known | more famous = less famous | less known: book, city
louder | noisier = quieter | less loud: instrument, animal
richer | wealthier = poorer | less rich: country, job
closer | nearer = farther away | more distant: planet, city
""",
    "validation": """
stronger | more powerful = weaker | less strong: animal, device
smarter | more intelligent | more clever = more stupid | less intelligent: animal
healthier | better for the body = less healthy | worse for the body: sport, drink
""",
    "test": """
cleaner | less dirty = dirtier | less clean: city, room
prettier | more beautiful = uglier | less beautiful: city, country
wetter | more humid = drier | less wet: country
""",
}
COMPARING = ["Is {x} {c} than {y}{t}?", "Would you say that {x} is {c} than {y}{t}?", "Do people think {x} is {c} than {y}{t}?", "Compared to {y}, is {x} {c}{t}?"]
COMPARING_TIMES = {"train": ["", "today", "for most people"], "validation": ["these days", "on average"], "test": ["in real life", "all in all"]}
ARTICLES = {"animal": "a ", "device": "a ", "car": "a ", "job": "a ", "instrument": "the ", "shape": "a ", "room": "the "}

# Questions about two things whose order matters; each row is a meaning, and rows below each other have the same things.
DIRECTED = {
    "train": """
# a:city b:city
How far is it from {a} to {b} by train? | What is the distance from {a} to {b} by train? | How many miles are between {a} and {b} by train?
Do more people travel from {a} to {b} than in the other direction? | Has the way from {a} to {b} more travelers than the way back?
# a:animal b:animal
Will a {a} harm a {b}? | Is a {a} bad for a {b}? | Can a {b} be hurt by a {a}?
Does a {a} like a {b}? | Is a {a} fond of a {b}? | Is a {b} liked by a {a}?
# a:person b:person
Did {a} thank {b}? | Did {b} get thanks from {a}? | Was {b} thanked by {a}?
Does {a} call {b} often? | Does {b} get many calls from {a}? | Is {b} often called by {a}?
# a:device b:device
Can I connect a {a} to a {b}? | Is it possible to plug a {a} into a {b}? | Does a {b} work with a {a} in it?
# a:book b:book
Should I read {a} before {b}? | Is it wise to read {b} after {a}? | Does {a} come before {b}?
""",
    "validation": """
# a:food b:food
Can I use {a} in place of {b} in this recipe? | May {a} replace {b} in this recipe? | Is it fine to take {a} if I have no {b} for this recipe?
# a:country b:country
Did {a} beat {b} last year? | Has {b} lost against {a} last year? | Did {a} win against {b} last year?
""",
    "test": """
# a:city b:city
Do more people visit {a} than {b} every year? | Has {a} more visitors than {b} every year? | Has {b} fewer visitors than {a} every year?
# a:drink b:drink
Does {a} have more fat than {b} per glass? | Is there more fat in {a} than in {b} per glass? | Has {b} less fat than {a} per glass?
""",
}


class Group:
    """Questions about the same things: `slots` {letter: pool}, for each meaning the frames that ask it, and all frames as
    templates whose slots are called by their pools, with the synonyms of a verb or an adjective as one slot."""

    def __init__(self, slots, meanings, templates):
        self.slots, self.meanings = slots, meanings
        self.templates = [re.sub(r"\{([a-z])\}", lambda m: "{" + slots[m[1]] + "}", frame) for frame in templates]
        self.is_directed = len(set(slots.values())) < len(slots)


def table(text):
    return [line.strip() for line in text.strip().splitlines()]


def action_groups(split):
    """For each action and thing two circumstances, with six openings each."""
    groups = []
    rng = random.Random(f"actions {split}")
    for line in table(ACTIONS[split]):
        verbs, things = line.split(" = ")
        verbs = verbs.split(" | ")
        for thing in things.split("; "):
            pool = re.search(r"\{(\w+)\}", thing)[1]
            thing = thing.replace("{" + pool + "}", "{a}")
            for circumstance in rng.sample(CIRCUMSTANCES[split], 2):
                end = f"{thing} {circumstance}".strip()
                openings = rng.sample(OPENINGS, 6)
                meanings = [[one.replace("{v}", f"{verb} {end}") for one in row for verb in verbs] for row in openings]
                templates = [one.replace("{v}", f"{{{synonyms_slot(verbs)}}} {end}") for row in openings for one in row]
                groups.append(Group({"a": pool}, meanings, templates))
    return groups


def comparison_groups(split):
    groups = []
    for line in table(COMPARISONS[split]):
        sides, pools = line.split(": ")
        one, other = [side.split(" | ") for side in sides.split(" = ")]
        for pool in pools.split(", "):
            for time in COMPARING_TIMES[split]:
                frames, templates = [], []
                for adjectives, (x, y) in ((one, "ab"), (other, "ba")):
                    for frame in COMPARING:
                        article = ARTICLES.get(pool, "")
                        put = {"x": article + "{" + x + "}", "y": article + "{" + y + "}", "t": f" {time}" if time else ""}
                        frame = re.sub(r"\{([xyt])\}", lambda m: put[m[1]], frame)
                        frames += [frame.replace("{c}", adjective) for adjective in adjectives]
                        templates.append(frame.replace("{c}", "{" + synonyms_slot(adjectives) + "}"))
                groups.append(Group({"a": pool, "b": pool}, [frames], templates))
    return groups


def directed_groups(split):
    groups = []
    for text in DIRECTED[split].strip().split("# ")[1:]:
        head, *lines = text.strip().splitlines()
        meanings = [line.split(" | ") for line in lines]
        groups.append(Group(dict(slot.split(":") for slot in head.split()), meanings, sum(meanings, [])))
    return groups


def synonyms_slot(synonyms):
    """The name of the slot of these synonyms in templates."""
    return "synonyms of " + synonyms[0]


def synonym_slots():
    """The values of each slot of synonyms."""
    lists = [line.split(" = ")[0] for split in ACTIONS for line in table(ACTIONS[split])]
    lists += [side for split in COMPARISONS for line in table(COMPARISONS[split]) for side in line.split(": ")[0].split(" = ")]
    return {synonyms_slot(synonyms): synonyms for synonyms in (text.split(" | ") for text in lists)}


def all_templates(split):
    """Every template of a split."""
    groups = action_groups(split) + comparison_groups(split) + directed_groups(split)
    return sorted({template for group in groups for template in group.templates})


def draw(slots, rng, taken=()):
    values = {}
    for letter, pool in slots.items():
        values[letter] = rng.choice([v for v in POOLS[pool] if v not in values.values() and v not in taken])
    return values


def positive(group, rng):
    frames = rng.choice([frames for frames in group.meanings if len(frames) > 1])
    first, second = rng.sample(frames, 2)
    values = draw(group.slots, rng)
    return fill(first, values), fill(second, values)


def negative(group, groups, rng):
    """A pair that asks two things: another meaning, another action or comparison, other values, or swapped ones."""
    frames = rng.choice(group.meanings)
    values = draw(group.slots, rng)
    changed = dict(values)
    first, second = rng.choice(frames), rng.choice(frames)
    related = [g for g in groups if g is not group and g.slots == group.slots and not set(g.meanings[0]) & set(group.meanings[0])]
    kinds = ["value"] + ["swap"] * 3 * group.is_directed + ["meaning"] * 2 * (len(group.meanings) > 1) + ["related"] * (len(related) > 0)
    kind = rng.choice(kinds)
    if kind == "value":
        letter = rng.choice(list(group.slots))
        changed[letter] = rng.choice([v for v in POOLS[group.slots[letter]] if v not in values.values()])
    elif kind == "swap":
        changed["a"], changed["b"] = values["b"], values["a"]
    elif kind == "meaning":
        second = rng.choice(rng.choice([m for m in group.meanings if m is not frames]))
    else:
        # The same opening where the other group has it, so that the action alone differs.
        other = rng.choice(related)
        second = rng.choice(rng.choice(other.meanings))
    pair = fill(first, values), fill(second, changed)
    return pair if rng.random() < 0.5 else pair[::-1]


def rows(split, count, rng, taken):
    """`count` rows, half of them duplicates: actions, comparisons and directed questions as 5 to 3 to 2. Pairs in `taken` are
    skipped, and new ones are added to it."""
    kinds = [(action_groups(split), 0.5), (comparison_groups(split), 0.3), (directed_groups(split), 0.2)]
    made = []
    for label in (1, 0):
        for groups, share in kinds:
            done, target = 0, round(count // 2 * share)
            while done < target:
                for group in rng.sample(groups, len(groups)):
                    for _ in range(20):
                        pair = positive(group, rng) if label else negative(group, groups, rng)
                        key = frozenset(text.lower() for text in pair)
                        if key not in taken and len(key) == 2:
                            break
                    else:
                        continue
                    taken.add(key)
                    made.append((*pair, label))
                    done += 1
                    if done == target:
                        break
    rng.shuffle(made)
    return made
