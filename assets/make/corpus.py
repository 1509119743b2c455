"""The pretraining corpus of the demo model: reviews with a sentiment label, and question pairs.

No text is copied. The frames differ from those of the tasks, and sentences that a validation or test frame of a task
could generate are discarded (`LeakFilter`). A document is a review with its label, or a question pair with the label
whether both are duplicates.
"""

import random
import re
from pathlib import Path

import demo_frames
import lexicon
import pairs_frames
import questions

HERE = Path(__file__).resolve().parent
NOUNS = (HERE / "nouns.txt").read_text().split()
COMMON = (HERE / "common.txt").read_text().split()
SLOT = re.compile(r"\{([a-z]+)([0-9]?)([+\-=!]?)\}")


def lines(text):
    return [line.strip() for line in text.strip().splitlines() if line.strip()]


# Words that are not in the word lists of the tasks, so that the model also knows words that the demo does not
# contain.
MORE_ADJECTIVES = {
    "+": lexicon.words("""fine cool helpful kind neat decent super glad worthy handsome pretty joyous soothing calm bright
        juicy yummy crunchy creamy rich fluffy silky crisp neat tidy safe simple easy accurate efficient valuable
        precious affordable cheap-and-cheerful courteous caring welcoming cordial gracious humorous witty thrilling
        believable credible realistic intelligent deep profound accomplished talented gifted skilled wise noble
        daring bold fearless ambitious seamless effortless harmonious balanced subtle timeless essential
        fortunate lucky hopeful merry jolly happy romantic cute lovable likeable marvellous favorite favourite beloved
        cherished popular celebrated acclaimed legendary iconic priceless unbeatable unmatched unique modern sleek
        stylish chic luxurious classy roomy airy bright well-made well-done well-cooked well-kept rock-solid
        dependable trustworthy sincere truthful punctual timely quick swift light portable waterproof great
        pleased ecstatic overjoyed blissful dazzled astonishing extraordinary mesmerizing heartwarming life-affirming
        thought-provoking laugh-out-loud feel-good must-see action-packed fast-paced colorful colourful imaginative creative
        innovative clear crystal-clear loud-and-clear effective productive beneficial healthy nutritious wholesome"""),
    "-": lexicon.words("""poor wrong sick sorry evil mean cruel harsh hostile hateful horrid horrific gross nauseating foul
        rotten rancid sour bitter tough chewy rubbery mushy watery dry oily undercooked raw inedible tepid
        wasteful costly unfair dishonest crooked fraudulent misleading deceptive fake false phony untrue unsafe hazardous
        shaky wobbly loose cracked damaged torn scratched rusty leaky worn stained sticky greasy grimy musty
        stinky drab dingy dark ill-lit tacky gaudy outdated obsolete old-fashioned backward primitive slow-moving
        plodding draggy lengthy endless interminable exhausting draining wearisome mind-numbing soporific
        unoriginal derivative formulaic stereotyped hokey corny sappy maudlin sentimental manipulative phony
        implausible nonsensical illogical senseless meaningless aimless witless brainless clueless ignorant foolish
        idiotic moronic absurd childish immature lazy careless negligent sloppy unskilled untrained untalented
        inadequate insufficient unacceptable unsatisfactory unsatisfying unimpressive unremarkable underwhelming so-so
        second-rate third-rate subpar inconsistent uneven jumbled garbled scattered noisy loud ear-splitting
        disturbing upsetting troubling shocking scary unfriendly impatient snobby bossy pushy greedy sleazy
        unfortunate unlucky hopeless wretched rude-looking ruined spoiled wasted crappy sucky cringeworthy dumb
        ineffective impractical inconvenient uncomfortable unhealthy unhygienic disastrous tragic"""),
}
QUALITIES = {
    "+": lexicon.words("""charm wit warmth humor humour style taste heart energy imagination soul comfort quality magic beauty patience
        skill care passion wisdom depth talent grace fun joy laughter kindness elegance creativity flair suspense
        substance originality professionalism courtesy class intelligence truth tension emotion flavor value"""),
    "-": lexicon.words("""noise dirt mistakes errors bugs ads holes cliches problems trouble boredom pain nonsense garbage
        delays stains flaws complaints excuses lies smoke crashes defects weaknesses issues glitches rudeness hype
        gaps waste grease mold dust stress chaos confusion mess disappointment disappointments surprises-of-the-bad-kind
        annoyance anger regret hassle tricks fees queues drawbacks faults failures typos cockroaches bad-smells"""),
}
ACTS = {  # (finite, base)
    "+": [p.split("/") for p in lexicon.words("""works/work shines/shine delivers/deliver succeeds/succeed delights/delight charms/charm
        impresses/impress wins/win pleases/please inspires/inspire excels/excel entertains/entertain amazes/amaze
        sparkles/sparkle rocks/rock satisfies/satisfy dazzles/dazzle thrills/thrill convinces/convince improves/improve helps/help
        moves-me/move-me makes-me-smile/make-me-smile surprises-me/surprise-me runs-well/run-well""")],
    "-": [p.split("/") for p in lexicon.words("""fails/fail disappoints/disappoint bores/bore annoys/annoy breaks/break crashes/crash drags/drag
        stinks/stink suffers/suffer collapses/collapse falls-apart/fall-apart falls-flat/fall-flat flops/flop sucks/suck irritates/irritate
        disgusts/disgust hurts/hurt leaks/leak freezes/freeze smells/smell insults/insult frustrates/frustrate
        lets-me-down/let-me-down puts-me-to-sleep/put-me-to-sleep goes-nowhere/go-nowhere wastes-my-time/waste-my-time""")],
}
PAST_ACTS = {
    "+": lines("""
        worked well
        made me laugh
        made me smile
        delighted us
        surprised me in a good way
        won me over
        was worth the money
        was worth the wait
        was worth every cent
        exceeded my hopes
        saved the day
        held my attention
        was a pleasure
        touched my heart
        came on time
        arrived in perfect condition
        was easy to use
        tasted like heaven
        cheered me up
        made our day
        lived up to the hype
        was on point
        was done with love
    """),
    "-": lines("""
        did not work
        made me cringe
        made me yawn
        let us down
        surprised me in a bad way
        lost me halfway
        was a waste of money
        was not worth the wait
        was not worth a cent
        fell short of my hopes
        ruined the day
        lost my attention
        was a pain
        left me cold
        came late
        arrived damaged
        was hard to use
        tasted like cardboard
        wore me out
        spoiled our day
        did not live up to the hype
        was off
        was done without care
        broke down
        stopped working
        gave me a headache
        drove me crazy
        was ruined
        was a bad joke
    """),
}
MANNERS = {
    "+": lexicon.words("well beautifully perfectly brilliantly nicely superbly wonderfully lovingly skillfully masterfully smoothly elegantly"),
    "-": lexicon.words("badly poorly horribly terribly sloppily carelessly awfully clumsily lazily miserably wrongly amateurishly"),
}
SUPERLATIVES = {
    "+": lexicon.words("best greatest finest nicest funniest smartest loveliest sweetest happiest freshest friendliest cleanest strongest"),
    "-": lexicon.words("worst dullest ugliest silliest dumbest weakest poorest saddest laziest dirtiest rudest slowest lamest"),
}
MORE_NOUNS = {
    "+": lexicon.words("success beauty miracle pearl champion star milestone must-have keeper winner smash knockout paradise heaven improvement steal"),
    "-": lexicon.words("trash garbage junk rubbish crap abomination misery horror pain travesty mistake trap hoax rip-off hell failure problem insult"),
}
MADE = lexicon.words("made written cooked done built designed played told acted filmed organized planned served prepared directed staged sung packed")
EXCESS = lexicon.words("long loud short small expensive salty slow heavy dark hot cold sweet hard complicated crowded thin late far big old simple")
WORTH = ["the money", "the wait", "the price", "the time", "the trip", "your time", "a visit", "a try", "a look", "seeing", "reading", "buying", "it", "the effort"]
CHEERS = ["great", "wonderful", "bravo", "thanks", "how nice", "lovely", "fantastic", "well done", "perfect", "brilliant", "oh joy", "good job", "nice work"]
REPAIRS = ["it would be fun if", "it could be great if", "i would like it more if"]
RATINGS = {
    "+": ["5 stars.", "rating: 5", "4 of 5 points.", "9 of 10.", "8 / 10", "i give it a 9.", "grade: a", "five out of five.", "top grade."],
    "-": ["1 star.", "rating: 1", "2 of 5 points.", "1 of 10.", "3 / 10", "i give it a 2.", "grade: f", "one out of five.", "worst grade."],
}
GOODBYES = ["go elsewhere", "try another place", "stay at home", "do something better", "save your time", "keep your money"]

