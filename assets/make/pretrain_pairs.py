"""The second part of the pretraining of the demo model, on question pairs: python3 pretrain_pairs.py [GLUE-TUI]

The encoder of `pretrain.py` compares the words of two questions but not their order. glue-tui trains it further, without
dropout, on rows of its own grammar with the labels of reviews and of question pairs:

1. order: the same words or the same question, and the copy of a duplicate is exact; in the others two words or things are swapped;
2. comparisons: mostly questions about two things, where order, opposites and paraphrases decide together;
3. all: reviews and all kinds of question pairs;
4. reviews and actions: the same with more reviews, so that the model keeps what it knows about them.

The weights after the fourth stage know questions best, and those after the comparisons know more words of reviews. Their weighted
mean knows both. It is trained once more:

5. words: the same, and sentences of random common words, whose label is the noun in them. Without this stage the output for a
   review or a question says little about its subject, and a classifier of topics learns slowly.

The result is saved as in `pretrain.py`, with a new pooler. About 40 minutes on one core. The rows are those of
`corpus.py` and `questions.py`: none could be a row of validation or test of the tasks.
"""

import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import BertModel

import corpus
import pretrain
import questions

# Rows, epochs, batch size, learning rate, and the shares of reviews, actions, comparisons and questions about two things; the
# rest are questions about one thing.
STAGES = {
    "order": (150_000, 3, 64, 7e-4, None),
    "comparisons": (300_000, 4, 64, 7e-4, (0.25, 0.2, 0.25, 0.25)),
    "all": (700_000, 3, 96, 8e-4, (0.25, 0.33, 0.2, 0.17)),
    "reviews and actions": (300_000, 2, 96, 5e-4, (0.4, 0.3, 0.12, 0.13)),
    "words": (300_000, 2, 96, 6e-4, (0.28, 0.25, 0.1, 0.12)),
}

# Share of the sentences of random words in the last stage, and the number of nouns in them.
WORDS_SHARE = 0.22
NOUNS = 120

# Weight of the fourth stage in the mean with the comparisons.
WEIGHT = 0.75


class Pairs:
    """Generates question pairs whose two frames are often the same, so that the order of the things decides."""

    def __init__(self, stream):
        self.rng, self.questions = stream.rng, stream.questions

    def action(self, is_duplicate):
        rng, source = self.rng, self.questions
        if rng.random() < 0.7:
            return source.action_pair(is_duplicate)
        # One wording for both, so that the verb, the thing or the kind of question alone differs.
        kind, action, thing, tail = rng.choice(questions.KINDS), rng.choice(questions.ACTIONS), source.thing(), source.tail()
        opening, verb = rng.choice(kind), rng.choice(action)
        first = source.question([opening], [verb], thing, tail)
        roll = rng.random()
        if is_duplicate:
            return first, source.question([opening], action, thing, tail)
        if roll < 0.5:
            other = rng.choice([a for a in questions.ACTIONS if a is not action])
            return first, source.question([opening], other, thing, tail)
        if roll < 0.75:
            return first, source.question([opening], [verb], source.thing(), tail)
        other = rng.choice([k for k in questions.KINDS if k is not kind])
        return first, source.question(other, [verb], thing, tail)

    def comparison(self, is_duplicate):
        rng = self.rng
        x, y, _ = self.questions.two()
        sides = rng.choice(questions.COMPARE)
        side = rng.randrange(2)
        is_same_frame = rng.random() < 0.25
        frame = rng.choice(questions.COMPARING)
        other = frame if is_same_frame else rng.choice(questions.COMPARING)
        word = rng.choice(sides[side])

        def put(frame, x, y, words, kept=None):
            return frame.replace("{x}", x).replace("{y}", y).replace("{c}", kept or rng.choice(words))

        kept = word if is_same_frame else None
        first = put(frame, x, y, None, word)
        roll = rng.random()
        if is_duplicate:
            if roll < 0.4:
                return first, put(other, y, x, sides[1 - side])
            return first, put(other, x, y, sides[side], kept if rng.random() < 0.5 else None)
        if roll < 0.45:
            return first, put(other, y, x, sides[side], kept)
        if roll < 0.75:
            return first, put(other, x, y, sides[1 - side])
        if roll < 0.9:
            return first, put(other, x, y, rng.choice([s for s in questions.COMPARE if s is not sides])[side])
        return first, put(other, self.questions.thing(), y, sides[side], kept)

    def between(self, is_duplicate):
        rng = self.rng
        row = rng.choice(questions.BETWEEN)
        x, y, kind = self.questions.two()
        frame = rng.choice(row)
        other = frame if rng.random() < 0.4 else rng.choice(row)
        first = frame.replace("{x}", x).replace("{y}", y)
        roll = rng.random()
        if is_duplicate:
            other = rng.choice(row)
        elif roll < 0.6:
            x, y = y, x
        elif roll < 0.8:
            other = rng.choice(rng.choice([r for r in questions.BETWEEN if r is not row]))
        else:
            x, other = self.questions.thing(kind), rng.choice(row)
        return first, other.replace("{x}", x).replace("{y}", y)

    def order(self, is_duplicate):
        """Two copies of a few words or of a question about two things, or two words or things swapped in the second."""
        rng = self.rng
        if rng.random() < 0.5:
            words = rng.sample(corpus.NOUNS + corpus.COMMON, rng.randrange(2, 7))
            first = " ".join(words)
            if not is_duplicate:
                i, j = rng.sample(range(len(words)), 2)
                words[i], words[j] = words[j], words[i]
            return first, " ".join(words)
        if rng.random() < 0.5:
            frame = rng.choice(rng.choice(questions.BETWEEN))
        else:
            frame = rng.choice(questions.COMPARING).replace("{c}", rng.choice(rng.choice(rng.choice(questions.COMPARE))))
        x, y, _ = self.questions.two()
        first = frame.replace("{x}", x).replace("{y}", y)
        return first, first if is_duplicate else frame.replace("{x}", y).replace("{y}", x)


