"""Intents of the `demo-pairs` task: what a question can ask, in several wordings. No intent is in two splits.

`# a:city b:city` opens an intent and names its slots. A line `= ...` is a wording of the intent's question, a line
`! ...` a question with the same things that asks for something else. Duplicates are two wordings with the
same filling; the others are `!` lines, swapped or exchanged slots, or another intent with the same things.
"""

import re

POOLS = {
    "city": "Paris|London|Rome|Berlin|Madrid|Vienna|Tokyo|Boston|Chicago|Dublin|Lisbon|Prague|Oslo|Cairo|Sydney|Toronto|Athens|Seoul",
    "country": "France|Germany|Spain|Italy|Japan|Canada|India|Brazil|Mexico|Egypt|Norway|Poland|Greece|China|Kenya|Chile|Turkey|Ireland",
    "language": "French|German|Spanish|Italian|Japanese|English|Chinese|Russian|Arabic|Greek|Turkish|Polish|Dutch|Korean",
    "format": "PDF|Word|Excel|MP3|WAV|PNG|JPEG|HTML|CSV|EPUB|MP4|text",
    "device": "phone|laptop|tablet|printer|camera|router|television|watch|console|computer",
    "animal": "dog|cat|horse|rabbit|parrot|hamster|goldfish|turtle|snake|goat|pig|duck",
    "food": "rice|bread|pasta|chicken|fish|potatoes|beans|eggs|soup|pizza|cheese|mushrooms",
    "drink": "coffee|tea|milk|wine|beer|juice|water|lemonade",
    "instrument": "piano|guitar|violin|flute|drums|trumpet|cello|saxophone",
    "sport": "tennis|football|chess|golf|hockey|basketball|cricket|volleyball|rugby|badminton",
    "subject": "physics|chemistry|biology|history|algebra|statistics|law|economics|geography|philosophy",
    "job": "doctor|lawyer|teacher|pilot|nurse|plumber|engineer|writer|dentist|baker|judge|chef",
    "car": "Toyota|Honda|Ford|Volvo|Fiat|Tesla|Audi|Mazda|Skoda|Jeep",
    "site": "Facebook|Twitter|Instagram|YouTube|Reddit|Gmail|Netflix|Spotify|Amazon|LinkedIn",
    "code": "Python|Java|Rust|Ruby|Go|Swift|Kotlin|Haskell|Perl|Scala",
    "planet": "Mars|Venus|Jupiter|Saturn|Mercury|Neptune|Uranus|the Moon",
    "metal": "gold|silver|iron|copper|zinc|lead|tin|nickel",
    "number": "two|three|four|five|six|seven|eight|nine|ten|twelve|15|20|30|40|50|100",
    "age": "six|seven|eight|nine|ten|eleven|twelve|13|14|15|30|40|50|60|70",
    "years": "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve",
    "person": "my brother|my boss|my sister|my neighbor|my friend|my teacher|my mother|my father|my son|my daughter",
    "plant": "tomatoes|roses|tulips|carrots|basil|an apple tree|a lemon tree|strawberries|onions|lettuce",
    "room": "kitchen|bathroom|bedroom|garage|cellar|living room|attic|balcony",
    "stain": "wine|coffee|blood|grass|oil|ink|chocolate|paint",
    "cloth": "carpet|shirt|sofa|jacket|dress|curtain|mattress|coat",
    "illness": "a cold|a headache|the flu|a fever|back pain|a cough|a toothache|insomnia",
    "month": "January|February|March|April|May|June|July|August|October|November|December",
    "unit": "miles|kilometers|meters|feet|inches|pounds|kilograms|ounces|liters|gallons",
    "book": "Hamlet|Moby Dick|Dracula|Frankenstein|Emma|the Odyssey|Don Quixote|Faust",
    "shape": "circle|square|triangle|sphere|cube|cone|cylinder|rectangle",
}
POOLS = {name: text.split("|") for name, text in POOLS.items()}

