"""A grammar of question pairs: kinds of questions, actions with synonyms, things, and comparisons.

It shares no complete question with the `demo-pairs` task: corpus.py discards matches.
"""

import re
from pathlib import Path

from pairs_frames import POOLS

HERE = Path(__file__).resolve().parent
NOUNS = (HERE / "nouns.txt").read_text().split()


def table(text):
    """A table with one row of paraphrases per line, separated by `|`."""
    return [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines() if line.strip()]


# {v} is an action in the base form. Each row is a different kind of question.
KINDS = table("""
how do i {v}? | how can i {v}? | what is the best way to {v}? | is there a way to {v}? | how does one {v}? | can someone tell me how to {v}? | i want to {v}, how? | what must i do to {v}? | how should i {v}? | what is a good way to {v}? | what is the easiest way to {v}? | which way is best to {v}?
why do people {v}? | what is the reason to {v}? | for what reason do people {v}? | why would anyone {v}? | what makes people {v}? | what is the point of it to {v}?
how much does it cost to {v}? | what is the price if i {v}? | how expensive is it to {v}? | how much money do i need to {v}? | what will i pay to {v}? | how many dollars does it take to {v}?
how long does it take to {v}? | how much time do i need to {v}? | how many hours does it take to {v}? | in what time can i {v}? | how many days will i need to {v}?
can i {v}? | may i {v}? | is it possible to {v}? | am i allowed to {v}? | is it okay to {v}? | is there any rule that i cannot {v}?
is it dangerous to {v}? | is it risky to {v}? | is there any danger if i {v}? | could it harm me to {v}? | does it hurt to {v}?
where can i {v}? | what is a good place to {v}? | in which place can i {v}? | do you know a place to {v}? | which place is best to {v}?
when should i {v}? | what is the right time to {v}? | at what time should i {v}? | which month is best to {v}?
should i {v}? | is it a good idea to {v}? | is it wise to {v}? | would it be wise to {v}? | would you {v}? | is it worth it to {v}?
what happens if i {v}? | what are the effects if i {v}? | what will follow if i {v}? | what would be the result if i {v}?
why can i not {v}? | what is the reason that i cannot {v}? | what stops me when i {v}? | why am i unable to {v}?
how do i avoid having to {v}? | how can i get around it to {v}? | how do i not {v}? | how can i live if i never {v}?
how often should i {v}? | how many times should i {v}? | how many times a week must i {v}?
do i need a license to {v}? | is a license required to {v}? | must i have a license to {v}? | can i {v} without a license?
do many people {v}? | is it common to {v}? | how many people {v}? | what is the number of people who {v}?
who can help me to {v}? | which person could help me to {v}? | who knows how to {v}? | is there anyone who can help me {v}?
""")

ACTIONS = table("""
buy | purchase | get | shop for
sell | find a buyer for
fix | repair | mend
break | destroy | damage | wreck
learn about | study | find out about | read up on
forget | stop thinking of
clean | wash | get dirt off
paint | color
cook | prepare
eat | have a bite of
find | locate | look for | search for
lose | misplace
open | unlock
close | shut | lock
start | begin | turn on | switch on
stop | end | turn off | switch off
make | create | build | produce
delete | remove | erase | get rid of
send | mail | ship
receive | get a delivery of
store | keep | save
move | carry | transport
grow | raise
kill | put an end to the life of
heat | warm up | make warm
cool | chill | make cold
increase | raise the amount of | get more of
reduce | lower | cut down on | get less of
replace | exchange | swap out | change
return | give back | bring back
borrow | take for a while
lend | give for a while
rent | pay to use for a month
insure | get insurance for
measure | find the size of
draw | make a picture of
describe | tell about | explain
hide | put out of sight | conceal
show | present | display
protect | keep safe | defend
steal | take in secret
share | use together
test | try out | check
choose | pick | select
connect | plug in | link up
install | set up
download | load from the internet
upload | post | put on the internet
print | put on paper
throw away | dispose of | dump
recycle | use again
cut | slice | chop
dry | get water out of
freeze | turn to ice
lift | pick up | raise up
hang | put on the wall
watch | look at | see
hear | listen to
love | be fond of
fear | be afraid of
hate | dislike
use | make use of | work with
decorate | make pretty | dress up
translate | say in another tongue
count | find the number of
convince | persuade | talk round
thank | say thanks to
apologize to | say sorry to | ask forgiveness of
forgive | pardon
meet | get to know | make friends with
leave | part from | break up with
help | support | give a hand to
teach | train | instruct
feed | give food to
visit | go to see | travel to | take a trip to
live near | have a home near
work with | have a job with
call | phone | ring up
invite | ask over
marry | become the husband or wife of
fire | lay off | dismiss
hire | employ | give a job to
cure | heal | treat | get over
prevent | avoid | keep away
""")

