"""Makes tokenizers.json: tokenizer folders, and the token ids that Transformers gives for texts.

    python tests/reference/make_tokenizers.py

The file has a vocabulary, texts, and folders. A folder is a map from file names to changes of a base file:
a JSON merge patch (RFC 7396) for a `.json` file, `rename`, `set` and `newline` for `vocab.txt`, and a string for a
file with that content. The encodings of a folder are indices into `encodings`, each a list of ids and, if one of them
is not 0, a list of type ids. A folder that Transformers refuses has `error`, a word of the message of glue-tui;
one whose name starts with `unsupported-` is refused by glue-tui only. `tests/tokenizers.rs` builds the folders and
compares. With an argument, the folders are also written to that directory.
"""

import json
import pathlib
import sys
import tempfile
import warnings

import transformers
from transformers import AutoTokenizer

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
MAX_LENGTH = 12

TEXTS = [
    "",
    "   ",
    "The plot is well-acted, and the music was satisfying.",
    "\U0001f600\U0001f525 ok",
    "\u200b x",
    "\x00abc",
    "a" * 101 + " " + "b" * 100,
    "word " * 20,
    "[CLS] [SEP] [MASK] [UNK] [PAD] x[SEP]y [sep]",
    "\u0627\u0644\u0633\u0644\u0627\u0645 \u05e9\u05dc\u05d5\u05dd",
    "\ufffd",
    "\u2028 x\u2028y\u2029z",
    "e\u0301 \u00e9 \u0301e caf\u00e9 CAFE\u0301",
    "##ing ## was##ing",
    "a\tb\nc\r\nd\x0be\x0cf\x85g",
    "\u00a0nbsp\u00a0x \u3000wide\u3000",
    "ket tle kettle ket-tle ketchup KET",
    "very good verygood very  good VERY GOOD very\tgood",
    "kettle-o-matic Kettle-O-Matic,kettle-o-matic!",
    "[E1]x[E1] [e1] [E1] , [ E1 ]",
    "\u5475\u5475 abc\u4e2d\u6587def \u4e2d",
    "it's don't \u2019s \u201cq\u201d",
    "\u00ad soft\u00adhyphen",
    "\u0130stanbul \u0131 \u1e9e \u03a3\u039f\u03a6\u039f\u03a3",
    "\U00020000\U0002a6d6 ext",
    "1,000.50 $5 5% a+b=c ~^|<>`",
    "\ud55c\uad6d\uc5b4 \u3072\u3089\u304c\u306a",
    "<s> <unk></s> <pad> <mask> <ent> x <ent>y",
    "Z\u00dcRICH na\u00efve \u00c4\u00d6\u00dc \ufb01ne",
    "not bad at all",
]
PAIRS = [(2, 29), (29, 7), (7, 7), (0, 2), (2, 0), (0, 0), (19, 18), (17, 16), (12, 23), (8, 27)]


def vocabulary():
    """Special tokens, characters, and frequent words and pieces of the demo model."""
    lines = (ROOT / "assets/demo-model/vocab.txt").read_text(encoding="utf-8").splitlines()
    words = [line for line in lines if line not in SPECIAL]
    single = [word for word in words if len(word.removeprefix("##")) == 1]
    frequent = [word for word in words if word not in single][:160]
    own = "ket tle kettle ##tle very good word ##ing was caf\u00e9 cafe e\u0301 \u00e9 The VERY \u4e2d \u6587 \u5475 z\u00fcrich Z\u00dc na\u00efve".split()
    own += ["\u0631", "istanbul", "i\u0307stanbul", "\u03c3\u03bf\u03c6\u03bf\u03c3", "soft", "hyphen", "nbsp", "##tchup", "e1", "E1", "##b"]
    return list(dict.fromkeys(SPECIAL + single + frequent + own))


def added(content, special=True, **flags):
    """A token as tokenizer.json and added_tokens_decoder have it."""
    token = {"content": content, "single_word": False, "lstrip": False, "rstrip": False}
    return token | {"normalized": not special, "special": special} | flags


def tagged(content, **flags):
    """A token as tokenizer_config.json of Transformers 4 has it."""
    return {"__type": "AddedToken"} | added(content, **flags)


def numbered(tokens):
    """The added tokens of tokenizer.json."""
    return [{"id": id} | token for id, token in tokens]