TRAIN = """
# a:format b:format
= How do I convert {a} to {b}?
= How can I turn a {a} file into {b}?
= What is the easiest way to change {a} files into {b} files?
= Which program makes a {b} out of a {a}?
= How do I save a {a} as {b}?
! Is {a} better than {b}?
! What is the difference between {a} and {b}?
# a:city b:city
= How do I get from {a} to {b}?
= What is the best way to travel from {a} to {b}?
= How can I go to {b} if I start in {a}?
= I am in {a}, how do I reach {b}?
! Is {a} larger than {b}?
! How far is it from {a} to {b}?
! Which is more expensive, {a} or {b}?
# a:language n:years
= How can I learn {a} in {n} months?
= Is it possible to learn {a} within {n} months?
= Can one pick up {a} in just {n} months?
= I have {n} months to study {a}, will that do?
! How can I teach {a} in {n} months?
! How can I forget {a} in {n} months?
# a:animal b:animal
= Can a {a} eat the food of a {b}?
= Is it safe to feed {b} food to my {a}?
= May I give my {a} what the {b} eats?
= Does {b} food harm a {a}?
! Can a {a} eat a {b}?
! Can a {a} live together with a {b}?
# a:food n:number
= How long should I cook {a} for {n} people?
= What is the cooking time of {a} for {n} people?
= How many minutes does {a} for {n} persons need on the stove?
! How much {a} do I need for {n} people?
! How can I keep {a} fresh for {n} days?
# a:device
= Why is my {a} so slow?
= What makes my {a} run slowly?
= What are the reasons that a {a} becomes slow?
= My {a} has become very slow, why?
! Why is my {a} so hot?
! Why is my {a} so loud?
! How do I turn off my {a}?
# a:site
= How do I delete my {a} account?
= How can I get rid of my {a} account for good?
= What is the way to remove an account from {a}?
= I want to leave {a}, how do I close my account?
! How do I create a {a} account?
! How do I recover a deleted {a} account?
! How do I delete a photo on {a}?
# a:instrument b:instrument
= Is the {a} harder to learn than the {b}?
= Is it more difficult to learn the {a} than the {b}?
= Does the {a} take more effort to learn than the {b}?
= Compared with the {b}, is the {a} a difficult instrument?
! Is the {a} easier to learn than the {b}?
! Is the {a} louder than the {b}?
# a:job
= How do I become a {a}?
= What do I have to do to become a {a}?
= What does it take to be a {a}?
= Which steps lead to a career as a {a}?
! How do I find a good {a}?
! How do I stop being a {a}?
! How much does a {a} earn?
# a:job b:job
= Does a {a} earn more than a {b}?
= Is a {a} better paid than a {b}?
= Is the salary of a {a} higher than that of a {b}?
= Do {a}s make more money than {b}s?
! Does a {a} earn less than a {b}?
! Does a {a} work longer hours than a {b}?
# a:stain b:cloth
= How do I get {a} out of a {b}?
= How can I remove a {a} stain from a {b}?
= What takes {a} spots off a {b}?
= There is {a} on my {b}, how do I clean it?
! How do I put {a} on a {b}?
! Why does {a} stay in a {b} so long?
# a:illness
= What is the best cure for {a}?
= How can I get rid of {a} quickly?
= What helps against {a}?
= Which remedy works for {a}?
! What causes {a}?
! Is {a} contagious?
# a:month b:country
= What is the weather like in {b} in {a}?
= How is the weather in {b} during {a}?
= What kind of weather should I expect in {a} in {b}?
! Which holidays does {b} have in {a}?
! Is {b} crowded in {a}?
# a:code b:code
= Should I learn {a} or {b} first?
= Which language should come first, {a} or {b}?
= As a beginner, do I start with {a} or with {b}?
! Is {a} faster than {b}?
! Can I call {a} from {b}?
! Why is {a} more popular than {b}?
# a:code b:code
= How do I translate a program from {a} to {b}?
= How can I port {a} code to {b}?
= What is a good way to rewrite a {a} program in {b}?
! Which is older, {a} or {b}?
! Do {a} programmers earn more than {b} programmers?
# a:planet
= How long does it take to fly to {a}?
= How much time does a flight to {a} need?
= After how many days does a rocket arrive at {a}?
! How far away is {a}?
! How much does it cost to fly to {a}?
# a:planet b:planet
= Is {a} bigger than {b}?
= Is {a} larger in size than {b}?
= Does {a} have a greater diameter than {b}?
! Is {a} smaller than {b}?
! Is {a} hotter than {b}?
# a:metal b:metal
= Why is {a} more expensive than {b}?
= Why does {a} cost more than {b}?
= What makes {a} dearer than {b}?
= For what reason is the price of {a} above that of {b}?
! Why is {a} cheaper than {b}?
! Why is {a} heavier than {b}?
# a:person n:number
= What should I give {a} for under {n} dollars?
= What is a good present for {a} that costs less than {n} dollars?
= Which gift can I buy {a} with {n} dollars?
! How do I ask {a} for {n} dollars?
! {a} owes me {n} dollars, what should I do?
# a:person
= How can I apologize to {a}?
= What is a good way to say sorry to {a}?
= How do I tell {a} that I am sorry?
= I hurt {a}, how do I ask for forgiveness?
! How can I get {a} to apologize to me?
! How can I avoid {a}?
# a:plant b:room
= Can I grow {a} in the {b}?
= Is it possible to grow {a} in a {b}?
= Will {a} thrive in my {b}?
! Should I paint {a} in the {b}?
! Why did {a} die in my {b}?
# a:plant
= How often should I water {a}?
= How many times a week do {a} need water?
= What is the right watering schedule for {a}?
! How often should I cut {a}?
! When should I plant {a}?
# a:room n:number
= How much does it cost to paint a {a} of {n} square meters?
= What is the price of painting a {a} with {n} square meters?
= What will I pay for painting a {n} square meter {a}?
! How long does it take to paint a {a} of {n} square meters?
! How much does it cost to heat a {a} of {n} square meters?
# a:unit b:unit n:number
= How many {b} are {n} {a}?
= What is {n} {a} in {b}?
= How do I express {n} {a} in {b}?
! Are {n} {a} more than {n} {b}?
# a:book
= Who wrote {a}?
= Who is the author of {a}?
= By whom was {a} written?
= What is the name of the writer of {a}?
! Who translated {a}?
! Who should read {a}?
! When was {a} written?
# a:country
= Do I need a visa for {a}?
= Is a visa required to visit {a}?
= Can I enter {a} without a visa?
= Must tourists get a visa before going to {a}?
! How do I extend a visa for {a}?
! How long is a visa for {a} valid?
# a:country b:country
= Can I use a driving license from {a} in {b}?
= Is a driving license of {a} valid in {b}?
= Am I allowed to drive in {b} with a license from {a}?
! Can I drive from {a} to {b}?
! Are cars from {a} cheaper in {b}?
# a:sport
= What are the rules of {a}?
= How is {a} played?
= Can someone explain the rules of {a}?
= How does one play {a}?
! Why is {a} so popular?
! Where can I watch {a}?
# a:sport n:age
= Is {n} too old to start {a}?
= Can I begin with {a} at the age of {n}?
= I am {n}, is it too late to take up {a}?
! Should a person of {n} eat before {a}?
! Who plays {a} best at {n}?
# a:car b:car
= Is a {a} more reliable than a {b}?
= Does a {a} break down less often than a {b}?
= Does a {a} need fewer repairs than a {b}?
! Is a {a} more expensive than a {b}?
! Is a {a} faster than a {b}?
# a:car n:number
= Is a {a} with {n} thousand miles worth buying?
= Should I buy a {a} that has run {n} thousand miles?
= Is it wise to purchase a {a} with {n} thousand miles on it?
! Should I sell my {a} after {n} thousand miles?
! Which oil does a {a} need after {n} thousand miles?
# a:drink n:number
= Is it healthy to drink {n} cups of {a} a day?
= Are {n} cups of {a} a day good for me?
= Is a daily dose of {n} cups of {a} fine for my health?
! How do I make {n} cups of {a}?
! What do {n} cups of {a} cost?
# a:drink b:drink
= Does {a} contain more sugar than {b}?
= Is there more sugar in {a} than in {b}?
= Has {a} a higher sugar content than {b}?
! Does {a} contain less sugar than {b}?
! Can I mix {a} with {b}?
# a:device
= How do I connect my {a} to the internet?
= How can I get my {a} online?
= What must I do to bring my {a} onto the internet?
! How do I keep my {a} off the internet?
! Where can I buy a {a} on the internet?
# a:subject
= Why do I have to study {a}?
= What is the point of learning {a}?
= For what reason should anybody learn {a}?
! How do I study {a} well?
! Why do I fail in {a}?
# a:subject b:subject
= Is {a} harder than {b}?
= Is {a} more difficult than {b}?
= Do students find {a} tougher than {b}?
! Is {a} easier than {b}?
! How is {a} used in {b}?
# a:language b:language
= What is the best app to translate {a} to {b}?
= Which app is best for translation from {a} into {b}?
= Is there a good app that turns {a} text into {b}?
! Is {a} older than {b}?
! Which one sounds nicer, {a} or {b}?
# a:animal
= How long does a {a} live?
= What is the life span of a {a}?
= How old can a {a} get?
= How many years does a {a} live on average?
! Where does a {a} live?
! How long does a {a} sleep?
# a:animal
= How do I stop my {a} from biting?
= What can I do so that my {a} does not bite?
= My {a} bites, how do I end that?
! Why does my {a} bite?
! What do I do after a {a} bite?
# a:shape
= How do I compute the area of a {a}?
= What is the formula for the area of a {a}?
= How is the area of a {a} calculated?
! How do I draw a {a}?
! What is the difference between the area and the outline of a {a}?
"""