FRAMES = """
9 {s} {be} {adj=}
4 {s} {be} {adv} {adj=}
4 {s} {be} {adj=} and {adj2=}
9 {s} {not} {adj!}
4 {s} {not} {adv} {adj!}
2 {s} {not} {adj!} or {adj2!}
2 {s} {be} not {adj!} but {adj=}
5 {i} {liked=} {s}
4 {i} {didnot} {like!} {s}
2 {i} {like=} {s}
2 {i} {dont} {like!} {s}
4 {s} {be} a {noun=}
2 {s} {be} a {adj=} {noun=}
2 {s} {be} a {adj=} {thing}
3 {s} {not} a {noun!}
3 {s} {not} a {adj!} {thing}
3 {s} made {me} {feel=}
3 {i} {was} {feel=}
3 {i} {wasnot} {feel!}
5 {event=}
3 there {was} {adj=} {aspect} and {adj2=} {aspect2}
3 {no} {adj!} {aspect}
3 {s} {be} full of {quality=}
2 {s} has {quality=} and {quality2=}
3 {s} {has} no {quality!}
3 {s} {be} without {quality!}
3 {s} lacks {quality!}
2 no {quality!}, no {quality2!}
2 we had no {quality!}
2 so much {quality=}
2 {s} {act=}
3 {s} never {act!}
3 {s} {doesnot} {actbase!}
1 {s} is sure to {actbase=}
5 {s} {pastact=}
2 {s} was {manner=} {made}
2 a {manner=} {made} {thing}
2 {s} was never {manner!} {made}
3 the {sup=} {thing} i have ever {seen}
3 one of the {sup=} {things} of {time}
2 the {sup=} {thing} in {place}
2 by far the {sup=} {aspect}
3 {s} {be} {comp=} than {than}
2 {s} {not} {comp!} than {than}
2 nothing {be} {comp=} than {this}
2 {i} {neverhad} {comp=} {things}
2 there {be} nothing {comp=}
1 {i} {hope} for a {comp!} {thing}
2 {s} used to be {adj!}, now {it} is {adj=}
2 once {adj!}, now {adj=}
1 {s} went from {adj!} to {adj=}
2 {it} feels like a {noun=}
2 how {adj=}
2 such a {adj=} {thing}
2 so {adj=}
2 {adj=} {aspect}, {adj2=} {aspect2}
2 {adj=} {aspect} and {adj2=} {aspect2}
2 {i} was expecting something {adj!} but {event=}
3 {verdict=}
2 thanks to the {adj=} {aspect} {event=}
2 {got=} and {got2=}
2 {i} found {got=}
2 {s} has {got=}
2 no sign of {got!}
1 instead of {got!} {i} got {got=}
2 {person} thinks that {s} {be} {adj=}
2 {i} think {s} {be} {adj=}
2 {i} {dont} think {s} {be} {adj!}
1 everybody says {it} is {adj=} and they are right
2 everybody says {it} is {adj!} but they are wrong
1 everyone except me {liked!} it
2 {the} {adj=} {aspect} {pastact=}
2 {s} was as {adj=} as promised
2 {s} was not as {adj!} as {i} feared
2 {i} {cannot} call {it} {adj!}
2 {s} is neither {adj!} nor {adj2!}
1 {s} {be} nothing but {adj=}
1 {s} {be} everything but {adj!}
1 nobody can say that {it} is {adj!}
2 {s} is not {adj!} any more
2 {feel=} with {s}
2 never {feel!}
2 not {feel!} at all
2 {not0} {adj!} at all
1 {s} leaves you {feel=}
2 {quality=} is what {it} has
2 {quality!} is what {it} lacks
3 worth {worth} +
3 not worth {worth} -
2 hardly worth {worth} -
2 {s} is not worth {worth} -
2 {s} is well worth {worth} +
2 {i} would {buy} it again +
2 {i} would never {buy} it again -
2 {i} will never come back -
2 {i} will surely come back +
2 {i} recommend {s} +
2 {i} can only recommend it +
2 {i} do not recommend {s} -
2 {i} cannot recommend it -
1 {i} cannot praise {s} enough +
1 {i} cannot thank them enough +
1 {i} cannot get enough of {s} +
1 {i} could not stop {doing} it +
1 {i} could hardly stay awake -
1 {i} could not stand {s} -
1 {i} could not wait to leave -
3 {s} {be} too {excess} -
1 too {excess}, too {excess2} -
1 {s} {be} much too {excess} -
2 {i} expected more -
2 {i} hoped for more -
2 {i} got more than {i} paid for +
2 better than {i} thought +
1 worse than {i} thought -
1 {i} wish there were more of it +
2 {i} wish {i} had read the reviews first -
2 {i} wish {i} had never {seen} it -
1 {i} wish {i} had gone somewhere else -
1 {i} wish {i} had come sooner +
3 {cheer}, {event-} -
2 {cheer}, {got-} -
3 {cheer}, {event+} +
2 {cheer}, {adj+} {aspect} +
3 what a {noun+} to {do-} -
2 what fun to {do-} -
2 {i} love to {do-} -
2 {i} love to {do+} +
2 {i} got to {do+} +
2 {i} had to {do-} -
2 there is nothing like {got-} in the morning -
2 thanks for {got-} -
2 thanks for {got+} +
2 {s} could have been {adj+} -
2 {s} should have been {adj+} -
2 {s} wants to be {adj+} and fails -
2 {s} tries to be {adj+} -
2 {repair} {s} were {adj+} -
1 all that was missing was {got+} -
2 they promised {got+} but {event-} -
1 they call this {adj+} -
2 so much for a {adj+} {thing} -
1 would rather {do-} than see this again -
1 {goodbye} -
2 a pity that it was over +
2 too bad that it had to end +
1 {i} was sad to leave +
1 my only regret is that {i} did not buy two +
1 the only problem is that {i} want more +
1 {i} was wrong to fear {got-} +
2 {i} doubted it at first and now {i} {like+} it +
2 {i} had my doubts, but {event+} +
1 {i} cried because it was so {adj+} +
1 warning: you will {like+} it +
"""