def tokenizer_json(vocab):
    """What Transformers writes for a BERT."""
    template = lambda *pieces: [
        {"Sequence": {"id": piece, "type_id": type_id}} if piece in "AB" else {"SpecialToken": {"id": piece, "type_id": type_id}}
        for piece, type_id in pieces
    ]
    ids = {token: id for id, token in enumerate(vocab)}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": numbered((ids[token], added(token)) for token in SPECIAL),
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": template(("[CLS]", 0), ("A", 0), ("[SEP]", 0)),
            "pair": template(("[CLS]", 0), ("A", 0), ("[SEP]", 0), ("B", 1), ("[SEP]", 1)),
            "special_tokens": {token: {"id": token, "ids": [ids[token]], "tokens": [token]} for token in ("[CLS]", "[SEP]")},
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": ids},
    }


def folders(vocab):
    """Name → files, and optionally the words of an error."""
    n = len(vocab)
    ids = {token: id for id, token in enumerate(vocab)}
    base = [(ids[token], added(token)) for token in SPECIAL]
    decoder = lambda *tokens: {str(id): token for id, token in [*base, *tokens]}
    txt, js = {"vocab.txt": {}}, {"tokenizer.json": {}}
    config = lambda **keys: {"tokenizer_config.json": keys}
    fast = config(tokenizer_class="PreTrainedTokenizerFast")
    other = {"[UNK]": "<unk>", "[CLS]": "<s>", "[SEP]": "</s>", "[PAD]": "<pad>", "[MASK]": "<mask>"}
    other_names = {"unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>", "mask_token": "<mask>"}
    names = {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"}
    words = [(n, added("[E1]")), (n + 1, added("kettle-o-matic", special=False))]
    left = {"direction": "Left", "max_length": 8, "strategy": "LongestFirst", "stride": 0}
    padding = {"strategy": {"Fixed": 8}, "direction": "Left", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"}
    yield "vocab", txt
    yield "vocab-crlf", {"vocab.txt": {"newline": "\r\n"}}
    yield "vocab-blank-line", {"vocab.txt": {"set": {str(n - 30): ""}}}
    yield "vocab-doubled-line", {"vocab.txt": {"set": {str(n - 30): "the"}}}
    yield "vocab-doubled-line-added", {"vocab.txt": {"set": {str(n - 30): "the"}}, "added_tokens.json": {"[E1]": n}}
    yield "vocab-trailing-blanks", {"vocab.txt": {"set": {str(n - 1): "last \t"}}}
    yield "vocab-distilbert", txt | {"config.json": {"model_type": "distilbert"}}
    yield "vocab-without-special-tokens", {"vocab.txt": {"rename": {"[CLS]": "aa", "[SEP]": "bb", "[MASK]": "cc"}}}
    yield "cased", txt | config(do_lower_case=False)
    yield "cased-strip-accents", txt | config(do_lower_case=False, strip_accents=True)
    yield "uncased-keep-accents", txt | config(do_lower_case=True, strip_accents=False, tokenizer_class="BertTokenizer")
    yield "no-chinese", txt | config(tokenize_chinese_chars=False)
    yield "no-basic-tokenize", txt | config(do_basic_tokenize=False, never_split=["kettle-o-matic", "[E1]"])
    yield "all-keys", txt | config(
        add_prefix_space=True, clean_up_tokenization_spaces=True, padding_side="left", pad_token_type_id=1, stride=4, max_length=8,
        truncation_strategy="only_first", model_max_length=1000000000000000019884624838656, name_or_path="x", special_tokens_map_file=None,
        add_bos_token=True, add_eos_token=True, tokenizer_file="other.json", vocab_file="other.txt", auto_map={"AutoTokenizer": [None, "x.Y"]},
        extra_special_tokens={}, model_input_names=["input_ids", "token_type_ids", "attention_mask"], chat_template="x", tokenizer_class="BertTokenizerFast",
    )
    yield "special-renamed", {"vocab.txt": {"rename": other}} | config(**other_names)
    yield "special-renamed-map", {"vocab.txt": {"rename": other}, "special_tokens_map.json": other_names}
    yield "special-map-over-config", {"vocab.txt": {"rename": other}, "special_tokens_map.json": other_names} | config(**names)
    yield "special-map-of-tokens", txt | {"special_tokens_map.json": {key: added(token, lstrip=True) for key, token in names.items()}}
    yield "special-tagged", txt | config(mask_token=tagged("[MASK]", lstrip=True, rstrip=True), unk_token=tagged("[UNK]", normalized=True))
    yield "special-missing", txt | config(cls_token="<s>", sep_token="</s>", bos_token="<bos>", eos_token=tagged("<eos>"))
    yield "special-null", txt | config(mask_token=None, pad_token=None)
    yield "special-cls-null", txt | config(cls_token=None, sep_token=None)
    yield "special-model-specific", txt | config(entity_token="<ent>", extra_special_tokens={"image": "ket", "z_token": tagged("tle", lstrip=True)})
    yield "additional", txt | config(additional_special_tokens=["[E1]", "kettle-o-matic", "very good"])
    yield "additional-tagged", txt | config(additional_special_tokens=[tagged("[E1]", rstrip=True), "very"])
    yield "extra-over-additional", txt | config(additional_special_tokens=["[E1]"], extra_special_tokens=["<ent>"])
    yield "added-json", txt | {"added_tokens.json": {"[E1]": n, "kettle-o-matic": n + 1}} | {"special_tokens_map.json": names | {"additional_special_tokens": ["[E1]"]}} | config(do_lower_case=True, tokenizer_class="BertTokenizer")
    yield "added-json-extra", txt | {"added_tokens.json": {"[E1]": n, "kettle-o-matic": n + 1}} | config(additional_special_tokens=["[E1]"])
    yield "added-json-order", txt | {"added_tokens.json": {"very good": n + 7, "kettle-o-matic": n + 3, "the": 200}}
    yield "added-decoder", txt | config(added_tokens_decoder=decoder(*words), tokenizer_class="BertTokenizer")
    yield "added-decoder-over-files", txt | {"added_tokens.json": {"<ent>": n}, "special_tokens_map.json": {"cls_token": "[MASK]", "additional_special_tokens": ["ket"]}} | config(added_tokens_decoder=decoder(*words))
    yield "added-decoder-gap", txt | config(added_tokens_decoder=decoder((n + 5, added("[E1]")), (n + 2, added("very good", special=False))))
    yield "added-decoder-flags", txt | config(added_tokens_decoder=decoder(
        (n, added("ket", special=False, single_word=True)), (n + 1, added("tle", special=False, lstrip=True, rstrip=True)),
        (n + 2, added("VERY", special=False, normalized=False)), (n + 3, added("Kettle-O-Matic", special=True, normalized=True)), (n + 4, {"content": "<ent>"})))
    yield "json", js
    yield "json-distilbert", js | {"config.json": {"model_type": "distilbert"}} | config(tokenizer_class="DistilBertTokenizerFast", do_lower_case=False)
    yield "json-and-vocab", js | {"vocab.txt": {"rename": {"the": "xx"}}}
    yield "json-cased", {"tokenizer.json": {"normalizer": {"lowercase": False, "strip_accents": False, "handle_chinese_chars": False}}}
    yield "json-do-lower-case-false", js | config(do_lower_case=False, tokenize_chinese_chars=False)
    yield "json-other-sections", {"tokenizer.json": {
        "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": {"type": "BertProcessing", "sep": ["[MASK]", 4], "cls": ["[PAD]", 0]},
        "model": {"max_input_chars_per_word": 6, "continuing_subword_prefix": "@@", "unk_token": "the"}}}
    yield "json-truncation-left", {"tokenizer.json": {"truncation": left, "padding": padding}}
    yield "json-truncation-left-config-right", {"tokenizer.json": {"truncation": left}} | config(truncation_side="right", model_max_length=20)
    yield "json-added", {"tokenizer.json": {"added_tokens": numbered([*base, *words])}}
    yield "json-added-special-map", {"tokenizer.json": {"added_tokens": numbered([*base, *words])}, "special_tokens_map.json": names | {"mask_token": added("[MASK]", lstrip=True), "additional_special_tokens": ["<ent>"]}}
    yield "json-added-gap", {"tokenizer.json": {"added_tokens": numbered([*base, (n + 4, added("very good", special=False)), (n + 9, added("[E1]"))])}}
    yield "json-added-decoder", {"tokenizer.json": {"added_tokens": numbered([*base, *words])}} | config(added_tokens_decoder=decoder((n, added("<ent>"))))
    yield "json-added-json", {"tokenizer.json": {"added_tokens": numbered([*base, *words])}, "added_tokens.json": {"ket": n + 2}}
    yield "json-punctuation", {"tokenizer.json": {"added_tokens": numbered([*base, (n, added("don't", special=False)), (n + 1, added("it's ", special=False)), (n + 2, added("50%", special=False, single_word=True)), (n + 3, added(",", special=False)), (n + 4, added("abc\u4e2d", special=False))])}}
    yield "json-vocab-list", {"tokenizer.json": {"model": {"vocab": vocab}}}
    yield "json-without-model-type", {"tokenizer.json": {"model": {"type": None}}}
    yield "left", txt | config(truncation_side="left", model_max_length=9)
    yield "max-len", txt | config(max_len=7)
    yield "model-max-length-null", txt | config(model_max_length=None)
    yield "split-special-tokens", txt | {"added_tokens.json": {"kettle-o-matic": n}} | config(split_special_tokens=True, additional_special_tokens=["[E1]"])
    yield "without-type-ids", txt | config(model_input_names=["input_ids", "attention_mask"])
    yield "class-distilbert-of-bert", txt | config(tokenizer_class="DistilBertTokenizer")
    yield "class-electra", txt | config(tokenizer_class="ElectraTokenizerFast")
    yield "class-in-config", js | {"config.json": {"tokenizer_class": "PreTrainedTokenizerFast"}}
    yield "fast", js | fast
    yield "fast-cased", {"tokenizer.json": {"normalizer": {"lowercase": False}}} | config(tokenizer_class="PreTrainedTokenizerFast", do_lower_case=True)
    yield "fast-other-sections", {"tokenizer.json": {
        "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": {"type": "BertProcessing", "sep": ["[MASK]", 4], "cls": ["[PAD]", 0]},
        "model": {"max_input_chars_per_word": 6}}} | fast
    yield "fast-added", {"tokenizer.json": {"added_tokens": numbered([*base, *words])}} | config(tokenizer_class="TokenizersBackend", additional_special_tokens=["<ent>"], unk_token="[UNK]", mask_token="[MASK]")
    yield "fast-added-decoder", {"tokenizer.json": {"added_tokens": numbered([*base, *words])}} | config(tokenizer_class="TokenizersBackend", added_tokens_decoder=decoder((n, added("[E1]", lstrip=True)), (n + 1, added("very good", special=False))))
    yield "fast-without-post-processor", {"tokenizer.json": {"post_processor": None, "truncation": left}} | config(tokenizer_class="TokenizersBackend", model_input_names=["input_ids", "token_type_ids"])
    yield "fast-pad-token", {"tokenizer.json": {"padding": padding | {"pad_token": "<pad>"}}} | fast
    yield "fast-prefix", {"tokenizer.json": {"model": {"continuing_subword_prefix": "@@", "unk_token": "the"}}} | config(tokenizer_class="TokenizersBackend", unk_token="[UNK]")
    # Multilingual BERTs: a Unigram vocabulary, of which the other sections of tokenizer.json are not used.
    pieces = [[token, 0.0] for token in ("<s>", "<pad>", "</s>", "<unk>")]
    pieces += [["\u2581" + word, -8.0 - id / 50] for id, word in enumerate(vocab[5:]) if not word.startswith("##")]
    pieces += [[word.removeprefix("##"), -9.0 - id / 50] for id, word in enumerate(vocab[5:])] + [["\u2581", -6.0]]
    pieces = list({piece: [piece, score] for piece, score in reversed(pieces)}.values())[::-1]
    unigram = {"type": "Unigram", "unk_id": 3, "vocab": pieces, "byte_fallback": None, "unk_token": None, "continuing_subword_prefix": None, "max_input_chars_per_word": None}
    xlm_added = [*((id, added(token)) for id, token in enumerate(("<s>", "<pad>", "</s>", "<unk>"))), (len(pieces), added("<mask>", lstrip=True))]
    space = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
    xlm = {"config.json": {"vocab_size": len(pieces) + 20}, "tokenizer.json": {
        "model": unigram, "added_tokens": numbered(xlm_added), "normalizer": {"type": "NFKC"}, "pre_tokenizer": space, "decoder": space}}
    yield "xlm-roberta", xlm | config(tokenizer_class="XLMRobertaTokenizer", truncation_side="left", mask_token=tagged("<mask>", lstrip=True))
    yield "xlm-roberta-names", xlm | config(tokenizer_class="XLMRobertaTokenizerFast", cls_token="<pad>", sep_token="[E1]", additional_special_tokens=["very good"])
    yield "xlm-roberta-fast", xlm | config(tokenizer_class="PreTrainedTokenizerFast", unk_token="<unk>", bos_token="<s>")
    yield "error-lower-case", txt | config(do_lower_case=None), "do_lower_case"
    yield "error-truncation-side", txt | config(truncation_side="middle"), "truncation_side"
    yield "error-padding-side", txt | config(padding_side="middle"), "padding_side"
    yield "error-untagged", txt | config(mask_token=added("[MASK]")), "mask_token"
    yield "unsupported-class", txt | config(tokenizer_class="BertJapaneseTokenizer"), "tokenizer_class"
    yield "error-fast-vocab", txt | fast, "tokenizer.json"
    yield "error-decoder", txt | config(added_tokens_decoder={"5": "[E1]"}), "added_tokens_decoder"
    yield "error-extra", txt | config(extra_special_tokens="[E1]"), "extra_special_tokens"
    yield "error-unknown", {"vocab.txt": {"rename": {"[UNK]": "aa"}}}, "[UNK]"
    yield "error-post-processor", {"tokenizer.json": {"post_processor": 5}}, "tokenizer.json"


def merge_patch(value, patch):
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    value = dict(value) if isinstance(value, dict) else {}
    for key, change in patch.items():
        if change is None:
            value.pop(key, None)
        else:
            value[key] = merge_patch(value.get(key), change)
    return value


def build(folder, files, base):
    """Writes a folder; tests/tokenizers.rs does the same."""
    folder.mkdir(parents=True)
    for name, change in ({"config.json": {}} | files).items():
        if name == "vocab.txt":
            lines = list(base["vocab"])
            for id, line in change.get("set", {}).items():
                lines[int(id)] = line
            renamed = change.get("rename", {})
            newline = change.get("newline", "\n")
            content = "".join(renamed.get(line, line) + newline for line in lines)
        elif name in base["files"]:
            content = json.dumps(merge_patch(base["files"][name], change), ensure_ascii=False)
        else:
            content = json.dumps(change, ensure_ascii=False)
        (folder / name).write_text(content, encoding="utf-8", newline="")


class Pool:
    """Distinct encodings."""

    def __init__(self):
        self.encodings, self.index = [], {}

    def add(self, tokenizer, has_segments, *texts, **truncation):
        # One element lists: Transformers drops an empty second text otherwise.
        found = tokenizer(*([text] for text in texts), **truncation)
        encoding = [found["input_ids"][0]]
        type_ids = found.get("token_type_ids", [[]])[0]
        if has_segments and any(type_ids):
            encoding.append(type_ids)
        key = json.dumps(encoding)
        if key not in self.index:
            self.index[key] = len(self.encodings)
            self.encodings.append(encoding)
        return self.index[key]


def expected(tokenizer, pool, has_segments):
    """All texts and pairs, and those that a truncation to MAX_LENGTH changes, and the limit of the folder."""
    inputs = [(text,) for text in TEXTS] + [(TEXTS[a], TEXTS[b]) for a, b in PAIRS]
    limit = tokenizer.model_max_length
    return {
        "model_max_length": limit if limit <= 512 else None,
        "truncation_side": tokenizer.truncation_side,
        "ids": [pool.add(tokenizer, has_segments, *texts) for texts in inputs],
        "truncated": [pool.add(tokenizer, has_segments, *texts, truncation=True, max_length=MAX_LENGTH) for texts in inputs],
    }


def main(directory):
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    vocab = vocabulary()
    base = {
        "vocab": vocab,
        "files": {
            "config.json": {"model_type": "bert", "vocab_size": len(vocab) + 20, "max_position_embeddings": 512},
            "tokenizer.json": tokenizer_json(vocab),
        },
    }
    pool, cases = Pool(), []
    for name, files, *error in folders(vocab):
        folder = directory / name
        build(folder, files, base)
        case = {"name": name, "files": files}
        try:
            # DistilBERT has no segments, so that type ids are of no account.
            has_segments = files.get("config.json", {}).get("model_type") != "distilbert"
            found = expected(AutoTokenizer.from_pretrained(str(folder)), pool, has_segments)
        except Exception as e:  # noqa: BLE001
            found = f"{type(e).__name__}: {str(e).splitlines()[0][:150]}"
        if bool(error) != isinstance(found, str) and not name.startswith("unsupported-"):
            sys.exit(f"{name}: {found}")
        if error:
            print(f"{name}: {found}")
        case |= {"error": error[0]} if error else found
        cases.append(case)
    del base["files"]["tokenizer.json"]["model"]["vocab"]
    result = {"transformers": transformers.__version__, "max_length": MAX_LENGTH, **base, "texts": TEXTS, "pairs": PAIRS}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in result.items()]
    for key, values in (("encodings", pool.encodings), ("folders", cases)):
        lines.append(f"{json.dumps(key)}: [\n" + ",\n".join(json.dumps(value) for value in values) + "\n]")
    (HERE / "tokenizers.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{len(cases)} folders, {len(TEXTS)} texts, {len(PAIRS)} pairs, {len(pool.encodings)} encodings")


if __name__ == "__main__":
    if len(sys.argv) == 2:
        main(pathlib.Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as home:
            main(pathlib.Path(home))