VALIDATION = """
# a:city b:city
= Are there direct flights from {a} to {b}?
= Can I fly from {a} to {b} without a stop?
= Is there a plane that goes directly from {a} to {b}?
! Has {a} a nicer airport than {b}?
! How long is the flight from {a} to {b}?
# a:food
= How do I know when {a} is done?
= How can I tell that {a} is ready to eat?
= What shows that {a} is cooked enough?
! How do I know when {a} is spoiled?
! Where can I buy good {a}?
# a:device n:years
= My {a} is {n} years old, should I replace it?
= Is it time to buy a new {a} after {n} years?
= Should I get a new {a} when the old one is {n} years old?
! How do I make my {a} last {n} years?
! What did a {a} cost {n} years ago?
# a:site
= How do I change my password on {a}?
= How can I set a new password for {a}?
= Where do I reset the {a} password?
! How do I find out the {a} password of a friend?
! Why did {a} change its logo?
# a:instrument n:years
= Can a child of {n} learn to play the {a}?
= Is {n} a good age to start with the {a}?
= Is a child at {n} old enough for {a} lessons?
! What does a {a} for {n} players sound like?
! How can I sell a {a} for {n} dollars?
# a:job b:job
= How can I switch from being a {a} to being a {b}?
= I am a {a}, how do I become a {b}?
= What does a {a} have to do to become a {b}?
! Is a {a} happier than a {b}?
! Can a {a} marry a {b}?
# a:illness
= Can I go to work with {a}?
= Should I stay at home if I have {a}?
= Is it okay to work while I have {a}?
! Can work give me {a}?
! How long does {a} last?
# a:country b:country
= Is it cheaper to live in {a} than in {b}?
= Is life in {a} less expensive than in {b}?
= Do I need less money to live in {a} than in {b}?
! Is it safer to live in {a} than in {b}?
! Did {a} ever belong to {b}?
# a:person
= How do I become friends with {a} again?
= How can I repair the friendship with {a}?
= {a} and I had a fight, how can we be friends again?
! How do I end the friendship with {a}?
! How did {a} make so many friends?
# a:room
= How do I keep my {a} warm in winter?
= What is the best way to heat a {a} when it is cold outside?
= My {a} is too cold in winter, what can I do?
! How do I keep my {a} cool in summer?
! How do I keep my {a} clean?
# a:book
= What is {a} about?
= Can someone give me a summary of {a}?
= What happens in {a}?
! Where can I buy {a}?
! How many pages does {a} have?
# a:car
= How much is a used {a}?
= What is the price of a second-hand {a}?
= How much money do I need for a used {a}?
! How do I start a {a}?
! How much fuel does a {a} use?
# a:metal
= Does {a} rust?
= Will {a} get rusty with time?
= Is {a} safe from rust?
! Where is {a} found?
! Is {a} a good gift?
# a:sport b:sport
= Is {a} more popular than {b}?
= Do more people like {a} than {b}?
= Does {a} have more fans than {b}?
! Is {a} more dangerous than {b}?
! Is {a} less popular than {b}?
"""

