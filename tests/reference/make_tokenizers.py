"""Makes tokenizers.json: tokenizer folders, and the token ids that Transformers gives for texts.

    python tests/reference/make_tokenizers.py

The file has a vocabulary, texts, and folders. A folder is a map from file names to changes of a base file:
a JSON merge patch (RFC 7396) for a `.json` file, `rename`, `set` and `newline` for `vocab.txt`, and `append` for
`merges.txt`; the content of a model of SentencePiece is that of the name in `sentencepiece`. `bpe/tokenizer.json` is a `tokenizer.json` with the vocabulary of `vocab.json` and these merges. The encodings of a folder are indices into `encodings`, each a list of ids and, if one of them
is not 0, a list of type ids. A folder that Transformers refuses has `error`, a word of the message of glue-tui;
one whose name starts with `unsupported-` is refused by glue-tui only. `tests/tokenizers.rs` builds the folders and
compares. With an argument, the folders are also written to that directory.
"""

import io
import itertools
import json
import pathlib
import sys
import tempfile
import warnings

import sentencepiece
import tokenizers
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
    "def f(x):\n    if x  > 0:\n\t\treturn   x\n\n\n  # four    blanks  \n",
    " leading and trailing  \n",
    "\ufb03 \u1e9b\u0323 \uac00 \u1100\u1161 A\u030a \u212b \ufdfa \uff21\uff22",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea \u2060x\ufeffy\u200e",
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


def byte_pairs():
    """Vocabulary and merges of a byte-level BPE that is trained on the texts, with the special tokens of RoBERTa."""
    tokenizer = tokenizers.ByteLevelBPETokenizer()
    texts = [text for text in TEXTS for _ in range(2)] + [" not bad at all", " the music was good"] * 3
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer.train_from_iterator(texts, vocab_size=380, min_frequency=2, special_tokens=special, show_progress=False)
    model = json.loads(tokenizer.to_str())["model"]
    vocab = dict(sorted(model["vocab"].items(), key=lambda item: item[1]))
    return vocab | {"<mask>": len(vocab)}, [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]


