"""Pretrains the demo model on the generated corpus and writes assets/demo-model: python3 pretrain.py [STEPS]

One encoder is trained on two sequence tasks: whether a review is positive, and whether two questions are duplicates.
Since so small a network learns slowly from these alone, there are two token tasks as well: whether a word is in a
positive or a negative clause, and whether the other question also contains it. The heads are discarded.
Uses one thread and fixed seeds.
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
PEAK_LR = 1e-3
SEED = 20
STEPS = 16_000
MASK_PROBABILITY = 0.03
MASK = vocabulary.SPECIAL.index("[MASK]")


def config(size):
    return BertConfig(
        vocab_size=size, hidden_size=128, num_hidden_layers=3, num_attention_heads=4, intermediate_size=256,
        max_position_embeddings=vocabulary.MAX_LENGTH, type_vocab_size=2, hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0, attn_implementation="eager",
        # The usual 0.02 suits a hidden size of 768; a sixth of that needs larger initial weights.
        initializer_range=0.1,
    )


def save(model):
    """Saves the encoder in half precision with a new pooler.

    The pretrained pooler already separates positive from negative texts, so that a new head on it would start far above or
    below chance. The output of the new pooler is nearly the same for every text, as in large encoders.
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
        "attention_probs_dropout_prob": 0.0, "max_position_embeddings": c.max_position_embeddings,
        "type_vocab_size": 2, "initializer_range": 0.02, "layer_norm_eps": 1e-12, "pad_token_id": 0,
        "position_embedding_type": "absolute", "dtype": "float16",
    }
    (FOLDER / "config.json").write_text(json.dumps(fields, indent=2) + "\n")


def make_vocabulary():
    stream = corpus.Corpus("vocabulary")
    text = [corpus.plain(segment) for _ in range(30000) for segment in stream.document()[:2] if segment]
    # The words in the source files of the task lists and frames, including their comments, are part of the vocabulary: an
    # edit of these files changes it. The model is not trained on them.
    text += [Path(module.__file__).read_text() for module in (lexicon, demo_frames, pairs_frames)] * 2
    return vocabulary.build(text)