TEST = """
# a:city b:city
= Should I move from {a} to {b}?
= Is it a good idea to leave {a} and live in {b}?
= I live in {a}, would a move to {b} be wise?
! Should I visit {a} or {b}?
! What does a move from {a} to {b} cost?
# a:language
= How many people speak {a}?
= What is the number of {a} speakers?
= How many speakers does {a} have?
! Why do people speak {a} so fast?
! How do people learn to speak {a}?
# a:drink n:years
= Can I keep {a} in the fridge for {n} days?
= Is {a} still good after {n} days in the fridge?
= Does {a} stay fresh in a fridge for {n} days?
! How do I live without {a} for {n} days?
! Who drinks {a} {n} times a day?
# a:device b:room
= Is it safe to use a {a} in the {b}?
= Is there any danger in using a {a} in the {b}?
= May I use a {a} in the {b} safely?
! Why does my {a} not work in the {b}?
! Who put a {a} in the {b}?
# a:site b:site
= Can I share a video from {a} on {b}?
= How do I post a video from {a} to {b}?
= Is there a way to put a {a} video on {b}?
! Is {a} owned by {b}?
! Do people prefer {a} or {b}?
# a:job n:years
= Can I become a {a} after {n} years of study?
= Is it possible to be a {a} with {n} years of study?
= Are {n} years of study enough for a {a}?
! Why do I have to pay a {a} for {n} hours?
! Do {n} out of a hundred people want a {a}?
# a:plant
= Why are my {a} dying?
= What kills my {a}?
= What is the reason that {a} die in my garden?
! How do I kill {a}?
! Why are my {a} so expensive?
# a:animal
= Is a {a} a good pet for children?
= Should I get a {a} for my kids?
= Would a {a} be the right pet for a child?
! Is a child a danger to a {a}?
! How do I train a {a}?
# a:subject
= What is the best book about {a}?
= Which book should I read to learn {a}?
= Can someone recommend a good book on {a}?
! How do I write a book about {a}?
! Who teaches {a} best?
# a:planet
= Could people live on {a}?
= Is human life possible on {a}?
= Will humans ever be able to live on {a}?
! Did people think that {a} is a god?
! Who was the first to see {a}?
# a:code n:number
= Can I get a job with {n} months of {a}?
= Are {n} months of {a} enough to get a job?
= Will anybody hire me after {n} months of {a}?
! Why did {a} take {n} months to install?
! Who invented {a} {n} years ago?
# a:country b:country
= Is it warmer in {a} than in {b}?
= Does {a} have warmer weather than {b}?
= Are the temperatures in {a} higher than in {b}?
! Is it colder in {a} than in {b}?
! Is {a} richer than {b}?
# a:cloth
= How do I wash a {a}?
= What is the right way to clean a {a}?
= Can someone explain how to get a {a} clean?
! How do I sew a {a}?
! How do I fold a {a}?
# a:person n:number
= How can I convince {a} to lend me {n} dollars?
= How do I get {a} to lend me {n} dollars?
= What should I say so that {a} lends me {n} dollars?
! How can {a} earn {n} dollars a day?
! Should I lend {n} dollars to {a}?
"""