def documents(name, shares):
    """An endless stream of (text, second text or nothing, label)."""
    stream = corpus.Corpus(f"{pretrain.SEED} {name}")
    pairs = Pairs(stream)
    rng = stream.rng
    while True:
        is_duplicate = rng.random() < 0.5
        if shares is None:
            first, second = pairs.order(is_duplicate)
        else:
            makers = [None, pairs.action, pairs.comparison, pairs.between, stream.questions.fact_pair]
            make = rng.choices(makers, [*shares, 1 - sum(shares)])[0]
            if make is None:
                stream.question_share = 0
                review, _, is_positive = stream.document()
                yield corpus.split_markers(review)[0], "", ("negative", "positive")[is_positive]
                continue
            first, second = (questions.tidy(text) for text in make(is_duplicate))
            if first == second and (not is_duplicate or rng.random() < 0.7):
                continue
            leaks = stream.reviews.leaks
            if leaks.in_question(first) or leaks.in_question(second):
                continue
            if rng.random() < 0.5:
                first, second = second, first
        yield first, second, ("different", "same")[is_duplicate]


def sentences(name):
    """An endless stream of (random common words with one noun, nothing, the noun)."""
    rng = random.Random(name)
    nouns = random.Random(pretrain.SEED).sample(corpus.NOUNS, NOUNS)
    while True:
        noun = rng.choice(nouns)
        words = rng.sample(corpus.COMMON, rng.randrange(2, 9))
        words.insert(rng.randrange(len(words) + 1), noun)
        yield " ".join(words), "", noun


def rows(name, shares):
    """The rows of a stage."""
    if not name.startswith("words"):
        yield from documents(name, shares)
    rng, pairs, words = random.Random(f"{name} {pretrain.SEED}"), documents(name, shares), sentences(name)
    while True:
        yield next(words if rng.random() < WORDS_SHARE else pairs)


def write_rows(path, name, count, shares):
    stream = rows(name, shares)
    with open(path, "w", encoding="utf-8") as file:
        file.write("text\tsecond\tlabel\n")
        while count:
            row = next(stream)
            if not any("\t" in cell or '"' in cell for cell in row):
                file.write("\t".join(row) + "\n")
                count -= 1


def encoder(folder):
    """The encoder of a fine-tuned model, with its pooler."""
    tensors = {name.removeprefix("bert."): tensor for name, tensor in load_file(folder / "model.safetensors").items()}
    return {name: tensor for name, tensor in tensors.items() if not name.startswith("classifier")}


def train(program, model, work, name):
    """One stage; returns its best weights."""
    rows, epochs, batch, rate, shares = STAGES[name]
    write_rows(work / "train.tsv", name, rows, shares)
    write_rows(work / "validation.tsv", f"{name} validation", 3000, shares)
    settings = dict(
        model=model, task="custom", train_file=work / "train.tsv", validation_file=work / "validation.tsv", text_column="text",
        text_pair_column="second", label_column="label", learning_rate=rate, num_train_epochs=epochs,
        per_device_train_batch_size=batch, eval_steps=1000, save_steps=10_000, logging_steps=100, device="cpu", threads=1,
    )
    arguments = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    runs = work / name
    subprocess.run([program, "train", "demo", "--runs-dir", runs, *arguments], check=True)
    return next(runs.glob("*/best"))


def mean(first, second, weight):
    """The mean of two encoders, of which the second has this weight."""
    return {name: (1 - weight) * first[name] + weight * second[name] for name in second}


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else "glue-tui"
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        model = work / "model"
        shutil.copytree(pretrain.FOLDER, model)
        config = (model / "config.json").read_text().replace('hidden_dropout_prob": 0.1', 'hidden_dropout_prob": 0.0')
        (model / "config.json").write_text(config)
        encoders = {}
        for name in STAGES:
            if name == "words":
                weights = mean(encoders["comparisons"], encoders["reviews and actions"], WEIGHT)
                save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
            encoders[name] = encoder(train(program, model, work, name))
            save_file(encoders[name], model / "model.safetensors", metadata={"format": "pt"})
        weights = encoders["words"]
        trained = BertModel(pretrain.config(len((pretrain.FOLDER / "vocab.txt").read_text().splitlines())))
        trained.load_state_dict({name: tensor.to(torch.float32) for name, tensor in weights.items()})
        pretrain.save(trained)


if __name__ == "__main__":
    main()