def initial_embeddings(words, documents=120_000):
    """Initial word embeddings from co-occurrence counts, within a document (which separates positive from negative words)
    and in adjacent positions (which separates parts of speech): their pointwise mutual information, reduced to the hidden
    size by SVD. They make pretraining much faster."""
    stream = corpus.Corpus("company")
    stream.set_difficulty(0.15, 0.15, 0.4)
    tokenizer = vocabulary.build_tokenizer(words)
    size = len(words)
    document_counts = scipy.sparse.csr_matrix((size, size))
    neighbor_counts = [scipy.sparse.csr_matrix((size, size)) for _ in range(2)]
    for _ in range(documents // 10_000):
        sample = [stream.document() for _ in range(10_000)]
        texts = [(corpus.plain(a), b) if b else corpus.plain(a) for a, b, target in sample if b is None or target]
        rows = [numpy.array(e.ids) for e in tokenizer.encode_batch(texts)]
        flat = numpy.concatenate(rows)
        document = numpy.repeat(numpy.arange(len(rows)), [len(r) for r in rows])
        occurrences = scipy.sparse.csr_matrix((numpy.ones(len(flat)), (document, flat)), (len(rows), size))
        occurrences.data[:] = 1
        document_counts = document_counts + occurrences.T @ occurrences
        for offset in (1, 2):
            same = document[:-offset] == document[offset:]
            pairs = flat[:-offset][same], flat[offset:][same]
            counts = scipy.sparse.csr_matrix((numpy.ones(len(pairs[0])), pairs), (size, size))
            neighbor_counts[offset - 1] = neighbor_counts[offset - 1] + counts

    def pmi(counts):
        """Positive pointwise mutual information."""
        counts = scipy.sparse.coo_matrix(counts)
        total = counts.sum()
        left = numpy.asarray(counts.sum(1)).ravel()
        right = numpy.asarray(counts.sum(0)).ravel() ** 0.75
        value = numpy.log(counts.data * right.sum() / (left[counts.row] * right[counts.col]) + 1e-12)
        positive = (value > 0) & (counts.data > 1)
        return scipy.sparse.csr_matrix((value[positive], (counts.row[positive], counts.col[positive])), counts.shape) if total else counts

    document_counts.setdiag(0)
    neighbors = neighbor_counts[0] + 0.5 * neighbor_counts[1]
    table = scipy.sparse.hstack([1.5 * pmi(document_counts), pmi(neighbors), pmi(neighbors.T)]).tocsr()
    vectors, strengths, _ = randomized_svd(table, 128, n_iter=4, random_state=SEED)
    vectors = vectors * numpy.sqrt(strengths)
    norms = numpy.linalg.norm(vectors, axis=1, keepdims=True)
    return torch.tensor(numpy.where(norms > 1e-6, 0.6 * vectors / numpy.maximum(norms, 1e-6), 0.0), dtype=torch.float32)


class Batches:
    """Tokenized batches of texts of similar length."""

    def __init__(self, words):
        self.stream = corpus.Corpus(SEED)
        self.tokenizer = vocabulary.build_tokenizer(words)
        self.tokenizer.enable_truncation(vocabulary.MAX_LENGTH)
        self.pool = []

    def refill(self):
        """Fills the pool with batches of rows (ids, segment ids, target, target of each token, whether it is a review)."""
        ready = []
        for _ in range(BATCH * 32):
            first, second, target = self.stream.document()
            text, labels = corpus.split_markers(first)
            encoding = self.tokenizer.encode(text, second)
            if second is None:
                words = [-100 if a == b else labels[a] for a, b in encoding.offsets]
            else:
                sides = [{t for t, side in zip(encoding.ids, encoding.type_ids) if side == segment} for segment in (0, 1)]
                words = [-100 if a == b else int(token in sides[1 - side])
                         for (a, b), token, side in zip(encoding.offsets, encoding.ids, encoding.type_ids)]
            ready.append((encoding.ids, encoding.type_ids, target, words, second is None))
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
        # Masks some words, so that the model does not depend on single ones.
        is_masked = (torch.rand(ids.shape) < MASK_PROBABILITY) & (ids >= len(vocabulary.SPECIAL))
        return {
            "ids": torch.where(is_masked, MASK, ids), "types": pad(1, 0), "attention": (ids != 0).long(), "words": pad(3, -100),
            "targets": torch.tensor([row[2] for row in group]), "reviews": torch.tensor([row[4] for row in group]),
        }


class Accuracies:
    """Accuracy of each task since the last report."""

    def __init__(self):
        self.counts = {}

    def add(self, name, correct, total):
        a, b = self.counts.get(name, (0.0, 0.0))
        self.counts[name] = a + float(correct), b + float(total)

    def report(self):
        text = " ".join(f"{name} {a / max(b, 1):.3f}" for name, (a, b) in sorted(self.counts.items()))
        self.counts = {}
        return text


def loss_of(model, heads, batch, accuracies):
    """The cross-entropy of the sequence tasks plus that of the token tasks."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden, pooled = model(input_ids=batch["ids"], token_type_ids=batch["types"],
                               attention_mask=batch["attention"], return_dict=False)
        scores = {name: head(hidden if "words" in name else pooled).float() for name, head in heads.items()}
    reviews = batch["reviews"]
    texts = torch.where(reviews[:, None], scores["reviews"], scores["questions"])
    words = torch.where(reviews[:, None, None], scores["words of reviews"], scores["words of questions"])
    for name, rows in (("reviews", reviews), ("questions", ~reviews)):
        known = batch["words"][rows] != -100
        accuracies.add(name, (texts.argmax(-1) == batch["targets"])[rows].sum(), rows.sum())
        accuracies.add(f"words of {name}", (words.argmax(-1) == batch["words"])[rows][known].sum(), known.sum())
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
    vectors = initial_embeddings(words)
    with torch.no_grad():
        table = model.embeddings.word_embeddings.weight
        known = vectors.norm(dim=1) > 0
        table[known] = vectors[known]
        # Similar words attend to each other from the start: queries equal keys, and positions weigh less than words.
        model.embeddings.position_embeddings.weight.mul_(0.3)
        for layer in model.encoder.layer:
            layer.attention.self.query.weight.mul_(2)
            layer.attention.self.key.weight.copy_(layer.attention.self.query.weight)
    print(f"vectors for {int(known.sum())} of {len(words)} pieces after {time.process_time() - started:.0f}s", flush=True)
    names = ("reviews", "questions", "words of reviews", "words of questions")
    heads = torch.nn.ModuleDict({name: torch.nn.Linear(128, 2) for name in names})
    parameters = [*model.parameters(), *heads.parameters()]
    decay = [p for p in parameters if p.dim() > 1]
    no_decay = [p for p in parameters if p.dim() <= 1]
    optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.01}, {"params": no_decay, "weight_decay": 0.0}],
                                  lr=PEAK_LR, betas=(0.9, 0.98), eps=1e-6)
    batches = Batches(words)
    training_started = time.process_time()
    accuracies = Accuracies()
    for step in range(steps):
        progress = step / steps
        if step % 100 == 0:
            # Reviews start with frames of one polarity, question pairs with unrelated questions.
            batches.stream.set_difficulty(min(1.0, max(0.15, 5 * progress)), min(1.0, max(0.15, 2.5 * progress)), 0.4)
        rate = PEAK_LR * min(1.0, (step + 1) / 500) * max(0.02, 1 - progress)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = loss_of(model, heads, batches.next(), accuracies)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        if (step + 1) % 500 == 0:
            print(f"step {step + 1} cpu {time.process_time() - training_started:.0f}s lr {rate:.1e} {accuracies.report()}", flush=True)
            save(model)
    save(model)


if __name__ == "__main__":
    main()