PLACES = "in the kitchen|in the car|at home|at school|in a small town|on the beach|in the winter|in the garden|on a train|at night|in the office|at the airport|in the summer|under water|in the rain".split("|")
WITHS = "with a {x}|without a {x}|for a {x}|next to a {x}|from a {x}|inside a {x}".split("|")
TIMES = "in {n} days|in {n} hours|for {n} dollars|for {n} people|{n} times|before {n} o'clock|after {n} years".split("|")

# The two sides of a comparison: what holds for the first thing, and the same stated for the second.
COMPARE = [tuple(side.split("|") for side in line.split("=")) for line in """
bigger|larger=smaller|tinier
cheaper|less expensive|lower in price=more expensive|dearer|higher in price
faster|quicker=slower|less fast
harder|more difficult|tougher=easier|simpler|less difficult
older|of greater age=younger|newer
warmer|hotter|less cold=colder|cooler|less warm
better|of higher quality=worse|of lower quality
safer|less dangerous|less risky=more dangerous|more risky|less safe
heavier|of greater weight=lighter|less heavy
healthier|better for the body=less healthy|worse for the body
better known|more famous|more popular=less famous|less known|less popular
louder|noisier=quieter|less loud
stronger|more powerful=weaker|less strong
richer|wealthier=poorer|less rich
taller|higher=shorter|lower
smarter|more intelligent|more clever=more stupid|less intelligent
closer|nearer=farther away|more distant
cleaner|less dirty=dirtier|less clean
prettier|more beautiful=uglier|less beautiful
wetter|more humid=drier|less wet
""".strip().splitlines()]
COMPARING = ["is {x} {c} than {y}?", "would you say that {x} is {c} than {y}?", "do people think {x} is {c} than {y}?",
             "compared to {y}, is {x} {c}?", "is it true that {x} is {c} than {y}?", "next to {y}, is {x} the {c} one?"]