SPLITS = {"train": TRAIN, "validation": VALIDATION, "test": TEST}


def intents(text):
    """[(slots as {letter: pool}, wordings, other questions)]"""
    found = []
    for line in text.strip().splitlines():
        mark, rest = line.split(" ", 1)
        if mark == "#":
            found.append((dict(slot.split(":") for slot in rest.split()), [], []))
        else:
            found[-1][1 if mark == "=" else 2].append(rest)
    return found


def all_frames(split):
    """Every question frame of a split, its slots called by their pools."""
    found = []
    for slots, same, other in intents(SPLITS[split]):
        found += [re.sub(r"\{([a-z])\}", lambda m: "{" + slots[m[1]] + "}", frame) for frame in same + other]
    return sorted(set(found))


def fill(frame, values):
    text = re.sub(r"\{([a-z])\}", lambda m: values[m[1]], frame)
    text = re.sub(r"\b([Aa]) (?=[AEIOUaeiou])(?!(?:one|use|uni|eur|Uranus)[a-z]*)", r"\1n ", text)
    text = re.sub(r"\b([Aa])n? (an|a|the) ", r"\2 ", text)
    return text[0].upper() + text[1:]


def draw(slots, rng):
    values = {}
    for letter, pool in slots.items():
        values[letter] = rng.choice([v for v in POOLS[pool] if v not in values.values()])
    return values


