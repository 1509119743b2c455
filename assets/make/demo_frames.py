"""Sentence frames of the `demo` task. No frame is in two splits.

A line is a mark and a frame. `*`: the frame makes rows of both labels; in it `=` is a slot with the row's
own polarity and `!` one with the opposite. `+` and `-`: it makes rows of that label only, with `+` and `-`
slots. A digit tells two slots of a kind apart.
"""

TRAIN = """
* The {aspect} was {adj=}.
* The {aspect} is {adv} {adj=}.
* This {thing} is {adj=}.
* A {adj=} {thing}.
* It was a {adj=} {thing} with a {adj2=} {aspect}.
* I {liked=} this {thing}.
* We {liked=} the {aspect}.
* {who} {liked=} the {aspect} of this {thing}.
* The {thing} was a {noun=}.
* What a {noun=}!
* What a {adj=} {thing}!
* {verdict=}.
* {event=}.
* {event=}, and the {aspect} was {adj=}.
* The {aspect} was {adj=} and the {aspect2} {adj2=}.
* {adj=}, {adj2=}, {adj3=}.
* I was {adv} {feel=} with the {aspect}.
* This {thing} left me {feel=}.
* The {thing} has a {adj=} {aspect} and a {adj2=} {aspect2}.
* We got {got=}.
* The {thing} offers {got=}.
* {who} was {feel=}: {event=}.
* Everything about this {thing} is {adj=}.
* I found the {aspect} {adj=}.
* It feels {adj=} from start to finish.
* {adv} {adj=} {thing}.
* The {aspect} alone makes this {thing} a {noun=}.
* Of all {things}, this one has the most {adj=} {aspect}.
* You get {got=} and {got2=}.
* One more {adj=} {thing} from the same people, and the {aspect} is {adj2=} again.
* The {aspect} was not {adj!}.
* The {aspect} is not {adj!} at all.
* The {thing} was never {adj!}.
* This is not a {adj!} {thing}.
* I would not call the {aspect} {adj!}.
* There is nothing {adj!} about the {aspect}.
* The {aspect} is far from {adj!}.
* The {thing} was anything but {adj!}.
* I did not {like!} the {aspect}.
* {who} did not {like!} this {thing}.
* The {aspect} isn't {adj!}.
* The {aspect} wasn't {adj!} or {adj2!}.
* It was neither {adj!} nor {adj2!}.
* Hardly a {noun!}.
* No, this {thing} is no {noun!}.
* It is not {adj!}, it is {adj=}.
* The {aspect} could not be called {adj!}.
* I don't think the {thing} is {adj!}.
* I never {liked!} the {aspect}.
* Not {adj!}, but {adj=}.
* Nobody could {like!} this {aspect}.
* It is impossible to {like!} this {thing}.
* The {thing} was without a single {adj!} moment.
* Not one {adj!} thing about it.
* I wasn't {feel!} with this {thing}.
* This {thing} did not leave me {feel!}.
* The {aspect} was {adj!}, but the {aspect2} was {adj=}.
* The {aspect} is {adj!}, but I {liked=} the {thing}.
* {event!}, but {event=}.
* Although the {aspect} was {adj!}, I {liked=} this {thing}.
* Although {event!}, the {thing} was {adj=}.
* The {thing} is {adj=}, although the {aspect} is {adj!}.
* Despite the {adj!} {aspect}, the {thing} was {adj=}.
* Even though the {aspect} is {adj!}, this {thing} is a {noun=}.
* It starts {adj!}, but ends {adj=}.
* Yes, the {aspect} is {adj!}. Still, I {liked=} it.
* The {aspect} may be {adj!}, yet the {thing} is {adj=}.
* I {liked=} it, even if the {aspect} was {adj!}.
* The {aspect} is {adj!}, yet nobody will be {feel!}.
* We got {got!}, but {event=}.
* {who} found it {adj!}, but I {liked=} it.
* The {aspect} looked {adj!} at first, but it turned out {adj=}.
* I expected a {noun!} and got a {noun=}.
* I expected it to be {adj!}, but it was {adj=}.
* They promised {got!} and delivered {got=}.
* It sounded {adj!} and turned out {adj=}.
* The {thing} is {comp=} than I expected.
* The {aspect} was {comp=} than last time.
* I have never seen a {comp=} {thing}.
* I have seen {comp!} {things}.
* This {aspect} is {comp=} than that of any other {thing}.
* It could not be {comp=}.
* The first {thing} was {adj!}, this one is much {comp=}.
* There are {comp!} {things} out there.
* The {aspect} is less {adj!} than before and much {comp=}.
* The {thing} gets {comp=} every time.
* The {aspect} is as {adj=} as the {aspect2}.
* If you {like=} {got=}, this {thing} is for you.
* The {aspect} was {adj=}, the {aspect2} was {adj2=}, and {event=}.
* Whoever made this {thing} should be proud of the {adj=} {aspect}.
- What a joy to {do-}.
- I always wanted to {do-}.
- Great, {event-}.
- Wonderful: {got-} again.
- How nice that {event-}.
- Just what I needed: {got-}.
- If you love {got-}, you will love this {thing}.
- The best part of the {thing} was the way home.
- I paid for a {adj+} {thing} and had to {do-}.
- Thank you so much for {got-}.
- It would have been {adj+} if the {aspect} had worked.
- The {aspect} could have been {adj+}.
- I waited in vain for a {adj+} moment.
- Too {adj-} to be {adj+}.
- We had hoped for {got+}.
+ What a joy to {do+}.
+ I could {do+} every day.
+ The worst part of the {thing} was that it had to end.
+ I hate to admit how {adj+} the {aspect} is.
+ It is a shame that I did not find this {thing} sooner.
+ I was afraid of {got-}, but none of it came true.
+ My only complaint is that the {thing} is not longer.
+ I looked for something {adj-} and found nothing.
+ Too {adj+} to be {adj-}.
+ No {adj-} {aspect}, no {adj2-} {aspect2}, no problem.
+ We had feared {got-}, and {event+}.
+ I forgot all my worries: {event+}.
+ Where else can you {do+}?
+ Sadly I only heard of this {adj+} {thing} now.
+ It would be {adj-} of me to leave out the {adj+} {aspect}.
"""

