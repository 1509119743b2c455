"""Writes the reference values that tests/golden.rs compares the engines with.

    python -m venv venv && venv/bin/pip install torch==2.15.0 transformers==5.23.0 safetensors
    venv/bin/python tests/reference/make_golden.py

Creates tiny random models: BERT and DistilBERT, each as a classifier and as a regression model, and
classifiers of the other families, without dropout, with eager attention in f32. For each it computes logits, loss (for classifiers also with
label smoothing), the gradient of every tensor, ten AdamW steps with a linear schedule, warm-up,
parameter groups and gradient clipping, and integrated gradients of the words. For the BERT
classifier it also computes the losses of a multi-label classification and of weighted classes, in
losses.json, and the moving average of the weights over the steps, in average.safetensors. All biases and LayerNorm parameters are random, so that omitting one changes the results. The files are small and
committed; run the script again only to change them.
"""

import json
import sys
from pathlib import Path

import numpy
import torch
import transformers
from safetensors.torch import save_file
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from transformers import (
    AlbertConfig,
    AlbertForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    CamembertConfig,
    CamembertForSequenceClassification,
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    ElectraConfig,
    ElectraForSequenceClassification,
    MPNetConfig,
    MPNetForSequenceClassification,
    ModernBertConfig,
    ModernBertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
    get_linear_schedule_with_warmup,
)
from transformers.trainer_pt_utils import get_parameter_names

PINNED = {"torch": "2.15.0", "transformers": "5.23.0"}
HERE = Path(__file__).resolve().parent
LABELS = {0: "low", 1: "middle", 2: "high"}
SMOOTHING = 0.1
STEPS, WARMUP = 10, 3
ADAMW = {"lr": 1e-3, "betas": (0.9, 0.98), "eps": 1e-6, "weight_decay": 0.05}
MAX_GRAD_NORM = 1.0
EMA_DECAY = 0.8
# Weights of the classes or labels, and the parameters whose gradients are compared.
WEIGHTS = [0.5, 2.0, 1.25]
CHECKED = ["classifier.weight", "classifier.bias", "bert.encoder.layer.0.output.dense.bias"]
# Integrated gradients of the logit of `class` for one example. The baseline keeps the first and last token and replaces
# the others by padding, whose id is 0.
EXPLAINED = {"example": 5, "class": 1, "points": 24}
# As in transformers.Trainer.get_decay_parameter_names.
NO_DECAY = [r"bias", r"layernorm", r"rmsnorm", r"(?:^|\.)norm(?:$|\.)", r"_norm(?:$|\.)"]


def models():
    """Yields folder, model and seed of a classifier and a regression model of BERT and DistilBERT, and of a classifier of
    each other family."""
    classifier = {"id2label": LABELS, "label2id": {v: k for k, v in LABELS.items()}}
    regression = {"num_labels": 1, "problem_type": "regression"}
    for name, head, seed in [("{}", classifier, 20), ("{}-regression", regression, 30)]:
        bert, distilbert = configurations(head)
        yield name.format("bert"), BertForSequenceClassification(bert), seed
        yield name.format("distilbert"), DistilBertForSequenceClassification(distilbert), seed + 1
    for seed, (name, model_class, config_class, keys) in enumerate(OTHERS, start=40):
        model = model_class(config_class(**{**SIZES, **keys}, **classifier))
        yield name, model, seed
    for seed, (name, keys) in enumerate(MODERNBERTS, start=62):
        model = ModernBertForSequenceClassification(ModernBertConfig(**{**MODERNBERT, **keys}, **classifier))
        yield name, model, seed


