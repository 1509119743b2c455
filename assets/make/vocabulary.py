"""The WordPiece vocabulary of the demo model: words of the pretraining corpus, all printable ASCII characters, and pieces
learned from the words, so that unknown words are split into pieces and do not become [UNK]."""

import collections
import json
import re
import string
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

HERE = Path(__file__).resolve().parent
SIZE = 4096
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TYPOGRAPHIC = list("“”‘’«»–—…•€£°§×")
MAX_LENGTH = 128


def split_words(text):
    return re.findall(r"[a-z]+|[0-9]", text.lower())


def learn_continuations(word_counts, count):
    """The `count` most frequent word pieces of two to four letters that continue a word."""
    found = collections.Counter()
    for word, word_count in word_counts.items():
        for start in range(1, len(word)):
            for end in range(start + 2, min(len(word), start + 4) + 1):
                found["##" + word[start:end]] += min(word_count, 20) * (end - start)
    return [piece for piece, _ in sorted(found.items(), key=lambda kv: (-kv[1], kv[0]))[:count]]


def build(corpus):
    """The vocabulary of the sentences in `corpus`, with the most frequent words first."""
    counts = collections.Counter()
    for sentence in corpus:
        counts.update(split_words(sentence))
    for name in ("nouns.txt", "common.txt"):
        counts.update({word: 2 for word in split_words((HERE / name).read_text())})
    alphabet = string.ascii_lowercase + string.digits
    vocabulary = SPECIAL + sorted(c for c in string.printable if c.isprintable() and not c.isspace() and not c.isupper())
    vocabulary += TYPOGRAPHIC + ["##" + c for c in alphabet]
    known = set(vocabulary)
    available = SIZE - len(vocabulary)
    ranked = sorted(counts.items(), key=lambda kv: (-kv[1], kv[0]))
    chosen = [w for w, n in ranked if w not in known and n > 1][: available - 400]
    continuations = [p for p in learn_continuations(counts, available - len(chosen)) if p not in known]
    return (vocabulary + chosen + continuations)[:SIZE]


def build_tokenizer(vocabulary):
    tokenizer = Tokenizer(models.WordPiece({t: i for i, t in enumerate(vocabulary)}, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return tokenizer


def save(vocabulary, folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("".join(token + "\n" for token in vocabulary), encoding="utf-8")
    build_tokenizer(vocabulary).save(str(folder / "tokenizer.json"), pretty=False)
    config = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": True,
        "model_max_length": MAX_LENGTH,
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