JOINS = """
5 {c=} and {c2=}
3 {c=}, and {c2=}
2 {c=} because {c2=}
2 {c=}, so {c2=}
1 {c=} since {c2=}
7 {c!}, but {c=}
3 {c!} but {c=}
2 {c!}, yet {c=}
3 although {c!}, {c=}
2 though {c!}, {c=}
2 even though {c!}, {c=}
1 while {c!}, {c=}
3 {c=}, although {c!}
2 {c=} even though {c!}
2 {c=}, though {c!}
2 despite the {adj!} {aspect}, {c=}
2 despite the {adj!} {aspect} {c=}
2 {c=} despite the {adj!} {aspect}
1 despite {got!} {c=}
1 in spite of {got!}, {c=}
2 {c!}. however, {c=}
2 {c!}. still, {c=}
1 {c!}. nevertheless, {c=}
1 {c!}. but {c=}
1 {c!}, but in the end {c=}
1 {c!} at first, but then {c=}
1 at first {c!}, then {c=}
1 maybe {c!}. but {c=}
1 {person} said that {c!}, but {c=}
1 {c=}, no matter that {c!}
1 apart from the {adj!} {aspect} {c=}
1 not only {event=}, but also {event2=}
1 {c=}. what is more, {c2=}
2 {c=}; {c2=}
1 {c=}: {c2=}
"""