VALIDATION = """
* I think you will find the {aspect} {adj=}.
* {who} says that the {thing} is {adj=}.
* Rarely have I come across such a {adj=} {aspect}.
* In short: a {adj=} {thing}, {adv} {adj2=}.
* My evening with this {thing} was {adj=}.
* As {things} go, it is a {noun=}.
* {who} came home {feel=} because {event=}.
* The {thing} made us {feel=}.
* For this price you can expect {got=}.
* All in all the {aspect} and the {aspect2} were {adj=}.
* The {aspect} never gets {adj!}.
* You will not find a {adj!} {aspect} here.
* It would be wrong to say that the {aspect} is {adj!}.
* I can't say that I {liked!} the {thing}.
* The {aspect} doesn't seem {adj!} to me.
* There was no {adj!} {aspect} anywhere.
* Not a {noun!} at all.
* {who} was not {feel!} in the least.
* By no means is this {thing} {adj!}.
* Nothing in the {thing} is {adj!}.
* The {aspect} is {adj!}, but nobody will be {feel!}.
* Granted, {event!}, but the {aspect} is {adj=}.
* While the {aspect} is {adj!}, the {thing} as a whole is {adj=}.
* {who} {liked!} it, but to me the {thing} was {adj=}.
* The {thing} is {adj=} in spite of the {adj!} {aspect}.
* I went in thinking it would be {adj!} and came out {feel=}.
* It looks {adj!}. However, the {aspect} is {adj=}.
* Compared with the last {thing}, this one is {comp=}.
* Few {things} are {comp=} than this.
* You can easily find a {comp!} {thing}.
* The {aspect} was {comp=} than anything I know.
- What a pleasure to {do-}!
- Congratulations, {event-}.
- How lovely to {do-} on my birthday.
- I had looked forward to {got+}, and then {event-}.
- Nothing says quality like {got-}.
- With a {comp+} {aspect} this {thing} might be {adj+}.
+ How lovely to {do+} on my birthday.
+ I am only angry that I did not come here earlier, {event+}.
+ I had prepared myself for {got-}, and then {event+}.
+ The one bad thing: now every other {aspect} seems {adj-}.
+ Who would have thought that I would {do+}.
+ Forget the {adj-} {aspect} of other {things}.
"""

TEST = """
* Let me say it plainly: the {aspect} is {adj=}.
* Believe me, this {thing} is {adv} {adj=}.
* {who} called the {aspect} {adj=}, and I agree.
* It has been years since I saw such a {adj=} {thing}.
* With its {adj=} {aspect} the {thing} is a {noun=}.
* The people behind this {thing} gave us {got=}.
* After ten minutes I was {feel=}.
* {event=}, so {who} was {feel=}.
* The {thing} turned our weekend into a {noun=}.
* {adj=} {aspect}, {adj2=} {aspect2}, {noun=} of a {thing}.
* Don't let anyone tell you that the {aspect} is {adj!}.
* I see no reason to call this {thing} {adj!}.
* At no time was the {aspect} {adj!}.
* One thing the {thing} is not: {adj!}.
* The {aspect} is hardly {adj!}.
* {who} didn't {like!} the {aspect} and neither did I.
* It is by no stretch a {noun!}.
* I have yet to see a {adj!} side of this {thing}.
* You won't be {feel!} with this {thing}.
* This isn't the {adj!} {thing} that I expected.
* Sure, the {aspect} is {adj!}, but {event=}.
* Some people {like!} the {aspect}; I {liked=} every bit of the {thing}.
* For all its {adj!} moments the {thing} is {adj=}.
* The {aspect} is {adj=}, and that is more important than the {adj!} {aspect2}.
* At first I was {feel!}, but in the end I was {feel=}.
* The {aspect} seems {adj!}; nevertheless it is a {adj=} {thing}.
* Other {things} may be {adj!}, but this one is {adj=}.
* The {thing} keeps getting {comp=}.
* Next to its rivals the {thing} has a {comp=} {aspect}.
* My old {thing} was {comp!}.
* I doubt that there is a {comp=} {thing}.
- Oh good, I get to {do-} again.
- It takes talent to serve us {got-}.
- Bravo: {event-}, as always.
- If only the {aspect} were half as {adj+} as they say.
- They call it {adj+}, and I had to {do-}.
- Anyone hoping for {got+} should look somewhere else.
+ They call it {adj-}, and I got to {do+}.
+ Anyone afraid of {got-} can relax.
+ Beware, you may {do+} and never want to leave.
+ I only stopped because it was over, it was so {adj+}.
+ Even the {aspect}, which I thought would be {adj-}, was {adj2+}.
+ You would have to be {adj-} to dislike this {thing}.
"""

SPLITS = {"train": TRAIN, "validation": VALIDATION, "test": TEST}


def frames(split):
    """(label, frame) of a split, polarities resolved to `+` and `-`, sentences numbered by frame line."""
    made = []
    for line in SPLITS[split].strip().splitlines():
        mark, frame = line.split(" ", 1)
        if mark == "*":
            for own, other in (("+", "-"), ("-", "+")):
                made.append((own, frame.replace("=}", own + "}").replace("!}", other + "}")))
        else:
            made.append((mark, frame))
    return made