# Sizes of the other families, smaller than those above, which keeps the files small.
SIZES = {
    "vocab_size": 61,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
    "type_vocab_size": 2,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "attn_implementation": "eager",
}
DEBERTA = {"type_vocab_size": 0, "relative_attention": True}
ROBERTA = {"type_vocab_size": 1, "layer_norm_eps": 1e-5, "max_position_embeddings": 66}
OTHERS = [
    ("roberta", RobertaForSequenceClassification, RobertaConfig, ROBERTA),
    # Another id of the padding token moves all positions.
    (
        "xlm-roberta",
        XLMRobertaForSequenceClassification,
        XLMRobertaConfig,
        {**ROBERTA, "pad_token_id": 4, "type_vocab_size": 2},
    ),
    ("camembert", CamembertForSequenceClassification, CamembertConfig, ROBERTA),
    ("electra", ElectraForSequenceClassification, ElectraConfig, {"embedding_size": 16}),
    ("electra-base", ElectraForSequenceClassification, ElectraConfig, {"embedding_size": 24}),
    (
        "albert",
        AlbertForSequenceClassification,
        AlbertConfig,
        {"embedding_size": 12, "num_hidden_layers": 4, "classifier_dropout_prob": 0.0},
    ),
    (
        "albert-groups",
        AlbertForSequenceClassification,
        AlbertConfig,
        {
            "embedding_size": 24,
            "num_hidden_layers": 3,
            "num_hidden_groups": 2,
            "inner_group_num": 2,
            "classifier_dropout_prob": 0.0,
        },
    ),
    ("mpnet", MPNetForSequenceClassification, MPNetConfig, {"max_position_embeddings": 66}),
    # As the third version: logarithmic buckets, shared projections, no absolute positions.
    (
        "deberta-v3",
        DebertaV2ForSequenceClassification,
        DebertaV2Config,
        {
            **DEBERTA,
            "position_buckets": 8,
            "norm_rel_ebd": "layer_norm",
            "share_att_key": True,
            "pos_att_type": "p2c|c2p",
            "position_biased_input": False,
            "pooler_dropout": 0,
        },
    ),
    # Projections of their own, absolute positions too, and distances beyond the embedding of relative positions.
    (
        "deberta-v2",
        DebertaV2ForSequenceClassification,
        DebertaV2Config,
        {
            **DEBERTA,
            "max_relative_positions": 12,
            "pos_att_type": ["c2p", "p2c"],
            "type_vocab_size": 2,
            "embedding_size": 16,
            "pooler_hidden_act": "tanh",
        },
    ),
    # One of the terms only, and none.
    (
        "deberta-c2p",
        DebertaV2ForSequenceClassification,
        DebertaV2Config,
        {**DEBERTA, "pos_att_type": ["c2p"], "share_att_key": True, "norm_rel_ebd": "layer_norm"},
    ),
    (
        "deberta-p2c",
        DebertaV2ForSequenceClassification,
        DebertaV2Config,
        {**DEBERTA, "pos_att_type": ["p2c"], "position_buckets": 16, "position_biased_input": False},
    ),
    (
        "deberta-absolute",
        DebertaV2ForSequenceClassification,
        DebertaV2Config,
        {**DEBERTA, "pos_att_type": "c2p|p2c", "relative_attention": False},
    ),
]

MODERNBERT = {
    "vocab_size": 61,
    "hidden_size": 24,
    "num_hidden_layers": 4,
    "num_attention_heads": 3,
    "intermediate_size": 20,
    "max_position_embeddings": 64,
    "local_attention": 10,
    "pad_token_id": 4,
    "bos_token_id": 2,
    "eos_token_id": 3,
    "cls_token_id": 2,
    "sep_token_id": 3,
    "attn_implementation": "eager",
}
MODERNBERTS = [
    ("modernbert", {}),
    # All biases, the mean of all tokens and other types of layers, activation functions and bases of the rotary positions.
    (
        "modernbert-biases",
        {
            "attention_bias": True,
            "mlp_bias": True,
            "norm_bias": True,
            "classifier_bias": True,
            "classifier_pooling": "mean",
            "classifier_activation": "tanh",
            "hidden_activation": "gelu_pytorch_tanh",
            "num_hidden_layers": 3,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
            "local_attention": 7,
            "rope_parameters": {
                "full_attention": {"rope_type": "default", "rope_theta": 500.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 30.0},
            },
        },
    ),
]


def configurations(head):
    """The configurations of BERT and DistilBERT with the given head."""
    bert = BertConfig(
        vocab_size=101,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=64,
        type_vocab_size=2,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        attn_implementation="eager",
        **head,
    )
    distilbert = DistilBertConfig(
        vocab_size=101,
        dim=32,
        n_layers=2,
        n_heads=4,
        hidden_dim=48,
        max_position_embeddings=64,
        dropout=0.0,
        attention_dropout=0.0,
        seq_classif_dropout=0.0,
        attn_implementation="eager",
        **head,
    )
    return bert, distilbert


