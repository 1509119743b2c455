#!/usr/bin/env python3
"""Inference with ONNX Runtime, for inference.py.

  export FROM TO       writes the classifier of the folder FROM, or its encoder with a random head, to TO: in the Hugging Face
                       layout, and as ONNX in f32 and with dynamic int8 quantization, each as exported and with fused attention
  choose FOLDER ...    times the graphs and batch sizes on the first lines of stdin and prints the fastest as JSON
  predict FOLDER ...   prints a JSON object per line of stdin; all lines are tokenized at once and sorted by length
  answer FOLDER ...    the same, but answers each line before it reads the next one
  latency FOLDER ...   prints the milliseconds of the model alone for the first line of stdin, without tokenizer
"""
import argparse, json, os, statistics, sys, time

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("command", choices=["export", "choose", "predict", "answer", "latency"])
p.add_argument("folder")
p.add_argument("to", nargs="?")
p.add_argument("--graph", help="name of the ONNX file in the folder")
p.add_argument("--format", choices=["f32", "int8"], default="f32")
p.add_argument("--batch", type=int, default=32)
p.add_argument("--threads", type=int, default=os.cpu_count())
a = p.parse_args()
MAX_TOKENS, BATCHES = 512, (4, 8, 16, 32, 64)


def export():
    import torch
    from onnx import TensorProto
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers.optimizer import optimize_model
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    torch.manual_seed(0)
    # ONNX Runtime recognizes the attention of this implementation and fuses it.
    model = AutoModelForSequenceClassification.from_pretrained(a.folder, attn_implementation="eager").eval()
    model.save_pretrained(a.to)
    AutoTokenizer.from_pretrained(a.folder).save_pretrained(a.to)
    names = ["input_ids", "attention_mask"] + ["token_type_ids"] * (model.config.model_type == "bert")
    example = {name: torch.ones(2, 8, dtype=torch.long) for name in names}
    path = lambda name: os.path.join(a.to, f"{name}.onnx")
    torch.onnx.export(model, (), path("exported-f32"), kwargs=example, input_names=names, output_names=["logits"], opset_version=17,
                      dynamic_axes={name: {0: "batch", 1: "length"} for name in names}, dynamo=False)
    config = model.config
    fused = optimize_model(path("exported-f32"), model_type="bert", num_heads=config.num_attention_heads, hidden_size=config.hidden_size, opt_level=0)
    fused.save_model_to_file(path("fused-f32"))
    for graph in ("exported", "fused"):
        # The type is not inferred behind fused operators.
        quantize_dynamic(path(f"{graph}-f32"), path(f"{graph}-int8"), weight_type=QuantType.QInt8,
                         extra_options={"DefaultTensorType": TensorProto.FLOAT})


def open_session(graph):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads, options.log_severity_level = a.threads, 3
    session = onnxruntime.InferenceSession(os.path.join(a.folder, f"{graph}.onnx"), options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]

    def logits(encodings):
        """The logits of a batch, padded to its longest input."""
        shape = len(encodings), max(len(encoding.ids) for encoding in encodings)
        inputs = {name: numpy.zeros(shape, dtype=numpy.int64) for name in names}
        for i, encoding in enumerate(encodings):
            inputs["input_ids"][i, :len(encoding.ids)] = encoding.ids
            inputs["attention_mask"][i, :len(encoding.ids)] = 1
        return session.run(["logits"], inputs)[0]
    return session, logits


def open_tokenizer():
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(os.path.join(a.folder, "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer


def by_length(encodings, batch):
    """The indices of the inputs in batches of similar length."""
    order = sorted(range(len(encodings)), key=lambda i: -len(encodings[i].ids))
    return [order[i:i + batch] for i in range(0, len(order), batch)]


def objects(texts, encodings, logits):
    """What `glue-tui predict` prints for each text."""
    shares = numpy.exp(logits - logits.max(-1, keepdims=True))
    shares /= shares.sum(-1, keepdims=True)
    for text, encoding, share in zip(texts, encodings, shares.tolist()):
        best = max(range(len(share)), key=share.__getitem__)
        yield json.dumps({"text": text, "label": labels[best], "probability": share[best], "probabilities": dict(zip(labels, share)),
                          "tokens": len(encoding.ids), "truncated": bool(encoding.overflowing)}, ensure_ascii=False)


def choose(lines):
    encodings = tokenizer.encode_batch(lines)
    times = {}
    for graph in ("exported", "fused"):
        _, logits = open_session(f"{graph}-{a.format}")
        for batch in BATCHES if len(lines) > 1 else (1,):
            # Among many lines, those of a batch have the same length: each is replaced by the one in the middle.
            batches = [[indices[len(indices) // 2]] * len(indices) for indices in by_length(encodings, batch)]
            logits([encodings[i] for i in batches[0]])
            rounds = []
            for _ in range(1 if len(lines) > 1 else 50):  # the time of a single line is short and varies
                started = time.perf_counter()
                for indices in batches:
                    logits([encodings[i] for i in indices])
                rounds.append(time.perf_counter() - started)
            times[f"{graph}-{a.format}", batch] = statistics.median(rounds)
    graph, batch = min(times, key=times.get)
    print(json.dumps({"graph": graph, "batch": batch}))


def predict(lines):
    _, logits = open_session(a.graph)
    encodings = tokenizer.encode_batch(lines)
    answers = [None] * len(lines)
    for indices in by_length(encodings, a.batch):
        texts, batch = [lines[i] for i in indices], [encodings[i] for i in indices]
        for i, answer in zip(indices, objects(texts, batch, logits(batch))):
            answers[i] = answer
    sys.stdout.writelines(answer + "\n" for answer in answers)


def answer():
    _, logits = open_session(a.graph)
    for line in sys.stdin:
        batch = [tokenizer.encode(line.rstrip("\n"))]
        print(*objects([line.rstrip("\n")], batch, logits(batch)), flush=True)


def latency(line):
    encoding = tokenizer.encode(line)
    session, _ = open_session(a.graph)
    values = {"input_ids": encoding.ids, "attention_mask": encoding.attention_mask, "token_type_ids": encoding.type_ids}
    inputs = {value.name: numpy.array([values[value.name]], dtype=numpy.int64) for value in session.get_inputs()}
    times = []
    for _ in range(320):
        started = time.perf_counter()
        session.run(["logits"], inputs)
        times.append((time.perf_counter() - started) * 1e3)
    print(json.dumps({"tokens": len(encoding.ids), "ms": statistics.median(times[20:])}))


if a.command == "export":
    export()
else:
    import numpy
    tokenizer = open_tokenizer()
    with open(os.path.join(a.folder, "config.json")) as file:
        # Transformers does not write these names, which are its default.
        id2label = json.load(file).get("id2label", {"0": "LABEL_0", "1": "LABEL_1"})
    labels = [id2label[str(i)] for i in range(len(id2label))]
    if a.command == "answer":
        answer()
    else:
        lines = sys.stdin.read().splitlines()
        {"choose": choose, "predict": predict, "latency": lambda lines: latency(lines[0])}[a.command](lines)