FACTS = table("""
how old is {x}? | what is the age of {x}? | how many years has {x} been there? | in what year did {x} begin?
how tall is {x}? | what is the height of {x}? | how many meters high is {x}?
how heavy is {x}? | what is the weight of {x}? | how much does {x} weigh?
how much is {x}? | what does {x} cost? | what is the price of {x}? | how much do i pay for {x}? | how expensive is {x}?
where is {x}? | in which place is {x}? | what is the location of {x}? | where do i find {x}?
what is {x}? | what does {x} mean? | can someone explain {x}? | what is the meaning of {x}? | how would you define {x}?
who made {x}? | by whom was {x} made? | who is the maker of {x}? | what is the name of the maker of {x}?
who invented {x}? | who is the inventor of {x}? | by whom was {x} invented? | who came up with {x}?
when did {x} end? | in which year was {x} over? | when was the end of {x}?
why is {x} so good? | what makes {x} so good? | what is the reason that {x} is so good?
why is {x} so bad? | what makes {x} so bad? | what is the reason that {x} is so bad?
why is {x} so expensive? | what makes {x} so expensive? | for what reason does {x} cost so much?
why is {x} blue? | what gives {x} a blue color? | what is the reason that {x} is blue?
what are some good books on {x}? | which books on {x} are good? | can you name good books on {x}?
who owns {x}? | to whom does {x} belong? | who is the owner of {x}?
what is inside {x}? | what does {x} contain? | what are the contents of {x}? | what is {x} made of?
how does {x} work? | in what way does {x} function? | can you explain how {x} works? | what makes {x} work?
is {x} dangerous? | can {x} hurt me? | is there any danger from {x}? | is {x} a danger?
is {x} safe? | can i trust {x}? | is there nothing to fear from {x}?
is {x} still alive? | is {x} dead? | did {x} die?
does {x} last long? | how long does {x} last? | for how long will {x} hold?
where does {x} come from? | what is the origin of {x}? | from which place does {x} come?
what does {x} taste like? | how does {x} taste? | what is the taste of {x}?
what does {x} look like? | how does {x} look? | what is the look of {x}?
what are the rules for {x}? | which rules are there for {x}? | what rules apply to {x}?
what is {x} used for? | what is the use of {x}? | for what do people use {x}? | what can i do with {x}?
is {x} good for children? | can kids have {x}? | is {x} fit for a child?
is {x} open on sundays? | can i go to {x} on a sunday? | does {x} close on sundays?
is {x} ready? | is {x} done yet? | has {x} been finished?
""")
BETWEEN = table("""
how far is it from {x} to {y}? | what is the distance from {x} to {y}? | how many miles are between {x} and {y}?
how long is the way from {x} to {y}? | how many hours is it from {x} to {y}? | how much time lies on the road from {x} to {y}?
how do i walk from {x} to {y}? | which road leads me from {x} to {y}? | starting at {x}, how do i come to {y}? | i am at {x}, which way to {y}?
how do i turn {x} into {y}? | how can i make {y} out of {x}? | is there a way to change {x} to {y}? | what makes {y} from {x}?
can i use {x} in place of {y}? | may {x} replace {y}? | is it fine to take {x} if i have no {y}?
should i trade my {x} for a {y}? | is it wise to give up {x} for {y}? | i own {x}, would {y} be a good exchange?
does {x} come before {y}? | is {x} earlier than {y}? | does {y} come after {x}? | is {y} later than {x}?
did {x} cause {y}? | is {y} the result of {x}? | was {y} made to happen by {x}?
does {x} belong to {y}? | is {y} the owner of {x}? | does {y} own {x}?
did {x} beat {y}? | has {y} lost against {x}? | did {x} win against {y}?
will {x} harm {y}? | is {x} bad for {y}? | can {y} be hurt by {x}?
does {x} like {y}? | is {x} fond of {y}? | is {y} liked by {x}?
who gave {x} to {y}? | from whom did {y} get {x}? | by whom was {x} given to {y}?
does {x} have more fat than {y}? | is there more fat in {x} than in {y}? | has {y} less fat than {x}?
do {x} need more sun than {y}? | is more sun needed by {x} than by {y}? | do {y} need less sun than {x}?
do more people visit {x} than {y}? | has {x} more visitors than {y}? | has {y} fewer visitors than {x}?
i have {x}, do i also need {y}? | with {x}, is there any need for {y}? | is {y} needed if i own {x}?
""")
SAME = table("""
what is the difference between {x} and {y}? | how do {x} and {y} differ? | in what way is {x} not like {y}?
which is better, {x} or {y}? | what is better, {x} or {y}? | should one prefer {x} or {y}?
can i mix {x} and {y}? | may {x} be mixed with {y}? | do {x} and {y} go together?
who would win, {x} or {y}? | which one would win, {x} or {y}? | between {x} and {y}, who wins?
""")


def tidy(text):
    """Writes `an` before a vowel and one article instead of two."""
    return re.sub(r"\ba (?=[aeiou])", "an ", re.sub(r"\b(a|an|my|the) (a|an|the|my) ", r"\1 ", text))


