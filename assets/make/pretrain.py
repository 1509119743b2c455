"""Pretrains the demo model on text of our own and writes assets/demo-model: python3 pretrain.py [STEPS]

Two objectives on one encoder: is the author of a review pleased, as the stars beside it would tell, and do two questions
ask the same. From that alone so small a network learns slowly, so each word is asked something too: does
it stand in a clause of praise or of blame, and does the other question have it as well. The heads are thrown away.
One thread, fixed seeds.
"""

import json
import sys
import time
from pathlib import Path

import numpy
import scipy.sparse
import torch
from safetensors.torch import save_file
from sklearn.utils.extmath import randomized_svd
from transformers import BertConfig, BertModel

import corpus
import demo_frames
import lexicon
import pairs_frames
import vocabulary

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parent / "demo-model"
BATCH = 48
PEAK = 1e-3
SEED = 20
STEPS = 16_000
LOST = 0.03
MASK = vocabulary.SPECIAL.index("[MASK]")


def config(size):
    return BertConfig(
        vocab_size=size, hidden_size=128, num_hidden_layers=3, num_attention_heads=4, intermediate_size=256,
        max_position_embeddings=vocabulary.MAX_LENGTH, type_vocab_size=2, hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0, attn_implementation="eager",
        # The usual 0.02 suits a width of 768; a sixth of that width needs larger weights to start with.
        initializer_range=0.1,
    )


def save(model):
    """The encoder, half precision, with a new pooler: what a classifier starts from.

    The pooler that was pretrained would give praise and blame away: whatever new head stands on it begins far above or
    far below chance. The new one says nearly the same of every text, as those of large encoders do.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    tensors = {name: t.detach() for name, t in model.state_dict().items() if "position_ids" not in name}
    generator = torch.Generator().manual_seed(SEED)
    tensors["pooler.dense.weight"] = 0.01 * torch.randn(128, 128, generator=generator)
    tensors["pooler.dense.bias"] = torch.randn(128, generator=generator)
    tensors = {name: t.to(torch.float16).contiguous() for name, t in tensors.items()}
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
    text = [corpus.plain(segment) for _ in range(30000) for segment in stream.document()[:2] if segment]
    # Words of the tasks' lists and frames belong into the vocabulary; their sentences are not learnt from.
    text += [Path(module.__file__).read_text() for module in (lexicon, demo_frames, pairs_frames)] * 2
    return vocabulary.build(text)


def company(words, documents=120_000):
    """First word vectors from counts: which words share a document (that is where praise and blame part) and which stand
    side by side (that is where kinds of words part), as pointwise mutual information brought down to the
    hidden size. The network would find the same, only far more slowly."""
    stream = corpus.Corpus("company")
    stream.set_course(0.15, 0.15, 0.4)
    made = vocabulary.tokenizer(words)
    size = len(words)
    wide = scipy.sparse.csr_matrix((size, size))
    near = [scipy.sparse.csr_matrix((size, size)) for _ in range(2)]
    for _ in range(documents // 10_000):
        drawn = [stream.document() for _ in range(10_000)]
        kept = [(corpus.plain(a), b) if b else corpus.plain(a) for a, b, target in drawn if b is None or target]
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
    """Tokenised batches of texts of about one length."""

    def __init__(self, words):
        self.stream = corpus.Corpus(SEED)
        self.tokenizer = vocabulary.tokenizer(words)
        self.tokenizer.enable_truncation(vocabulary.MAX_LENGTH)
        self.pool = []

    def refill(self):
        """Rows are (ids, segment types, target, target of each token, whether it is a review)."""
        ready = []
        for _ in range(BATCH * 32):
            first, second, target = self.stream.document()
            text, moods = corpus.spoken(first)
            made = self.tokenizer.encode(text, second)
            if second is None:
                words = [-100 if a == b else moods[a] for a, b in made.offsets]
            else:
                sides = [{t for t, side in zip(made.ids, made.type_ids) if side == own} for own in (0, 1)]
                words = [-100 if a == b else int(token in sides[1 - side])
                         for (a, b), token, side in zip(made.offsets, made.ids, made.type_ids)]
            ready.append((made.ids, made.type_ids, target, words, second is None))
        ready.sort(key=lambda row: len(row[0]))
        self.pool = [ready[i:i + BATCH] for i in range(0, len(ready), BATCH)]
        self.stream.rng.shuffle(self.pool)

    def next(self):
        if not self.pool:
            self.refill()
        group = self.pool.pop()
        width = max(len(row[0]) for row in group)
        pad = lambda at, filler: torch.tensor([row[at] + [filler] * (width - len(row[at])) for row in group])
        ids = pad(0, 0)
        # Now and then a word is lost, so that no single one decides alone.
        lost = (torch.rand(ids.shape) < LOST) & (ids >= len(vocabulary.SPECIAL))
        return {
            "ids": torch.where(lost, MASK, ids), "types": pad(1, 0), "attention": (ids != 0).long(), "words": pad(3, -100),
            "targets": torch.tensor([row[2] for row in group]), "reviews": torch.tensor([row[4] for row in group]),
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


def loss_of(model, heads, batch, tally):
    """Cross-entropy of the texts plus that of their words, each with its objective's head."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden, pooled = model(input_ids=batch["ids"], token_type_ids=batch["types"],
                               attention_mask=batch["attention"], return_dict=False)
        scores = {name: head(hidden if "words" in name else pooled).float() for name, head in heads.items()}
    reviews = batch["reviews"]
    texts = torch.where(reviews[:, None], scores["reviews"], scores["questions"])
    words = torch.where(reviews[:, None, None], scores["words of reviews"], scores["words of questions"])
    for name, rows in (("reviews", reviews), ("questions", ~reviews)):
        known = batch["words"][rows] != -100
        tally.add(name, (texts.argmax(-1) == batch["targets"])[rows].sum(), rows.sum())
        tally.add(f"words of {name}", (words.argmax(-1) == batch["words"])[rows][known].sum(), known.sum())
    return (torch.nn.functional.cross_entropy(texts, batch["targets"])
            + torch.nn.functional.cross_entropy(words.flatten(0, 1), batch["words"].flatten(), ignore_index=-100))