def sentencepiece_models(directory):
    """Models of SentencePiece, in hexadecimal: Unigram with the special tokens of XLM-RoBERTa, ALBERT and DeBERTa, BPE as in
    Gemma, and some with a map of characters and user-defined symbols."""
    rules = directory / "rules.tsv"
    # Full-width and ligature letters, and blanks that are none.
    rules.write_text("FF21\t41\nFB01\t66 69\n3000\t20\nA0\t20\n200B\t20\n", encoding="utf-8")
    texts = [text.replace("\x00", "") for text in TEXTS if text.strip()] * 3
    def train(**keys):
        model = io.BytesIO()
        defaults = {"model_type": "unigram", "vocab_size": 260, "normalization_rule_name": "identity"}
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts), model_writer=model, hard_vocab_limit=False, num_threads=1, minloglevel=2, **(defaults | keys))
        return model.getvalue().hex()
    bert = {"pad_piece": "[PAD]", "bos_piece": "[CLS]", "eos_piece": "[SEP]", "unk_piece": "[UNK]", "pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3}
    gemma = {"pad_id": 0, "eos_id": 1, "bos_id": 2, "unk_id": 3, "pad_piece": "<pad>", "eos_piece": "<eos>", "bos_piece": "<bos>"}
    fairseq = {"unk_id": 0, "bos_id": 1, "eos_id": 2, "pad_id": -1}
    return {
        "fairseq": train(**fairseq),
        "mapped": train(normalization_rule_tsv=str(rules), user_defined_symbols=["very good", "<ent>"], **fairseq),
        "albert": train(
            pad_id=0, unk_id=1, bos_id=-1, eos_id=-1, control_symbols=["[CLS]", "[SEP]"], user_defined_symbols=["[MASK]"],
            normalization_rule_tsv=str(rules)),
        "deberta": train(**bert),
        "deberta-mapped": train(normalization_rule_tsv=str(rules), user_defined_symbols=["very good", "<ent>"], **bert),
        # Multilingual: with pieces for bytes, which the class does not use.
        "deberta-bytes": train(vocab_size=520, byte_fallback=True, control_symbols=["[MASK]"], **bert),
        "gemma": train(
            model_type="bpe", vocab_size=480, byte_fallback=True, add_dummy_prefix=False, remove_extra_whitespaces=False,
            user_defined_symbols=["<mask>", "<unused0>", "<unused1>", "\n", "\n\n", "\t", "\u2581\u2581", "\u2581\u2581\u2581"], **gemma),
        "bpe-mapped": train(
            model_type="bpe", vocab_size=230, normalization_rule_tsv=str(rules), control_symbols=["<sep>"],
            user_defined_symbols=["very good"], pad_id=-1, unk_id=0, bos_id=1, eos_id=-1),
        "word": train(model_type="word", vocab_size=60, use_all_vocab=True),
    }


def sentencepiece_folders():
    """Folders with models of SentencePiece."""
    config = lambda **keys: {"tokenizer_config.json": keys}
    of = lambda model_type: {"config.json": {"model_type": model_type, "vocab_size": 400, "pad_token_id": 1, "max_position_embeddings": 514}}
    fairseq, mapped = {"sentencepiece.bpe.model": "fairseq"}, {"sentencepiece.bpe.model": "mapped"}
    yield "xlm-roberta-sentencepiece", of("xlm-roberta") | fairseq
    yield "xlm-roberta-sentencepiece-map", of("xlm-roberta") | mapped | config(tokenizer_class="XLMRobertaTokenizer", mask_token=tagged("<mask>", lstrip=True))
    yield "camembert-sentencepiece", of("camembert") | fairseq
    yield "camembert-sentencepiece-map", of("camembert") | mapped | config(additional_special_tokens=["[E1]"], add_prefix_space=False)
    albert = {"config.json": {"model_type": "albert", "vocab_size": 400}, "spiece.model": "albert"}
    yield "albert-sentencepiece", albert
    yield "albert-sentencepiece-cased", albert | config(do_lower_case=False, keep_accents=True)
    yield "xlm-roberta-sentencepiece-bpe", {"config.json": {"model_type": "xlm-roberta", "vocab_size": 600, "max_position_embeddings": 514}, "sentencepiece.bpe.model": "gemma"}
    yield "error-camembert-sentencepiece-bpe", of("camembert") | {"sentencepiece.bpe.model": "gemma"}, "model_type"
    yield "error-albert-sentencepiece-bpe", {"config.json": albert["config.json"], "spiece.model": "gemma"}, "model_type"
    yield from deberta_folders()
    yield from backend_folders()
    yield "unsupported-sentencepiece-damaged", of("xlm-roberta") | {"sentencepiece.bpe.model": "damaged"}, "sentencepiece.bpe.model"


def deberta_folders():
    """Folders of DeBERTa-v2 and its successors with spm.model; those with tokenizer.json are in `folders`."""
    config = lambda **keys: {"tokenizer_config.json": keys}
    model = {"config.json": {"model_type": "deberta-v2", "vocab_size": 600, "max_position_embeddings": 512}}
    names = {"bos_token": "[CLS]", "eos_token": "[SEP]", "unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"}
    spm = model | {"spm.model": "deberta"}
    yield "deberta-v2-sentencepiece", spm
    yield "deberta-v2-sentencepiece-files", spm | {"added_tokens.json": {"[MASK]": 400}, "special_tokens_map.json": names} | config(do_lower_case=False, vocab_type="spm")
    yield "deberta-v2-sentencepiece-lower", spm | config(do_lower_case=True, vocab_type="spm", tokenizer_class="DebertaV2Tokenizer")
    yield "deberta-v2-sentencepiece-punctuation", spm | config(split_by_punct=True, add_prefix_space=False, truncation_side="left")
    yield "deberta-v2-sentencepiece-map", model | {"spm.model": "deberta-mapped"} | config(tokenizer_class="DebertaV2TokenizerFast", model_max_length=512)
    yield "deberta-v2-sentencepiece-bytes", model | {"spm.model": "deberta-bytes"} | config(additional_special_tokens=["[E1]"])
    yield "deberta-v2-sentencepiece-names", model | {"spm.model": "fairseq"} | config(unk_token="<unk>", cls_token="<s>", sep_token="</s>", mask_token=tagged("<mask>", lstrip=True))
    yield "deberta-v2-sentencepiece-other-unknown", spm | config(unk_token="[X]", mask_token=None)
    yield "deberta-v2-sentencepiece-bpe", model | {"spm.model": "gemma"}
    yield "error-deberta-v2-lower-case", spm | config(do_lower_case={}, split_by_punct="no", add_prefix_space=[1], model_max_length="x"), "do_lower_case"
    yield "unsupported-deberta-v2-encoder", model | {"bpe_encoder.bin": 0}, "bpe_encoder.bin"
    yield "unsupported-deberta-dictionary", {"config.json": {"model_type": "deberta"}, "dict.txt": 0}, "dict.txt"
    yield "unsupported-deberta", {"config.json": {"model_type": "deberta"}, "vocab.json": {}, "merges.txt": {}}, "DebertaTokenizer"


def backend_folders():
    """Folders with tokenizer.model, and those of ModernBERT."""
    config = lambda **keys: {"tokenizer_config.json": keys}
    model = {"config.json": {"model_type": "modernbert", "vocab_size": 600, "max_position_embeddings": 512}}
    bpe = model | {"tokenizer.model": "gemma"}
    names = {"bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>", "cls_token": "<bos>", "sep_token": "<eos>"}
    yield "sentencepiece-bpe", bpe
    yield "sentencepiece-bpe-gemma", bpe | config(tokenizer_class="GemmaTokenizer", add_bos_token=True, add_eos_token=False, **names)
    yield "sentencepiece-bpe-both-ends", bpe | config(tokenizer_class="PreTrainedTokenizerFast", add_bos_token=True, add_eos_token=True, **names)
    yield "sentencepiece-bpe-no-ends", bpe | config(add_bos_token=True, add_eos_token=True, bos_token=None, eos_token=tagged("<pad>"))
    yield "sentencepiece-bpe-decoder", bpe | config(add_eos_token=True, added_tokens_decoder={
        "4": added("<mask>", lstrip=True), "5": added("[E1]"), "6": added("very", special=False), "590": added("kettle-o-matic", special=False)})
    yield "sentencepiece-bpe-files", bpe | {"added_tokens.json": {"<ent>": 480, "[E1]": 5}, "special_tokens_map.json": names | {"additional_special_tokens": ["<ent>"]}}
    yield "sentencepiece-bpe-of-bert", {"config.json": {"vocab_size": 600}, "tokenizer.model": "bpe-mapped"} | config(tokenizer_class="PreTrainedTokenizerFast", add_bos_token=True, model_input_names=["input_ids", "token_type_ids"])
    yield "sentencepiece-bpe-map", model | {"tokenizer.model": "bpe-mapped"} | config(truncation_side="left", split_special_tokens=True)
    yield "sentencepiece-unigram", model | {"tokenizer.model": "deberta-mapped"} | config(add_bos_token=True, add_eos_token=True)
    yield "sentencepiece-unigram-bytes", model | {"tokenizer.model": "deberta-bytes"}
    yield "unsupported-sentencepiece-word", model | {"tokenizer.model": "word"}, "model_type"
    yield "error-sentencepiece-bpe-damaged", model | {"tokenizer.model": "damaged"}, "tokenizer.model"
    yield "error-sentencepiece-bpe-merges", bpe | config(added_tokens_decoder={"5": added("the"), "281": added("zz")}), "tokenizer.model"


def modernbert_folders(vocab):
    """Folders of ModernBERT with tokenizer.json: the byte-level BPE `vocab`, tokens for runs of blanks, and the template of BERT."""
    n = len(vocab)
    config = lambda **keys: {"tokenizer_config.json": keys}
    blanks = [(n + length, added(" " * length, special=False, normalized=True)) for length in (2, 3, 4, 8)]
    special = [(n + 20 + index, added(token, lstrip=token == "[MASK]")) for index, token in enumerate(["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"])]
    tokens = [(vocab["<pad>"], added("<pad>")), *blanks, (n + 12, added("|||IP_ADDRESS|||", special=False, normalized=True)), *special]
    # The crate gives consecutive ids.
    ids = {token["content"]: n + index - 1 for index, (_, token) in enumerate(tokens)}
    template = tokenizer_json(SPECIAL)["post_processor"]
    template["special_tokens"] = {token: {"id": token, "ids": [ids[token]], "tokens": [token]} for token in ("[CLS]", "[SEP]")}
    tokens = [(ids[token["content"]] if index else id, token) for index, (id, token) in enumerate(tokens)]
    names = {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"}
    js = {"config.json": {"model_type": "modernbert", "vocab_size": n + 40, "max_position_embeddings": 512}, "bpe/tokenizer.json": {
        "added_tokens": numbered(tokens), "normalizer": {"type": "NFC"}, "post_processor": template}}
    yield "modernbert", js | config(tokenizer_class="PreTrainedTokenizerFast", model_input_names=["input_ids", "attention_mask"], model_max_length=512, clean_up_tokenization_spaces=True, **names)
    yield "modernbert-decoder", js | config(added_tokens_decoder={str(id): token for id, token in tokens}, **names)
    yield "modernbert-other-class", js | config(tokenizer_class="RobertaTokenizer", **names)
    yield "modernbert-over-sentencepiece", js | {"tokenizer.model": "gemma"} | config(tokenizer_class="GemmaTokenizerFast", add_bos_token=True, add_eos_token=True, **names)


def byte_pair_json(vocab, merges):
    """What Transformers writes for a RoBERTa, without the vocabulary."""
    tokens = [(vocab[token], added(token)) for token in ("<s>", "<pad>", "</s>", "<unk>")]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": numbered([*tokens, (vocab["<mask>"], added("<mask>", lstrip=True))]),
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": {"type": "RobertaProcessing", "sep": ["</s>", vocab["</s>"]], "cls": ["<s>", vocab["<s>"]], "trim_offsets": True, "add_prefix_space": False},
        "decoder": byte_level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False, "ignore_merges": False},
    }