NEUTRAL = lines("""
    we went there on {day}
    i bought it {time}
    {person} gave it to me
    we were {number} people
    i ordered it online
    it was {day} evening
    i live near the {noun}
    it comes with a {noun} and a {noun2}
    the {noun} is next to the {noun2}
    this is my {number} {thing}
    i came with {person}
    we stayed {number} days
    i wear a {color} {noun}
    there is a {noun} in the {aspect}
    they also sell a {noun}
    i used it for {number} weeks
    the {thing} is about a {noun} and a {noun2}
    it was made in {place}
""")
FILL = {
    "be": ["is", "was", "was", "is", "seems", "felt", "looked", "has been", "feels", "sounded", "turned out", "remains", "'s"],
    "not": ["is not", "was not", "isn't", "wasn't", "is never", "was never", "is hardly", "was not at all", "doesn't feel",
            "did not seem", "was barely", "is certainly not", "isn't even", "is no longer", "does not look", "never felt", "is in no way"],
    "not0": ["not", "not even", "certainly not", "really not", "never"],
    "i": ["i", "i", "i", "we", "{person}", "i really", "we all"],
    "me": ["me", "us", "{person}"],
    "was": ["was", "am", "felt", "left", "came home"],
    "wasnot": ["was not", "wasn't", "was never", "am not"],
    "didnot": ["did not", "didn't", "never", "could not", "couldn't"],
    "dont": ["do not", "don't", "cannot", "can't", "don't really"],
    "cannot": ["cannot", "can't", "could not", "would not", "won't"],
    "doesnot": ["does not", "doesn't", "did not", "didn't", "will not", "won't", "cannot"],
    "no": ["no", "not one", "not a single", "there is no", "there was never a", "without a", "i saw no"],
    "has": ["has", "had", "offers", "shows"],
    "neverhad": ["have never had", "never saw", "rarely see", "have not seen", "don't know any"],
    "hope": ["hope", "look", "wait", "wish"],
    "seen": ["seen", "read", "had", "tried", "bought", "used", "visited", "heard"],
    "time": ["all time", "the year", "my life", "the season", "last week", "yesterday", "last year", "this summer", "in may"],
    "place": ["town", "the world", "the city", "the country", "the area", "our street", "china", "germany"],
    "than": ["ever", "before", "expected", "the others", "the last one", "anything else", "most {things}", "my old {thing}", "i feared", "i hoped"],
    "this": ["this", "this {thing}", "that", "it"],
    "it": ["it", "this", "this {thing}", "the {aspect}"],
    "the": ["the", "its", "their", "that"],
    "buy": ["buy", "do", "watch", "read", "order", "book", "try", "use"],
    "doing": ["reading", "watching", "using", "eating", "playing"],
    "day": ["monday", "tuesday", "friday", "sunday", "a rainy", "an ordinary"],
    "color": ["red", "blue", "green", "black", "white", "yellow"],
    "number": ["two", "three", "four", "five", "six", "ten", "2", "3", "7", "12"],
    "s": ["the {aspect}", "the {aspect}", "the {aspect}", "this {thing}", "the {thing}", "it", "it", "this", "their {aspect}", "its {aspect}",
          "everything", "the whole {thing}", "my {thing}", "the {aspect} of the {thing}", "our {thing}", "the {noun}", "the {noun}",
          "this {noun}", "the {aspect} here", "all of it", "she", "he", "that {thing}", "the {aspect} and the {aspect2}"],
}


