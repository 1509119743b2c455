"""Pretrains the demo model on text of our own and writes assets/demo-model: python3 pretrain.py [MINUTES]

Four objectives on one encoder: guess the masked words and tell whether two segments belong together, as BERT does; tell
whether the author of a lone review is pleased, as its stars would; and, of a text followed by itself with a
few words exchanged, tell which. One thread, fixed seeds.
"""

import collections
import json
import sys
import time
from pathlib import Path

import numpy
import scipy.sparse
import torch
from safetensors.torch import save_file
from sklearn.utils.extmath import randomized_svd
from transformers import BertConfig, BertForPreTraining

import corpus
import demo_frames
import lexicon
import pairs_frames
import vocabulary

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parent / "demo-model"
BATCH = 32
PEAK = 1e-3
SEED = 20


def config(size):
    return BertConfig(
        vocab_size=size, hidden_size=128, num_hidden_layers=3, num_attention_heads=4, intermediate_size=256,
        max_position_embeddings=vocabulary.MAX_LENGTH, type_vocab_size=2, hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0, attn_implementation="eager",
    )


def save(model):
    """The encoder alone, half precision: what a classifier starts from."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    tensors = {name: t.detach().to(torch.float16).contiguous() for name, t in model.bert.state_dict().items()
               if "position_ids" not in name}
    save_file(tensors, FOLDER / "model.safetensors", metadata={"format": "pt"})
    (FOLDER / "model.safetensors").chmod(0o644)
    c = model.config
    fields = {
        "architectures": ["BertModel"], "model_type": "bert", "vocab_size": c.vocab_size, "hidden_size": c.hidden_size,
        "num_hidden_layers": c.num_hidden_layers, "num_attention_heads": c.num_attention_heads,
        "intermediate_size": c.intermediate_size, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1, "max_position_embeddings": c.max_position_embeddings,
        "type_vocab_size": 2, "initializer_range": 0.02, "layer_norm_eps": 1e-12, "pad_token_id": 0,
        "position_embedding_type": "absolute", "dtype": "float16",
    }
    (FOLDER / "config.json").write_text(json.dumps(fields, indent=2) + "\n")


def make_vocabulary():
    stream = corpus.Corpus("vocabulary")
    text = [segment for _ in range(30000) for segment in stream.document()[:2] if segment]
    # Words of the tasks' lists and frames belong into the vocabulary; their sentences are not learnt from.
    text += [Path(module.__file__).read_text() for module in (lexicon, demo_frames, pairs_frames)] * 2
    return vocabulary.build(text)


def company(words, documents=120_000):
    """First word vectors from counts: which words share a document (that is where praise and blame part) and which stand
    side by side (that is where kinds of words part), as pointwise mutual information brought down to the
    hidden size. The network would find the same, only far more slowly."""
    stream = corpus.Corpus("company")
    stream.set_level(0.15)
    made = vocabulary.tokenizer(words)
    size = len(words)
    wide = scipy.sparse.csr_matrix((size, size))
    near = [scipy.sparse.csr_matrix((size, size)) for _ in range(2)]
    for _ in range(documents // 10_000):
        drawn = [stream.document() for _ in range(10_000)]
        kept = [(a, b) if b else a for a, b, together, _ in drawn if together != 0]
        rows = [numpy.array(e.ids) for e in made.encode_batch(kept)]
        flat = numpy.concatenate(rows)
        owner = numpy.repeat(numpy.arange(len(rows)), [len(r) for r in rows])
        held = scipy.sparse.csr_matrix((numpy.ones(len(flat)), (owner, flat)), (len(rows), size))
        held.data[:] = 1
        wide = wide + held.T @ held
        for offset in (1, 2):
            same = owner[:-offset] == owner[offset:]
            pairs = flat[:-offset][same], flat[offset:][same]
            near[offset - 1] = near[offset - 1] + scipy.sparse.csr_matrix((numpy.ones(len(pairs[0])), pairs), (size, size))

    def information(counts):
        counts = scipy.sparse.coo_matrix(counts)
        whole = counts.sum()
        left = numpy.asarray(counts.sum(1)).ravel()
        right = numpy.asarray(counts.sum(0)).ravel() ** 0.75
        value = numpy.log(counts.data * right.sum() / (left[counts.row] * right[counts.col]) + 1e-12)
        good = (value > 0) & (counts.data > 1)
        return scipy.sparse.csr_matrix((value[good], (counts.row[good], counts.col[good])), counts.shape) if whole else counts

    wide.setdiag(0)
    both = near[0] + 0.5 * near[1]
    table = scipy.sparse.hstack([1.5 * information(wide), information(both), information(both.T)]).tocsr()
    vectors, strengths, _ = randomized_svd(table, 128, n_iter=4, random_state=SEED)
    vectors = vectors * numpy.sqrt(strengths)
    norms = numpy.linalg.norm(vectors, axis=1, keepdims=True)
    return torch.tensor(numpy.where(norms > 1e-6, 0.6 * vectors / numpy.maximum(norms, 1e-6), 0.0), dtype=torch.float32)


class Batches:
    """Tokenised, masked batches of documents of about one length."""

    def __init__(self, words):
        self.stream = corpus.Corpus(SEED)
        self.tokenizer = vocabulary.tokenizer(words)
        self.tokenizer.enable_truncation(vocabulary.MAX_LENGTH)
        self.generator = torch.Generator().manual_seed(SEED)
        index = {word: i for i, word in enumerate(words)}
        polar = [w for table in (lexicon.ADJECTIVES, lexicon.NOUNS, lexicon.LIKED, lexicon.LIKE, lexicon.COMPARATIVES,
                                 lexicon.FEELINGS, corpus.MORE_ADJECTIVES, corpus.QUALITIES, corpus.MANNERS,
                                 corpus.SUPERLATIVES, corpus.MORE_NOUNS) for side in table.values() for w in side]
        polar += list("0123456789")
        self.rate = torch.full((len(words),), 0.12)
        self.rate[[index[w] for w in polar if w in index]] = 0.3
        self.rate[:5] = 0.0
        self.size = len(words)
        self.pool = []
        self.recent = []
        counts = collections.Counter(t for _ in range(2000) for e in self.tokenizer.encode_batch(
            [self.stream.document()[0]]) for t in e.ids)
        self.frequent = {token for token, _ in counts.most_common(70)} | set(range(5))

    def changed_copy(self, ids):
        """`[CLS] text [SEP] text with some words exchanged [SEP]`: ids, segment types, which were changed."""
        rng = self.stream.rng
        inner = ids[1:-1][:60]
        copy, changed = list(inner), [0] * len(inner)
        places = [i for i, token in enumerate(inner) if token not in self.frequent]
        if places and rng.random() < 0.6:
            for place in rng.sample(places, min(len(places), rng.choice((1, 1, 2)))):
                other = rng.choice(places)
                if rng.random() < 0.5 and copy[other] != copy[place]:
                    copy[other], copy[place] = copy[place], copy[other]
                else:
                    copy[place] = rng.choice(self.recent)
        changed = [int(a != b) for a, b in zip(inner, copy)]
        whole = [2, *inner, 3, *copy, 3]
        types = [0] * (len(inner) + 2) + [1] * (len(copy) + 1)
        marks = [-100] * (len(inner) + 2) + changed + [-100]
        return whole, types, marks, any(changed)

    def next(self):
        if not self.pool:
            documents = [self.stream.document() for _ in range(BATCH * 32)]
            encoded = self.tokenizer.encode_batch([(a, b) if b else a for a, b, _, _ in documents])
            self.recent = [t for e in encoded[:200] for t in e.ids if t not in self.frequent]
            ready = []
            for (_, second, together, pleased), e in zip(documents, encoded):
                kind = "question" if second and "?" in second else "review"
                if self.stream.rng.random() < 0.15 and len(e.ids) < 40:
                    ids, types, marks, changed = self.changed_copy(e.ids)
                    ready.append((ids, types, marks, int(changed), -100, False, "copy"))
                else:
                    # Two segments that belong together carry 0, as in BERT. Words are guessed only where the
                    # segments belong together: the others would teach false company.
                    relation = -100 if together is None else 1 - together
                    stars = -100 if pleased is None else pleased
                    ready.append((e.ids, e.type_ids, [-100] * len(e.ids), relation, stars, together != 0, kind))
            ready.sort(key=lambda row: len(row[0]))
            self.pool = [ready[i:i + BATCH] for i in range(0, len(ready), BATCH)]
            self.stream.rng.shuffle(self.pool)
        group = self.pool.pop()
        width = max(len(row[0]) for row in group)
        pad = lambda at, filler: torch.tensor([row[at] + [filler] * (width - len(row[at])) for row in group])
        ids, types, marks = pad(0, 0), pad(1, 0), pad(2, -100)
        # Some documents stay whole, so that the other objectives are also learnt from whole text.
        covered = torch.tensor([[row[6] != "copy" and self.stream.rng.random() < 0.6] for row in group])
        guessed = torch.tensor([[row[5]] for row in group])
        chosen = (torch.rand(ids.shape, generator=self.generator) < self.rate[ids]) & covered
        fate = torch.rand(ids.shape, generator=self.generator)
        strangers = torch.randint(5, self.size, ids.shape, generator=self.generator)
        masked = torch.where(chosen & (fate < 0.8), 4, torch.where(chosen & (fate > 0.9), strangers, ids))
        return {
            "ids": masked, "types": types, "attention": (ids != 0).long(), "marks": marks,
            "words": torch.where(chosen & guessed, ids, -100),
            "relation": torch.tensor([row[3] for row in group]), "stars": torch.tensor([row[4] for row in group]),
            "kind": [row[6] for row in group],
        }


class Tally:
    """Shares of right answers since the last report."""

    def __init__(self):
        self.counts = {}

    def add(self, name, right, total):
        a, b = self.counts.get(name, (0.0, 0.0))
        self.counts[name] = a + float(right), b + float(total)

    def report(self):
        text = " ".join(f"{name} {a / max(b, 1):.3f}" for name, (a, b) in sorted(self.counts.items()))
        self.counts = {}
        return text


def losses(model, heads, batch, tally):
    """The four losses, summed."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden, pooled = model.bert(input_ids=batch["ids"], token_type_ids=batch["types"],
                                    attention_mask=batch["attention"], return_dict=False)
        at = batch["words"] != -100
        guesses = model.cls.predictions(hidden[at])
        belongs = model.cls.seq_relationship(pooled)
        pleased = heads["stars"](pooled)
        exchanged = heads["changed"](hidden)
    total = 0.0
    parts = (("words", guesses, batch["words"][at]), ("pairs", belongs, batch["relation"]), ("stars", pleased, batch["stars"]),
             ("exchanged", exchanged.flatten(0, 1), batch["marks"].flatten()))
    for name, scores, target in parts:
        known = target != -100
        if not known.any():
            continue
        loss = torch.nn.functional.cross_entropy(scores.float(), target, ignore_index=-100)
        total = total + loss * (0.5 if name == "words" else 1.0)
        if name == "pairs":
            for kind in ("review", "question", "copy"):
                here = known & torch.tensor([k == kind for k in batch["kind"]])
                tally.add(kind, (scores.argmax(-1) == target)[here].sum(), here.sum())
        elif name == "words":
            tally.add("words-loss", loss.item(), 1)
        else:
            tally.add(name, (scores.argmax(-1) == target)[known].sum(), known.sum())
    return total


