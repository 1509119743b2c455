#!/usr/bin/env python3
"""Measures the training speed of PyTorch and Transformers on the workloads of benches/gpu/run.py, which starts it.

Prints one JSON line per workload and variant: random weights of a model shape, AdamW without weight decay and clipping, bf16
autocast, fused AdamW, and random tokens. As in `glue-tui bench`, batches are prepared beforehand in (pinned) host memory and the
loss is read every 20 steps. Throughput counts the tokens of the text, without padding. Variants:

  random           shuffled batches, padded to the longest input
  length           batches of inputs of similar length, as Trainer's group_by_length
  random-compile   shuffled batches, torch.compile
  length-compile   batches of inputs of similar length, torch.compile
  packed           all inputs of a batch in one row, without padding; attention is limited to each input by a mask
  packed-varlen    the same with variable-length attention, which has no dropout of probabilities: of flash-attn, or else of PyTorch

A variant that this version of Transformers does not support has "skipped" instead of numbers.
"""
import argparse, json, random, time

p = argparse.ArgumentParser()
p.add_argument("--workloads", required=True, help="JSON: [[shape, batch, lengths], ...]")
p.add_argument("--variants", required=True, help="comma-separated")
p.add_argument("--device", default="cuda:0")
p.add_argument("--seconds", type=float, default=3, help="duration of each measurement")
p.add_argument("--deadline", type=float, default=1e9, help="no measurement starts later than this many seconds after the start")
a = p.parse_args()
started = time.perf_counter()

import torch
from transformers import BertConfig, BertForSequenceClassification, DistilBertConfig, DistilBertForSequenceClassification

device = torch.device(a.device)
on_gpu = device.type == "cuda"
ROUND, MEGABATCH = 20, 50
# Quantiles (0, 5, …, 100 %) of input lengths, as in src/bench/lengths.rs.
QUANTILES = {"sst": [4, 9, 11, 13, 15, 16, 18, 19, 21, 22, 24, 25, 27, 29, 30, 33, 35, 37, 41, 46, 80]}
bert = lambda hidden, layers, heads: (BertForSequenceClassification, BertConfig(
    hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=4 * hidden, num_labels=2))
SHAPES = {"minilm": lambda: bert(384, 6, 12), "bert-base": lambda: bert(768, 12, 12), "bert-large": lambda: bert(1024, 24, 16),
          "distilbert": lambda: (DistilBertForSequenceClassification, DistilBertConfig(num_labels=2))}


class Unsupported(Exception):
    """This version of Transformers or PyTorch does not support the variant."""


def draw_length(generator, lengths):
    """A length from the distribution of `glue-tui bench`."""
    if lengths not in QUANTILES:
        return int(lengths)
    quantiles = QUANTILES[lengths]
    at = generator.random() * (len(quantiles) - 1)
    low, high = quantiles[int(at)], quantiles[int(at) + 1]
    return low + int((at - int(at)) * (high - low))


def examples_of(batch, lengths):
    generator = random.Random(42)
    size = batch * MEGABATCH
    return [([generator.randrange(1000, 30000) for _ in range(draw_length(generator, lengths))], i % 2) for i in range(size)]


def padded(examples):
    longest = max(len(ids) for ids, _ in examples)
    return {"input_ids": torch.tensor([ids + [0] * (longest - len(ids)) for ids, _ in examples]),
            "attention_mask": torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in examples])}


def packed(examples, has_mask):
    lengths = torch.tensor([len(ids) for ids, _ in examples])
    ends = torch.cumsum(lengths, 0)
    inputs = {"input_ids": torch.tensor([token for ids, _ in examples for token in ids])[None],
              "position_ids": torch.cat([torch.arange(n) for n in lengths])[None], "firsts": ends - lengths, "longest": int(lengths.max()),
              "offsets": torch.cat([torch.zeros(1, dtype=torch.long), ends]).to(torch.int32)}
    if has_mask:
        example = torch.repeat_interleave(torch.arange(len(examples)), lengths)
        inputs["attention_mask"] = (example[:, None] == example[None, :])[None, None]
    return inputs


def prepare(examples, batch, variant):
    """All batches in host memory: (inputs, labels, number of tokens)."""
    order = list(range(len(examples)))
    random.Random(1).shuffle(order)
    if variant.startswith("length"):
        order.sort(key=lambda i: -len(examples[i][0]))
    batches = [[examples[i] for i in order[k:k + batch]] for k in range(0, len(order), batch)]
    random.Random(2).shuffle(batches)
    pin = lambda x: x.pin_memory() if on_gpu and torch.is_tensor(x) else x
    result = []
    for items in batches:
        inputs = packed(items, variant == "packed") if variant.startswith("packed") else padded(items)
        labels = torch.tensor([label for _, label in items])
        result.append(({name: pin(x) for name, x in inputs.items()}, pin(labels), sum(len(ids) for ids, _ in items)))
    return result