class Questions:
    """Generates question pairs. `level`, 0 to 1, sets how similar the negative pairs are."""

    def __init__(self, rng):
        self.rng = rng
        self.level = 1.0
        self.pools = [values for name, values in POOLS.items() if name not in ("number",)]

    def thing(self, kind=None):
        rng = self.rng
        if kind is not None:
            return rng.choice(kind)
        roll = rng.random()
        if roll < 0.45:
            return rng.choice(["the ", "a ", "my ", "this ", ""]) + rng.choice(NOUNS)
        if roll < 0.6:
            return rng.choice(["the ", "a ", "my "]) + rng.choice(NOUNS) + " " + rng.choice(NOUNS)
        return rng.choice(rng.choice(self.pools))

    def two(self):
        """Two different things, and the pool of both or None."""
        kind = self.rng.choice(self.pools) if self.rng.random() < 0.6 else None
        x = self.thing(kind)
        y = self.thing(kind)
        while y == x:
            y = self.thing(kind)
        return x, y, kind

    def number(self, but=None):
        pool = POOLS["number"] if self.rng.random() < 0.7 else [str(self.rng.randrange(2, 100))]
        value = self.rng.choice(pool)
        return value if value != but else "eleven"

    def tail(self):
        """An optional phrase of circumstance: (frame, value of its slot)."""
        rng = self.rng
        roll = rng.random()
        if roll < 0.35:
            return None
        if roll < 0.55:
            return rng.choice(PLACES), ""
        if roll < 0.75:
            return rng.choice(WITHS), rng.choice(NOUNS)
        return rng.choice(TIMES), self.number()

    def question(self, kind, action, thing, tail):
        rng = self.rng
        verb = rng.choice(action) + " " + thing
        if tail:
            verb += " " + tail[0].replace("{x}", tail[1]).replace("{n}", tail[1])
        return rng.choice(kind).replace("{v}", verb)

    def action_pair(self, is_duplicate):
        rng = self.rng
        kind, action, thing, tail = rng.choice(KINDS), rng.choice(ACTIONS), self.thing(), self.tail()
        first = self.question(kind, action, thing, tail)
        if not is_duplicate:
            roll = rng.random()
            if roll < 0.3:
                kind = rng.choice([k for k in KINDS if k is not kind])
            elif roll < 0.55:
                action = rng.choice([a for a in ACTIONS if a is not action])
            elif roll < 0.8 or tail is None:
                old = thing
                pool = next((p for p in self.pools if thing in p), None)
                while thing == old:
                    thing = self.thing(pool)
            elif "{n}" in tail[0]:
                tail = (tail[0], self.number(tail[1]))
            else:
                tail = None if rng.random() < 0.2 else (rng.choice(PLACES), "") if tail[1] else (rng.choice(WITHS), rng.choice(NOUNS))
        return first, self.question(kind, action, thing, tail)

    def comparison_pair(self, is_duplicate):
        rng = self.rng
        x, y, _ = self.two()
        sides = rng.choice(COMPARE)
        side = rng.randrange(2)

        def question(x, y, side):
            frame = rng.choice(COMPARING)
            return frame.replace("{x}", x).replace("{y}", y).replace("{c}", rng.choice(sides[side]))

        first = question(x, y, side)
        flip = rng.random() < 0.4
        if is_duplicate:
            return first, question(y, x, 1 - side) if flip else question(x, y, side)
        roll = rng.random()
        if roll < 0.45:
            return first, question(y, x, side)
        if roll < 0.75:
            return first, question(x, y, 1 - side)
        other = rng.choice([s for s in COMPARE if s is not sides])
        if roll < 0.9:
            sides = other
        else:
            x = self.thing()
        return first, question(x, y, side)

    def fact_pair(self, is_duplicate):
        rng = self.rng
        rows = rng.choice((FACTS, FACTS, BETWEEN, BETWEEN, SAME))
        row = rng.choice(rows)
        x, y, kind = self.two()
        put = lambda frame, x, y: frame.replace("{x}", x).replace("{y}", y)
        first = put(rng.choice(row), x, y)
        if is_duplicate:
            if rows is SAME and rng.random() < 0.5:
                x, y = y, x
            return first, put(rng.choice(row), x, y)
        roll = rng.random()
        if rows is BETWEEN and roll < 0.55:
            x, y = y, x
        elif roll < 0.5:
            row = rng.choice([r for r in rows if r is not row])
        elif roll < 0.8 or rows is FACTS:
            old = x
            while x in (old, y):
                x = self.thing(kind)
        else:
            row = rng.choice(FACTS)
        return first, put(rng.choice(row), x, y)

    def pair(self, share):
        """Returns (question, question, whether they are duplicates), which a fraction `share` of the pairs are."""
        rng = self.rng
        is_duplicate = rng.random() < share
        roll = rng.random()
        make = self.action_pair if roll < 0.45 else self.comparison_pair if roll < 0.65 else self.fact_pair
        # At low levels, negative pairs are two unrelated questions.
        if not is_duplicate and rng.random() > self.level:
            first, second = make(True)[0], rng.choice((self.action_pair, self.comparison_pair, self.fact_pair))(True)[1]
        else:
            first, second = make(is_duplicate)
        if first == second and (not is_duplicate or rng.random() < 0.8 * self.level):
            return self.pair(share)
        pair = (tidy(first), tidy(second))
        return (*(pair if rng.random() < 0.5 else pair[::-1]), int(is_duplicate))