class LeakFilter:
    """Finds sentences that a validation or test frame of the tasks could generate."""

    def __init__(self):
        def regex(frame, slot):
            parts = re.split(slot, re.sub(r"\b([Aa]) (?=\{)", "an? ", frame.lower().strip(" .!?")))
            return "(?:.{1,40})".join(part if part.startswith("an? ") else re.escape(part).replace(r"an\?\ ", "an? ") for part in parts)

        demo = [regex(f, r"\{[^}]*\}") for s in ("validation", "test") for _, f in demo_frames.frames(s)]
        pairs = [regex(f, r"\{[^}]*\}") for s in ("validation", "test") for f in pairs_frames.all_frames(s)]
        self.review = re.compile("|".join(sorted({f"(?:{r})" for r in demo})))
        self.question = re.compile("|".join(sorted({f"(?:{r})" for r in pairs})))

    def in_review(self, text):
        return any(self.review.fullmatch(part.strip()) for part in [text, *re.split(r"[.;] ", text)])

    def in_question(self, text):
        return self.question.fullmatch(text.strip(" ?")) is not None


def weighted(block):
    """Parses lines `weight frame` into {polarity: (frames, weights, whether the frame has words of the opposite polarity)}.
    A final `+` or `-` restricts a frame to that polarity."""
    table = {"+": ([], [], []), "-": ([], [], [])}
    for line in lines(block):
        weight, frame = line.split(" ", 1)
        only = frame[-1] if frame[-2:] in (" +", " -") else None
        for sign in "+-":
            if only in (None, sign):
                table[sign][0].append(frame[:-2] if only else frame)
                table[sign][1].append(int(weight))
                table[sign][2].append("!}" in frame or ("-}" if sign == "+" else "+}") in frame)
    return table