def packed_logits(model, firsts, offsets, longest, **inputs):
    """Logits from the first token of each input of a packed row."""
    VARLEN.update(offsets=offsets, longest=longest)
    base = getattr(model, model.base_model_prefix)
    hidden = base(**inputs).last_hidden_state[0, firsts]
    if hasattr(model, "pre_classifier"):
        return model.classifier(model.dropout(torch.relu(model.pre_classifier(hidden))))
    return model.classifier(model.dropout(base.pooler(hidden[:, None])))


def varlen_implementation():
    """The name of an attention implementation without padding."""
    from transformers.utils import is_flash_attn_2_available
    if is_flash_attn_2_available():
        return "flash_attention_2"
    try:
        from torch.nn.attention.varlen import varlen_attn
        from transformers import AttentionInterface
    except ImportError as error:
        raise Unsupported(f"neither flash-attn nor PyTorch has variable-length attention: {error}") from error

    def attention(module, query, key, value, attention_mask, *arguments, **options):
        rows = [x[0].transpose(0, 1).contiguous() for x in (query, key, value)]  # (tokens, heads, head size)
        out = varlen_attn(*rows, VARLEN["offsets"], VARLEN["offsets"], VARLEN["longest"], VARLEN["longest"])
        return out[None], None

    AttentionInterface.register("varlen", attention)
    return "varlen"


# Boundaries of the inputs of the current packed batch, for the attention of varlen_implementation.
VARLEN = {}


def measure(workload, variant):
    shape, batch, lengths = workload
    torch.manual_seed(1)
    model_type, config = SHAPES[shape]()
    try:
        model = model_type(config).to(device)
        model.set_attn_implementation(varlen_implementation() if variant == "packed-varlen" else "sdpa")
    except (ImportError, ValueError) as error:
        raise Unsupported(str(error).splitlines()[0]) from error
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, weight_decay=0.0, fused=True)
    run = (lambda **x: packed_logits(model, **x)) if variant.startswith("packed") else (lambda **x: model(**x).logits)
    if variant.endswith("-compile"):
        run = torch.compile(run, dynamic=lengths in QUANTILES)
    batches = prepare(examples_of(batch, lengths), batch, variant)
    number = 0

    def steps(count):
        """Runs steps and reads the loss; returns examples, tokens and seconds."""
        nonlocal number
        tokens, start = 0, time.perf_counter()
        for _ in range(count):
            inputs, labels, n = batches[number % len(batches)]
            number, tokens = number + 1, tokens + n
            move = lambda x: x.to(device, non_blocking=True) if torch.is_tensor(x) else x
            inputs = {name: move(x) for name, x in inputs.items()}
            labels = labels.to(device, non_blocking=True)
            with torch.autocast(device.type, dtype=torch.bfloat16):
                logits = run(**inputs)
            loss = torch.nn.functional.cross_entropy(logits.float(), labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        loss.item()
        return count * batch, tokens, time.perf_counter() - start

    round_steps = ROUND if on_gpu else 1
    try:
        for _ in range(2 if variant.endswith("-compile") else 1):
            steps(round_steps)
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise Unsupported(f"{type(error).__name__}: {str(error).splitlines()[0]}") from error
    rounds, begin = [], time.perf_counter()
    while time.perf_counter() - begin < a.seconds or len(rounds) < 3:
        rounds.append(steps(round_steps))
    examples, tokens, seconds = (sum(column) for column in zip(*rounds))
    median = sorted(seconds / round_steps for _, _, seconds in rounds)[len(rounds) // 2]
    memory = {"peak_memory": torch.cuda.max_memory_allocated()} if on_gpu else {}
    return {"tokens_per_second": round(tokens / seconds, 1), "examples_per_second": round(examples / seconds, 2),
            "ms_per_step": round(1e3 * median, 3), "rounds": len(rounds)} | memory


for workload in json.loads(a.workloads):
    for variant in a.variants.split(","):
        line, begin = {"workload": workload, "side": f"PyTorch {variant}"}, time.perf_counter()
        if begin - started > a.deadline:
            line["skipped"] = "no time was left"
        else:
            try:
                line |= measure(workload, variant)
            except Unsupported as reason:
                line["skipped"] = str(reason)
            except Exception as error:  # one failure must not end the other measurements
                line["error"] = f"{type(error).__name__}: {error}"[:1500]
            if on_gpu:
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
        print(json.dumps(line | {"seconds": round(time.perf_counter() - begin, 1)}), flush=True)
