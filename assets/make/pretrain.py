"""Pretrains the demo model on text of our own and writes assets/demo-model: python3 pretrain.py [MINUTES]

BERT's own two objectives: guess the masked words, and tell whether two segments belong together (corpus.py).
One thread, fixed seed; a given number of steps gives the same model on the same machine.
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
        vocab_size=size, hidden_size=128, num_hidden_layers=2, num_attention_heads=4, intermediate_size=512,
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
    text = [segment for _ in range(30000) for segment in stream.document()[:2]]
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
        kept = [(a, b) for a, b, together in (stream.document() for _ in range(10_000)) if together]
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

    def next(self):
        if not self.pool:
            documents = [self.stream.document() for _ in range(BATCH * 16)]
            documents.sort(key=lambda d: len(d[0]) + len(d[1]))
            groups = [documents[i:i + BATCH] for i in range(0, len(documents), BATCH)]
            self.stream.rng.shuffle(groups)
            self.pool = groups
        group = self.pool.pop()
        encoded = self.tokenizer.encode_batch([(a, b) for a, b, _ in group])
        width = max(len(e.ids) for e in encoded)
        pad = lambda rows: torch.tensor([row + [0] * (width - len(row)) for row in rows])
        ids = pad([e.ids for e in encoded])
        types = pad([e.type_ids for e in encoded])
        attention = pad([e.attention_mask for e in encoded])
        together = torch.tensor([t for _, _, t in group])
        # Some documents stay whole, so that the relation is also learnt from whole text. Words are guessed only where
        # the segments belong together: the others would teach false company.
        covered = torch.rand((len(group), 1), generator=self.generator) < 0.7
        chosen = (torch.rand(ids.shape, generator=self.generator) < self.rate[ids]) & covered
        labels = torch.where(chosen & (together == 1)[:, None], ids, -100)
        fate = torch.rand(ids.shape, generator=self.generator)
        strangers = torch.randint(5, self.size, ids.shape, generator=self.generator)
        masked = torch.where(chosen & (fate < 0.8), 4, torch.where(chosen & (fate > 0.9), strangers, ids))
        # Two segments that belong together carry 0, as in BERT.
        return masked, types, attention, labels, 1 - together, torch.tensor(["?" in a for a, _, _ in group])


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
    decayed = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}],
                                  lr=PEAK, betas=(0.9, 0.98), eps=1e-6)
    batches = Batches(words)
    began = time.process_time()
    sums, step = torch.zeros(6), 0
    while True:
        done = (time.process_time() - began) / (minutes * 60)
        if done >= 1:
            break
        if step % 100 == 0:
            batches.stream.set_level(min(1.0, 0.1 + 1.8 * done))
        rate = PEAK * min(1.0, (step + 1) / 500) * max(0.02, 1 - done)
        for group in optimizer.param_groups:
            group["lr"] = rate
        ids, types, attention, labels, relation, question = batches.next()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            hidden, pooled = model.bert(input_ids=ids, token_type_ids=types, attention_mask=attention, return_dict=False)
            at = labels != -100
            guesses = model.cls.predictions(hidden[at])
            belongs = model.cls.seq_relationship(pooled)
        guesses, belongs = guesses.float(), belongs.float()
        words_loss = torch.nn.functional.cross_entropy(guesses, labels[at])
        pair_loss = torch.nn.functional.cross_entropy(belongs, relation)
        loss = words_loss + pair_loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        right = (belongs.argmax(-1) == relation).float()
        sums += torch.tensor([words_loss.item(), pair_loss.item(), right[question].sum(), question.sum(),
                              right[~question].sum(), (~question).sum()])
        if step % 500 == 0:
            print(f"step {step} cpu {time.process_time() - began:.0f}s lr {rate:.1e} words {sums[0] / 500:.3f} "
                  f"pairs {sums[1] / 500:.3f} questions {sums[2] / sums[3]:.3f} reviews {sums[4] / sums[5]:.3f}", flush=True)
            sums.zero_()
            save(model)
    save(model)


if __name__ == "__main__":
    main()