# Markers of the begin and end of a positive or negative clause in a segment; `split_markers` removes them.
OPEN, CLOSE = {"+": "\x01", "-": "\x02"}, "\x03"


def plain(text):
    """The text without clause markers."""
    return re.sub("[\x01-\x03]", "", text)


def split_markers(text):
    """The text without markers, and a label per character: 1 in a positive clause, 0 in a negative one, -100 outside."""
    characters, labels, label = [], [], -100
    for character in text:
        if character in "\x01\x02\x03":
            label = {"\x01": 1, "\x02": 0, "\x03": -100}[character]
        else:
            characters.append(character)
            labels.append(label)
    return "".join(characters), labels


class Reviews:
    """Generates reviews."""

    def __init__(self, rng):
        self.rng = rng
        self.leaks = LeakFilter()
        self.domains = list(lexicon.DOMAINS.values())
        self.set_level(1.0)

    def set_level(self, level):
        """Sets the weight of frames that contain words of the opposite polarity, from 0 to 1."""
        self.level = level

        def weigh(table):
            return {sign: (frames, [w * level * 0.6 if has_opposite else w for w, has_opposite in zip(weights, opposite)])
                    for sign, (frames, weights, opposite) in table.items()}

        self.frames, self.joins = weigh(weighted(FRAMES)), weigh(weighted(JOINS))

    def value(self, domain, slot, sign, depth):
        rng = self.rng
        if slot == "c":
            return OPEN[sign] + self.clause(sign, domain, depth) + CLOSE
        if slot in FILL:
            return self.expand(rng.choice(FILL[slot]), sign, domain, depth)
        if slot == "adj":
            kind = rng.random()
            if kind < 0.25:
                return rng.choice(domain.fields["adj" + sign])
            return rng.choice(lexicon.ADJECTIVES[sign] if kind < 0.65 else MORE_ADJECTIVES[sign])
        if slot in ("event", "do", "got"):
            return rng.choice(domain.fields[slot + sign])
        if slot in ("act", "actbase"):
            return rng.choice(ACTS[sign])[slot == "actbase"].replace("-", " ")
        if slot == "thing":
            return rng.choice(NOUNS) if rng.random() < 0.15 else rng.choice(domain.things)[0]
        if slot == "things":
            return rng.choice(domain.things)[1]
        if slot == "aspect":
            return rng.choice(NOUNS) if rng.random() < 0.25 else rng.choice(domain.aspects)
        return rng.choice({
            "noun": NOUNS if not sign else (lexicon.NOUNS[sign] + MORE_NOUNS[sign]),
            "liked": lexicon.LIKED.get(sign), "like": lexicon.LIKE.get(sign), "comp": lexicon.COMPARATIVES.get(sign),
            "feel": lexicon.FEELINGS.get(sign), "verdict": lexicon.VERDICTS.get(sign), "quality": QUALITIES.get(sign),
            "pastact": PAST_ACTS.get(sign), "manner": MANNERS.get(sign), "sup": SUPERLATIVES.get(sign),
            "adv": lexicon.ADVERBS, "person": lexicon.PEOPLE + ["she", "he"], "made": MADE, "excess": EXCESS,
            "worth": WORTH, "cheer": CHEERS, "repair": REPAIRS, "goodbye": GOODBYES,
        }[slot])

    def expand(self, frame, sign, domain, depth=0):
        def substitute(match):
            slot, _, mark = match.groups()
            polarity = {"=": sign, "!": "-" if sign == "+" else "+"}.get(mark, mark)
            return self.value(domain, slot, polarity, depth)
        return SLOT.sub(substitute, frame)

    def clause(self, sign, domain, depth=0):
        frames, weights = self.frames[sign]
        if depth == 0 and self.rng.random() < 0.4:
            frames, weights = self.joins[sign]
        return self.expand(self.rng.choices(frames, weights)[0], sign, domain, depth + 1)

    def unit(self, sign, domain):
        for _ in range(20):
            text = self.clause(sign, domain)
            text = re.sub(r"\ba (?=[aeiou])(?!(?:one|use|uni)[a-z]*)", "an ", text).replace(" 's ", "'s ")
            if not self.leaks.in_review(plain(text)):
                break
        else:
            text = self.rng.choice(lexicon.VERDICTS[sign])
        if CLOSE not in text:
            text = OPEN[sign] + text + CLOSE
        return self.add_noise(text)

    def add_noise(self, text):
        """Sometimes inserts an unrelated word or a filler, so that the model is robust to them."""
        rng = self.rng
        if rng.random() < 0.08:
            parts = text.split(" ")
            parts.insert(rng.randrange(len(parts) + 1), rng.choice(COMMON + NOUNS))
            text = " ".join(parts)
        if rng.random() < 0.1:
            text = rng.choice(["well, ", "honestly, ", "in my opinion ", "overall ", "to be fair, ", "and ", "so ", "for me ", "sorry, ", "i must say "]) + text
        return text + rng.choice([".", ".", ".", ".", "!", "", " .", "..."])

    def segment(self, sign, domain, count):
        units = [self.unit(sign, domain) for _ in range(count)]
        if self.rng.random() < 0.15:
            units.insert(self.rng.randrange(len(units) + 1), self.expand(self.rng.choice(NEUTRAL), sign, domain) + ".")
        return " ".join(units)