def randomize(model, generator):
    """Draws parameters large enough that attention is not uniform and GELU not linear."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            norm = "norm" in name.lower()
            embedding = "embeddings" in name or "relative_attention_bias" in name
            if norm and name.endswith("weight"):
                parameter.copy_(1.0 + 0.3 * noise)
            elif parameter.dim() == 1:
                parameter.copy_(0.2 * noise)
            elif embedding and "proj" not in name:
                parameter.copy_(0.6 * noise)
            else:
                parameter.copy_(noise * 1.2 / parameter.shape[1] ** 0.5)


def is_regression(model):
    return model.config.problem_type == "regression"


def has_segments(model):
    return getattr(model.config, "type_vocab_size", 1) > 1


def padding_id(model):
    return 1 if model.config.model_type == "mpnet" else model.config.pad_token_id


def examples(generator, lengths, regression, vocab_size):
    """Examples of the given lengths, some of them pairs. The id 0 does not occur in them; that of padding does if it is
    another one."""
    batch = []
    for index, (first, second) in enumerate(lengths):
        ids = torch.randint(1, vocab_size, (first + second,), generator=generator).tolist()
        label = 0.25 * (7 * index % 21) if regression else index % 3
        batch.append({"ids": ids, "type_ids": [0] * first + [1] * second, "label": label})
    return batch


def padded(batch, padding=0):
    """The input tensors of a batch, padded to the longest example, and its labels."""
    longest = max(len(e["ids"]) for e in batch)
    fill = lambda values, padding=0: torch.tensor([v + [padding] * (longest - len(v)) for v in values])
    return {
        "input_ids": fill([e["ids"] for e in batch], padding),
        "token_type_ids": fill([e["type_ids"] for e in batch]),
        "attention_mask": fill([[1] * len(e["ids"]) for e in batch]),
    }, torch.tensor([e["label"] for e in batch])


def model_inputs(model, batch):
    """The arguments of the model, with labels."""
    inputs, labels = padded(batch, padding_id(model))
    if not has_segments(model):
        del inputs["token_type_ids"]
    return {**inputs, "labels": labels}


def forward(model, batch):
    inputs = model_inputs(model, batch)
    labels = inputs.pop("labels")
    return model(**inputs).logits, labels


def loss_of(model, logits, labels, smoothing=0.0):
    """The loss as Transformers computes it in the forward pass; main() checks that they are equal."""
    if is_regression(model):
        return torch.nn.MSELoss()(logits.squeeze(), labels.squeeze())
    return torch.nn.functional.cross_entropy(logits, labels, label_smoothing=smoothing)


def copies(model, value=lambda p: p.data):
    """A copy of a value of each parameter, by name."""
    return {name: value(p).clone().contiguous() for name, p in model.named_parameters()}


def train(model, batches):
    """Runs the AdamW steps; returns the metrics of each, the names of the parameters with weight decay, and the
    moving average of the model."""
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(EMA_DECAY))
    # The first update copies the weights.
    average.update_parameters(model)
    decay = set(get_parameter_names(model, [torch.nn.LayerNorm], NO_DECAY))
    groups = [
        {"params": [p for n, p in model.named_parameters() if n in decay]},
        {"params": [p for n, p in model.named_parameters() if n not in decay], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, foreach=False, fused=False, **ADAMW)
    scheduler = get_linear_schedule_with_warmup(optimizer, WARMUP, STEPS)
    steps = []
    for step in range(STEPS):
        logits, labels = forward(model, batches[step % len(batches)])
        loss = loss_of(model, logits, labels, SMOOTHING)
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_GRAD_NORM)
        steps.append(
            {"loss": loss.item(), "grad_norm": norm.item(), "learning_rate": scheduler.get_last_lr()[0]}
        )
        optimizer.step()
        scheduler.step()
        average.update_parameters(model)
    return steps, sorted(decay), average.module


def explain(model, example):
    """Attributions per token, as captum.attr.LayerIntegratedGradients over the word embedding computes them."""
    explained = {**EXPLAINED, "class": 0 if is_regression(model) else EXPLAINED["class"]}
    words = model.get_input_embeddings().weight.detach()
    inputs, _ = padded([example])
    ids = inputs["input_ids"]
    baseline = torch.zeros_like(ids)
    baseline[:, [0, -1]] = ids[:, [0, -1]]
    input_vectors, baseline_vectors = words[ids], words[baseline]
    others = {"token_type_ids": inputs["token_type_ids"]} if has_segments(model) else {}
    if model.config.model_type in ["roberta", "xlm-roberta", "camembert", "mpnet"]:
        # Without token ids, the model would count padding within the text.
        is_token = ids.ne(padding_id(model)).int()
        others["position_ids"] = torch.cumsum(is_token, dim=1) * is_token + padding_id(model)
    logit = lambda embedded: model(inputs_embeds=embedded, **others).logits[0, explained["class"]]
    total = torch.zeros_like(input_vectors, dtype=torch.float64)
    for point, weight in zip(*numpy.polynomial.legendre.leggauss(EXPLAINED["points"])):
        embedded = (baseline_vectors + (input_vectors - baseline_vectors) * (point + 1) / 2).requires_grad_()
        (gradient,) = torch.autograd.grad(logit(embedded), embedded)
        total += weight / 2 * gradient.double()
    return {
        **explained,
        "baseline": baseline[0].tolist(),
        "tokens": (total * (input_vectors - baseline_vectors)).sum(-1)[0].tolist(),
        "difference": (logit(input_vectors) - logit(baseline_vectors)).item(),
    }


def losses(model, batch):
    """Loss and gradients for sets of labels and for classes, with and without weights and label smoothing."""
    logits, classes = forward(model, batch)
    sets = torch.tensor([[(index >> label) & 1 for label in range(len(LABELS))] for index in range(len(batch))])
    cross_entropy = torch.nn.CrossEntropyLoss
    cases = {
        "sets": (sets.float(), None, torch.nn.BCEWithLogitsLoss()),
        "weighted sets": (sets.float(), WEIGHTS, torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor(WEIGHTS))),
        "weighted classes": (classes, WEIGHTS, cross_entropy(torch.tensor(WEIGHTS))),
        "smoothed weighted classes": (
            classes,
            WEIGHTS,
            cross_entropy(torch.tensor(WEIGHTS), label_smoothing=SMOOTHING),
        ),
    }
    results = {}
    for name, (labels, weights, function) in cases.items():
        loss = function(logits, labels)
        model.zero_grad()
        loss.backward(retain_graph=True)
        results[name] = {
            "sets": sets.tolist() if labels.is_floating_point() else None,
            "weights": weights,
            "label_smoothing": getattr(function, "label_smoothing", 0.0),
            "loss": loss.item(),
            "gradients": {key: model.get_parameter(key).grad.flatten().tolist() for key in CHECKED},
        }
    # Transformers computes the same loss for float labels.
    model.config.problem_type = "multi_label_classification"
    inputs = {**model_inputs(model, batch), "labels": sets.float()}
    assert model(**inputs).loss.item() == results["sets"]["loss"], "the loss differs from that of Transformers"
    model.config.problem_type = None
    model.zero_grad()
    return results


def save_early(model, folder):
    """Saves the weights as early checkpoints do: without prefix, with the names gamma and beta, in both
    formats of torch.save."""
    renamed = {}
    for key, value in model.state_dict().items():
        key = key.removeprefix(f"{model.config.model_type}.")
        key = key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        renamed[key] = value
    torch.save(renamed, folder / "zip.bin")
    torch.save(renamed, folder / "legacy.bin", _use_new_zipfile_serialization=False)


def main():
    found = {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__}
    if found != PINNED:
        sys.exit(f"found {found}, but {PINNED} is required")
    torch.set_num_threads(1)
    for name, model, seed in models():
        generator = torch.Generator().manual_seed(seed)
        randomize(model, generator)
        model.eval()
        lengths = [
            [(7, 0), (1, 0), (2, 0), (19, 0), (3, 0), (4, 5), (11, 2), (1, 1)],
            [(5, 6), (3, 0), (30, 12), (2, 2)],
            [(9, 0), (9, 0), (8, 1)],
        ]
        batches = [
            examples(generator, batch_lengths, is_regression(model), model.config.vocab_size)
            for batch_lengths in lengths
        ]
        if getattr(model.config, "type_vocab_size", 1 if model.config.model_type == "modernbert" else 2) == 1:
            for example in [example for batch in batches for example in batch]:
                example["type_ids"] = [0] * len(example["ids"])
        folder = HERE / name
        folder.mkdir(exist_ok=True)
        model.save_pretrained(folder)
        if name in ["bert", "distilbert"]:
            save_early(model, folder)

        if name == "bert":
            text = json.dumps(losses(model, batches[0]), indent=1)
            (folder / "losses.json").write_text(text + "\n")
        logits, labels = forward(model, batches[0])
        loss = loss_of(model, logits, labels)
        smooth = loss_of(model, logits, labels, SMOOTHING)
        saliency = explain(model, batches[0][EXPLAINED["example"]])
        smooth.backward()
        transformers_loss = model(**model_inputs(model, batches[0])).loss
        assert torch.equal(transformers_loss, loss), "the loss differs from that of Transformers"
        save_file(copies(model, lambda p: p.grad), folder / "gradients.safetensors")
        model.zero_grad()
        steps, decay, average = train(model, batches)
        if name == "bert":
            save_file(copies(average), folder / "average.safetensors")
        save_file(copies(model), folder / "trained.safetensors")
        smoothed = {"label_smoothing": SMOOTHING, "smoothed_loss": smooth.item()}
        golden = {
            "made_with": found,
            "batches": batches,
            "logits": logits.tolist(),
            "loss": loss.item(),
            **({} if is_regression(model) else smoothed),
            "saliency": saliency,
            "adamw": {**ADAMW, "max_grad_norm": MAX_GRAD_NORM, "warmup_steps": WARMUP, "steps": STEPS},
            "decay": decay,
            "steps": steps,
        }
        (folder / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