def byte_pair_folders(vocab):
    """Folders of RoBERTa, whose vocabulary is `vocab`."""
    n = len(vocab)
    config = lambda **keys: {"tokenizer_config.json": keys}
    model = {"config.json": {"model_type": "roberta", "vocab_size": n + 20, "pad_token_id": 1, "max_position_embeddings": 514}}
    files, js = model | {"vocab.json": {}, "merges.txt": {}}, model | {"bpe/tokenizer.json": {}}
    words = {"[E1]": n, "kettle-o-matic": n + 1}
    yield "roberta-files", files
    yield "roberta-files-prefix-space", files | config(add_prefix_space=True, tokenizer_class="RobertaTokenizer", model_max_length=512)
    yield "roberta-files-names", files | config(tokenizer_class="RobertaTokenizerFast", mask_token=tagged("<mask>", lstrip=True), cls_token="<pad>", additional_special_tokens=["very good"])
    yield "roberta-files-added", files | {"added_tokens.json": words, "special_tokens_map.json": {"cls_token": "<s>", "mask_token": added("<mask>", lstrip=True), "additional_special_tokens": ["[E1]"]}}
    yield "roberta-files-unused-vocab-txt", files | {"vocab.txt": {}} | config(trim_offsets=False)
    yield "roberta-json", js
    yield "roberta-json-over-files", js | {"vocab.json": {"not": 5}, "merges.txt": {"append": ["x y z"]}}
    yield "roberta-json-prefix-space", js | config(add_prefix_space=True, truncation_side="left")
    yield "roberta-json-other-sections", model | {"bpe/tokenizer.json": {"normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": {"type": "BertProcessing", "sep": ["<mask>", 4], "cls": ["<pad>", 1]}}}
    yield "roberta-json-added", model | {"bpe/tokenizer.json": {"added_tokens": numbered([(n, added("[E1]")), (n + 1, added("very good", special=False))])}}
    yield "roberta-as-fast", js | config(tokenizer_class="PreTrainedTokenizerFast", pad_token="<pad>")
    yield "error-roberta-without-merges", model | {"vocab.json": {}}, "merges.txt"
    yield "error-roberta-merges", files | {"merges.txt": {"append": ["a b c"]}}, "merges.txt"
    yield "error-roberta-unknown-merge", files | {"merges.txt": {"append": ["qq zz"]}}, "merges"


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
    of = lambda model_type, **keys: {"config.json": xlm["config.json"] | {"model_type": model_type, "max_position_embeddings": 514, **keys}}
    yield "xlm-roberta-of-type", xlm | of("xlm-roberta")
    yield "camembert", xlm | of("camembert")
    yield "camembert-names", xlm | of("camembert") | config(tokenizer_class="CamembertTokenizerFast", additional_special_tokens=["very good"], add_prefix_space=False)
    yield "camembert-decoder", xlm | of("camembert") | config(added_tokens_decoder={str(id): token for id, token in [*xlm_added, (len(pieces) + 1, added("<ent>"))]}, mask_token="<mask>")
    # ALBERT: the same vocabulary with other special tokens, which are pieces too.
    albert_special = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
    albert_pieces = [[token, 0.0] for token in albert_special] + pieces[4:]
    albert_added = [(id, added(token, lstrip=token == "[MASK]")) for id, token in enumerate(albert_special)]
    albert_template = tokenizer_json(SPECIAL)["post_processor"]
    albert = {"config.json": {"model_type": "albert", "vocab_size": len(albert_pieces) + 20}, "tokenizer.json": {
        "model": unigram | {"unk_id": 1, "vocab": albert_pieces}, "added_tokens": numbered(albert_added), "normalizer": {"type": "NFKC"},
        "pre_tokenizer": space, "decoder": space, "post_processor": albert_template}}
    yield "albert", albert
    yield "albert-cased", albert | config(do_lower_case=False, keep_accents=True, tokenizer_class="AlbertTokenizer", model_max_length=512)
    yield "albert-names", albert | config(tokenizer_class="AlbertTokenizerFast", mask_token=tagged("[MASK]", lstrip=True), additional_special_tokens=["very good"], add_prefix_space=False)
    yield "albert-without-post-processor", albert | {"tokenizer.json": albert["tokenizer.json"] | {"post_processor": None}}
    # DeBERTa-v2: the same vocabulary, of which the normalizer and the template are not used.
    deberta_pieces = [[token, 0.0] for token in SPECIAL[:1] + SPECIAL[2:4] + SPECIAL[1:2]] + pieces[4:]
    deberta_added = [(id, added(piece)) for id, (piece, _) in enumerate(deberta_pieces[:4])] + [(len(deberta_pieces), added("[MASK]"))]
    deberta = {"config.json": {"model_type": "deberta-v2", "vocab_size": len(deberta_pieces) + 20}, "tokenizer.json": albert["tokenizer.json"] | {
        "model": unigram | {"unk_id": 3, "vocab": deberta_pieces}, "added_tokens": numbered(deberta_added)}}
    yield "deberta-v2", deberta | config(do_lower_case=False, vocab_type="spm")
    yield "deberta-v2-lower", deberta | config(do_lower_case=True, split_by_punct=True, tokenizer_class="DebertaV2Tokenizer", add_prefix_space=False)
    yield "deberta-v2-over-sentencepiece", deberta | {"spm.model": "deberta"} | config(additional_special_tokens=["very good"], truncation_side="left")
    yield "deberta-v2-unk-id", deberta | config(unk_id=7, unk_token="[X]", add_bos_token=True)
    yield "deberta-v2-as-fast", deberta | config(tokenizer_class="PreTrainedTokenizerFast")
    mpnet_names = {"[CLS]": "<s>", "[SEP]": "</s>", "[PAD]": "<pad>", "[MASK]": "<mask>"}
    mpnet = {"vocab.txt": {"rename": mpnet_names}, "config.json": {"model_type": "mpnet", "max_position_embeddings": 514}}
    yield "mpnet", mpnet
    yield "mpnet-cased", mpnet | config(do_lower_case=False, tokenizer_class="MPNetTokenizerFast", mask_token="<mask>", strip_accents=False)
    yield "mpnet-json", {"config.json": mpnet["config.json"], "tokenizer.json": {"added_tokens": numbered([(n, added("<s>")), (n + 1, added("</s>")), (n + 2, added("<pad>")), (n + 3, added("<mask>", lstrip=True))])}}
    # Transformers ignores the class of this model_type.
    yield "fast-modernbert", js | {"config.json": {"model_type": "modernbert"}} | config(tokenizer_class="GemmaTokenizerFast")
    yield "electra-of-type", txt | {"config.json": {"model_type": "electra"}}
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
        elif name == "merges.txt":
            content = "".join(line + "\n" for line in ["#version: 0.2", *base["merges"], *change.get("append", [])])
        elif name == "bpe/tokenizer.json":
            file = merge_patch(base["files"][name], change)
            file["model"] |= {"vocab": base["files"]["vocab.json"], "merges": base["merges"]}
            content = json.dumps(file, ensure_ascii=False)
        elif name.endswith(".model"):
            (folder / name).write_bytes(bytes.fromhex(base["sentencepiece"][change]))
            continue
        elif name in base["files"]:
            content = json.dumps(merge_patch(base["files"][name], change), ensure_ascii=False)
        else:
            content = json.dumps(change, ensure_ascii=False)
        (folder / name.split("/")[-1]).write_text(content, encoding="utf-8", newline="")


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
    pair_vocab, merges = byte_pairs()
    models = sentencepiece_models(directory)
    base = {
        "vocab": vocab,
        "merges": merges,
        "sentencepiece": models | {"damaged": models["fairseq"][:300]},
        "files": {
            "config.json": {"model_type": "bert", "vocab_size": len(vocab) + 20, "max_position_embeddings": 512},
            "tokenizer.json": tokenizer_json(vocab),
            "vocab.json": pair_vocab,
            "bpe/tokenizer.json": byte_pair_json(pair_vocab, merges),
        },
    }
    pool, cases = Pool(), []
    for name, files, *error in itertools.chain(folders(vocab), byte_pair_folders(pair_vocab), modernbert_folders(pair_vocab), sentencepiece_folders()):
        folder = directory / name
        build(folder, files, base)
        case = {"name": name, "files": files}
        try:
            # DistilBERT has no segments, so that type ids are of no account.
            has_segments = files.get("config.json", {}).get("model_type") != "distilbert"
            found = expected(AutoTokenizer.from_pretrained(str(folder)), Pool() if error else pool, has_segments)
        except Exception as e:  # noqa: BLE001
            found = f"{type(e).__name__}: {str(e).splitlines()[0][:150]}"
        if bool(error) != isinstance(found, str) and not name.startswith("unsupported-"):
            sys.exit(f"{name}: {found}")
        if error:
            print(f"{name}: {found if isinstance(found, str) else 'no error'}")
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