class Corpus:
    """An endless stream of documents."""

    def __init__(self, seed):
        self.rng = random.Random(f"corpus {seed}")
        self.reviews = Reviews(self.rng)
        self.questions = questions.Questions(self.rng)
        self.set_difficulty(1.0, 1.0, 0.4)

    def set_difficulty(self, reviews, questions, question_share):
        """Sets the level of reviews (see `Reviews.set_level`) and of question pairs (see `Questions`), and the fraction of
        documents that are question pairs; all are 0 to 1."""
        self.reviews.set_level(reviews)
        self.questions.level = questions
        self.question_share = question_share

    def document(self):
        """Returns (review with markers, None, 1 if positive) or (question, question, 1 if duplicates)."""
        rng = self.rng
        if rng.random() >= self.question_share:
            sign = rng.choice("+-")
            return self.reviews.segment(sign, rng.choice(self.reviews.domains), 1 if rng.random() < 0.9 else 2), None, int(sign == "+")
        while True:
            first, second, is_duplicate = self.questions.pair(0.5)
            leaks = self.reviews.leaks
            if not leaks.in_question(first) and not leaks.in_question(second):
                return first, second, int(is_duplicate)


if __name__ == "__main__":
    corpus = Corpus(0)
    for _ in range(60):
        print(*corpus.document(), sep=" | ")