def main():
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else STEPS
    started = time.process_time()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    words = make_vocabulary()
    vocabulary.save(words, FOLDER)
    model = BertModel(config(len(words)))
    vectors = company(words)
    with torch.no_grad():
        table = model.embeddings.word_embeddings.weight
        known = vectors.norm(dim=1) > 0
        table[known] = vectors[known]
        # Alike words see each other from the start: queries equal keys, and places weigh less than words.
        model.embeddings.position_embeddings.weight.mul_(0.3)
        for layer in model.encoder.layer:
            layer.attention.self.query.weight.mul_(2)
            layer.attention.self.key.weight.copy_(layer.attention.self.query.weight)
    print(f"vectors for {int(known.sum())} of {len(words)} pieces after {time.process_time() - started:.0f}s", flush=True)
    names = ("reviews", "questions", "words of reviews", "words of questions")
    heads = torch.nn.ModuleDict({name: torch.nn.Linear(128, 2) for name in names})
    parameters = [*model.parameters(), *heads.parameters()]
    decayed = [p for p in parameters if p.dim() > 1]
    others = [p for p in parameters if p.dim() <= 1]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}],
                                  lr=PEAK, betas=(0.9, 0.98), eps=1e-6)
    batches = Batches(words)
    began = time.process_time()
    tally = Tally()
    for step in range(steps):
        done = step / steps
        if step % 100 == 0:
            # Plain praise and blame first, then what turns words around; questions from the start.
            batches.stream.set_course(min(1.0, max(0.15, 5 * done)), min(1.0, max(0.15, 2.5 * done)), 0.4)
        rate = PEAK * min(1.0, (step + 1) / 500) * max(0.02, 1 - done)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = loss_of(model, heads, batches.next(), tally)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        if (step + 1) % 500 == 0:
            print(f"step {step + 1} cpu {time.process_time() - began:.0f}s lr {rate:.1e} {tally.report()}", flush=True)
            save(model)
    save(model)


if __name__ == "__main__":
    main()