def main():
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 12.0
    started = time.process_time()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    words = make_vocabulary()
    vocabulary.save(words, FOLDER)
    model = BertForPreTraining(config(len(words)))
    vectors = company(words)
    with torch.no_grad():
        table = model.bert.embeddings.word_embeddings.weight
        known = vectors.norm(dim=1) > 0
        table[known] = vectors[known]
    print(f"vectors for {int(known.sum())} of {len(words)} pieces after {time.process_time() - started:.0f}s", flush=True)
    heads = torch.nn.ModuleDict({"stars": torch.nn.Linear(128, 2), "changed": torch.nn.Linear(128, 2)})
    parameters = [*model.parameters(), *heads.parameters()]
    decayed = [p for p in parameters if p.dim() > 1]
    others = [p for p in parameters if p.dim() <= 1]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}],
                                  lr=PEAK, betas=(0.9, 0.98), eps=1e-6)
    batches = Batches(words)
    began = time.process_time()
    tally, step = Tally(), 0
    while True:
        done = (time.process_time() - began) / (minutes * 60)
        if done >= 1:
            break
        if step % 100 == 0:
            batches.stream.set_level(min(1.0, 0.15 + 2.2 * done))
        rate = PEAK * min(1.0, (step + 1) / 500) * max(0.02, 1 - done)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = losses(model, heads, batches.next(), tally)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        step += 1
        if step % 500 == 0:
            print(f"step {step} cpu {time.process_time() - began:.0f}s lr {rate:.1e} {tally.report()}", flush=True)
            save(model)
    save(model)


if __name__ == "__main__":
    main()