def swappable(slots):
    return slots.get("a") is not None and slots.get("a") == slots.get("b")


def positive(intent, rng):
    slots, same, _ = intent
    values = draw(slots, rng)
    first, second = rng.sample(same, 2)
    return fill(first, values), fill(second, values)


# Wordings in which the order of the two things does not matter, so that a swap would not change the question.
EITHER = (" or {b} first", ", {a} or {b}?", "start with {a} or with {b}", "between {a} and {b}")


def negative(intent, intents_of_split, rng):
    """A pair that asks two things: swapped or exchanged slots, another question, or another intent."""
    slots, same, other = intent
    values = draw(slots, rng)
    changed = dict(values)
    kind = rng.random()
    first = rng.choice(same)
    second = rng.choice(same)
    if kind < 0.35:
        second = rng.choice(other)
    elif kind < 0.7 and swappable(slots):
        plain = [f for f in same if not any(e in f for e in EITHER)]
        if len(plain) < 2:
            second = rng.choice(other)
        else:
            first, second = rng.choice(plain), rng.choice(plain)
            changed["a"], changed["b"] = values["b"], values["a"]
    elif kind < 0.9:
        letter = "n" if "n" in slots and rng.random() < 0.5 else rng.choice(list(slots))
        changed[letter] = rng.choice([v for v in POOLS[slots[letter]] if v not in values.values()])
    else:
        pools = set(slots.values())
        near = [i for i in intents_of_split if i is not intent and pools & set(i[0].values())]
        if near:
            target = rng.choice(near)
            changed = draw(target[0], rng)
            for letter, pool in target[0].items():
                for own, own_pool in slots.items():
                    if own_pool == pool and values[own] not in changed.values():
                        changed[letter] = values[own]
            second = rng.choice(target[1])
        else:
            second = rng.choice(other)
    pair = fill(first, values), fill(second, changed)
    return pair if rng.random() < 0.5 else pair[::-1]


def rows(split, count, rng):
    """`count` rows, half of them duplicates, intents equally often, no pair twice in either order."""
    all_intents = intents(SPLITS[split])
    taken, made = set(), []
    for label in (1, 0):
        done = 0
        while done < count // 2:
            for intent in all_intents:
                for _ in range(20):
                    pair = positive(intent, rng) if label else negative(intent, all_intents, rng)
                    key = frozenset(text.lower() for text in pair)
                    if key not in taken and len(key) == 2:
                        break
                else:
                    continue
                taken.add(key)
                made.append((*pair, label))
                done += 1
                if done == count // 2:
                    break
    rng.shuffle(made)
    return made
