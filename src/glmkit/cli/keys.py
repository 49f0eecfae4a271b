"""What each key of a training run is, in one line, and the names that other programs give it."""

import re
from collections.abc import Mapping, Sequence

from glmkit.core.renamed import current_key

# Dotted key: what it is, with its unit. Defaults and the choices of a fixed few are added from the config itself.
KEYS: Mapping[str, str] = {
    "data": "the directory that `glmkit data prepare` wrote; several: "
    "data.0.path=DIR data.0.weight=0.7 data.1.path=DIR ...",
    "output": "the directory of the run, which is made",
    "model": "the directory of the model to start from",
    "task": "what is learned: a blank filled, a class, a text for a text, replies",
    "method": "what is trained: all weights, low-rank adapters, a prefix",
    "quantize": "int8 or int4: the frozen base in so many bits (lora, ptuning)",
    "init_from": "a model to go on from instead of random weights: a directory or a name",
    "pattern": "cloze: a text with {column} and [MASK], or a known task's number",
    "pool": "classify: the token whose hidden state is read (cls, start, end)",
    "loss": "cloze: cross_entropy, generative, mix, hinge, adapet",
    "penalty": "cloze: log p of an answer is divided by its tokens to this power",
    "class_weights": "balanced: rare labels count more",
    "metric": "what chooses the best: accuracy, macro_f1, f1, em, ...",
    "patience": "stop after so many measurements without a better one; 0: never",
    "evaluate_every": "measure dev and save every so many steps; 0: once an epoch",
    "epochs": "passes over the training rows",
    "steps": "optimizer steps of the whole run; pretraining counts no epochs",
    "batch_size": "rows that a step learns from, over all processes",
    "micro_batch_size": "rows in memory at a time; changes memory and speed alone",
    "seq_length": "tokens of a row",
    "length": "the most tokens of a row; longer ones are cut",
    "smoothing": "label smoothing, a share from 0 up to 1",
    "max_lost": "share of rows that may be too long to learn from",
    "samples": "rows of dev written out at each measurement (seq2seq, chat)",
    "checkpoint_activations": "less memory for about a third more time",
    "compile": "torch.compile the loss",
    "dropout": "share of activations dropped while training",
    "freeze": "train the head, or the continuous prompts, alone",
    "prompts": "cloze: how many learned vectors stand at [P] in the pattern",
    "prefix": "cloze: how many learned vectors stand before the text",
    "prompt_kind": "what makes those vectors",
    "seed": "of weights, order and dropout: the same seed, the same run",
    "precision": "of the arithmetic; auto: bfloat16 where the machine has it",
    "device": "auto, cpu, cuda, cuda:1, mps",
    "threads": "processor threads; 0: as torch chooses",
    "validation": "share of the documents kept out of training and measured",
    "validation_data": "measure this prepared directory instead",
    "validation_every": "steps between two measurements",
    "stream.window": "shards that are shuffled together, of a corpus of more shards",
    "stream.cache": "directory for copies of shards from an object storage; ~/.cache/glmkit unless given",
    "stream.cache_gb": "the most GB of such copies; two windows must fit",
    "validation_examples": "the most chunks measured each time",
    "save_every": "steps between two checkpoints",
    "save_minutes": "and minutes, whichever come first; 0: steps alone",
    "skip_spikes": "leave out steps whose gradient norm is so many deviations high; 0: none",
    "keep_last": "checkpoints that are kept",
    "log_every": "steps between two lines of the log",
    "tensorboard": "the same as report_to=tensorboard",
    "report_to": "programs that show the run: tensorboard, swanlab, wandb, trackio, commas between",
    "resume": "auto: go on with the run in output",
    "parallel.replicate": "groups of processes that hold the model once each",
    "parallel.shard": "processes in a group; -1: all there are",
    "parallel.reshard": "give a block's weights back between forward and backward pass",
    "parallel.offload": "keep this process's part in the processor's memory",
    "dry_run": "say how long it would take and train nothing",
    "data.train": "file of the training rows: .csv, .tsv, .jsonl, .json",
    "data.dev": "file of the rows that are measured",
    "data.name": "a known task (rte, tnews, ...) or a .yaml, instead of files",
    "data.dir": "the folder of the benchmark's own files",
    "data.text": "column of the text; two with a comma between",
    "data.label": "column of the label",
    "data.words": "cloze: a word for each label, negative=terrible,positive=great",
    "data.limit": "the most training rows; 0: all",
    "data.dev_limit": "the most rows of dev; 0: all",
    "data.dev_share": "without data.dev: share of the training rows held out",
    "data.few": "so many training rows of each label; 0: all",
    "data.encoding": "of the files: utf-8, gb18030, ...",
    "data.header": "whether the first line of .csv and .tsv names the columns",
    "data.form": "seq2seq: plain, summary, question, answer, cmrc, fill",
    "data.source": "seq2seq: column of the source",
    "data.target": "seq2seq: column of the target",
    "data.target_length": "seq2seq: the most tokens of a target",
    "data.prompt": "chat: column of the question; several with commas between",
    "data.response": "chat: column of the reply",
    "data.history": "chat: column of the rounds before",
    "data.mix": "a text file mixed in, so that what the model knew stays",
    "data.mix_share": "its share of all tokens",
    "data.general": "a text file measured before, while and after",
    "objective.token": "share of short blanks (GLM's token objective)",
    "objective.sentence": "share of blanked sentences",
    "objective.document": "share of one long blank to the end of a text",
    "objective.single": "share of one short blank a text",
    "objective.masked_lm": "share of BERT's objective, a baseline",
    "objective.left_to_right": "share of GPT's objective, a baseline",
    "objective.causal": "share of the next token, from left to right",
    "objective.infill": "share of short blanks, written behind the text",
    "objective.ratio": "share of the tokens that is blanked",
    "objective.ratio_end": "what that has become at the end of the run, on a straight line; 0: it stays",
    "objective.mean_length": "tokens of a short blank on average (Poisson)",
    "objective.mean_length_end": "what that has become at the end of the run; 0: it stays",
    "objective.shortest_document": "least share of a text that a long blank takes",
    "objective.inner_document": "share of long blanks that lie inside the text",
    "objective.short": "share of the texts that is cut into short ones",
    "objective.order": "of the spans that are written",
    "objective.marks": "sentinel: a mark of its own for each blank (an ablation)",
    "model.num_layers": "blocks",
    "model.hidden_size": "width of the residual stream",
    "model.num_heads": "of attention (queries)",
    "model.num_kv_heads": "of keys and values, each for num_heads / num_kv_heads queries",
    "model.head_dim": "width of a head",
    "model.intermediate_size": "width inside the MLP",
    "model.max_positions": "the longest text that the model reads, in tokens",
    "model.dropout": "share of activations dropped while training",
    "model.gelu": "of the MLP",
    "model.positions": "how tokens are numbered; two-channel is GLM's",
    "model.norm_epsilon": "of the norms",
    "model.norm.kind": "of the blocks, without weights",
    "model.norm.qk": "of queries and keys",
    "model.norm.epsilon": "of the norms",
    "model.rope.base": "of the rotary positions: the longer the rows, the larger",
    "model.rope.place_share": "of a head, turned by the place; the rest by the step inside a span",
    "model.mlp.kind": "of the MLP",
    "model.mlp.intermediate_size": "width inside the MLP",
    "model.residual_init": "how matrices that write to the residual stream begin",
    "model.rope_ratio": "how many times farther rotary positions read",
    "model.rope_scaling": "by what means",
    "model.rope_table": "reference: as the official code rounds it",
    "schedule.peak": "the learning rate at its highest; also learning_rate= or lr=",
    "schedule.shape": "how the rate falls after the warm-up",
    "schedule.warmup": "share of all steps in which the rate rises from 0",
    "schedule.floor": "the rate at the end, as a share of the peak",
    "schedule.decay": "of wsd: share of all steps, the last ones, in which the rate falls",
    "optimizer.name": "muon: matrices of blocks by Muon, everything else by AdamW",
    "optimizer.beta1": "of AdamW",
    "optimizer.beta2": "of AdamW",
    "optimizer.eps": "of AdamW",
    "optimizer.weight_decay": "decoupled decay of matrices; also weight_decay=",
    "optimizer.grad_clip": "the most that the norm of a step's gradient may be",
    "optimizer.muon.peak": "Muon's learning rate where AdamW's is schedule.peak",
    "optimizer.muon.momentum": "of Muon",
    "lora.rank": "rows of A, columns of B",
    "lora.alpha": "the adapter counts alpha / rank times",
    "lora.dropout": "share of the adapter's input dropped while training",
    "lora.targets": "which layers of a block, commas between",
    "ptuning.num": "keys and values that stand before the text",
    "ptuning.projection": "make them by two layers instead of a table",
    "ptuning.dropout": "share of them dropped while training",
}

# Other programs' name: ours, the first that the config has.
_ALIASES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("learning_rate", "lr", "peak_lr", "max_lr"), ("schedule.peak",)),
    **dict.fromkeys(("weight_decay", "wd"), ("optimizer.weight_decay",)),
    **dict.fromkeys(("grad_clip", "max_grad_norm", "clip_grad"), ("optimizer.grad_clip",)),
    **dict.fromkeys(("beta1", "adam_beta1"), ("optimizer.beta1",)),
    **dict.fromkeys(("beta2", "adam_beta2"), ("optimizer.beta2",)),
    **dict.fromkeys(("warmup", "warmup_ratio"), ("schedule.warmup",)),
    **dict.fromkeys(("num_epochs", "num_train_epochs", "epoch"), ("epochs",)),
    **dict.fromkeys(("num_steps", "max_steps", "train_steps", "max_train_steps"), ("steps",)),
    **dict.fromkeys(("bs", "train_batch_size"), ("batch_size",)),
    **dict.fromkeys(("length", "max_length", "max_seq_length", "seq_length", "block_size"), ("length", "seq_length")),
    **dict.fromkeys(("num_threads", "n_threads"), ("threads",)),
    "lr_scheduler_type": ("schedule.shape",),
    "output_dir": ("output",),
    "model_name_or_path": ("init_from", "model"),
    **{name: (f"model.{name}",) for name in ("num_layers", "hidden_size", "num_heads", "max_positions")},
    **dict.fromkeys(("num_hidden_layers", "n_layer"), ("model.num_layers",)),
    "num_attention_heads": ("model.num_heads",),
    "train_file": ("data.train",),
    "validation_file": ("data.dev",),
    "logging_steps": ("log_every",),
    "save_steps": ("save_every",),
    "eval_steps": ("validation_every", "evaluate_every"),
    "lora_rank": ("lora.rank",),
    "lora_r": ("lora.rank",),
    "lora_alpha": ("lora.alpha",),
    "lora_dropout": ("lora.dropout",),
    "pre_seq_len": ("ptuning.num",),
    "label_smoothing": ("smoothing",),
    "length_penalty": ("penalty",),
    "max_target_length": ("data.target_length",),
}

# Other programs' flags and ours of the same meaning, of which the first that a command has is taken; "--a=b" stands for
# a flag without a value.
FLAGS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("--num-beams", "--beam", "--beam-size"), ("--beams",)),
    **dict.fromkeys(
        ("--max-new-tokens", "--max-tokens", "--n-predict", "--num-predict", "-n"), ("--max-new-tokens", "--tokens")
    ),
    "--min-new-tokens": ("--min-tokens",),
    "--temp": ("--temperature",),
    **dict.fromkeys(("--load-in-4bit", "--4bit", "--int4"), ("--quantize=int4",)),
    **dict.fromkeys(("--load-in-8bit", "--8bit", "--int8"), ("--quantize=int8",)),
    **dict.fromkeys(("--bits", "--quantization", "--quantization-bit", "--quantise"), ("--quantize",)),
    **dict.fromkeys(("--fp16", "--half"), ("--dtype=float16",)),
    "--bf16": ("--dtype=bfloat16",),
    **dict.fromkeys(("--lora", "--peft", "--lora-path", "--ptuning-checkpoint"), ("--adapter",)),
    **dict.fromkeys(("--num-threads", "--n-threads"), ("--threads",)),
    **dict.fromkeys(
        ("--batch-size", "--bs", "--batch", "--eval-batch-size", "--per-device-eval-batch-size"),
        ("--batch-size", "--rows", "--streams", "--texts"),
    ),
    **dict.fromkeys(("--num-fewshot", "--few-shot", "--fewshot"), ("--shots",)),
    "--task": ("--tasks",),
    "--data-dir": ("--data",),
    "--no-repeat-ngram-size": ("--no-repeat-ngram",),
    **dict.fromkeys(("--output-dir", "--out", "--output-file"), ("--output",)),
    **dict.fromkeys(("-m", "--model-name-or-path", "--model"), ("--model", "--preset")),
}

# Flags that mean something else with others: what to give here, the first that the command has.
NEAR_FLAGS: Mapping[str, tuple[str, ...]] = {
    "--max-length": ("--max-new-tokens",),  # theirs counts the prompt
    "--min-length": ("--min-tokens",),
    "--best-of": ("--num-return-sequences",),
    **dict.fromkeys(("--do-sample", "--sample"), ("--temperature 1",)),
    "--repetition": ("--repetition-penalty",),
    **dict.fromkeys(("--epochs", "--num-epochs", "--num-train-epochs"), ("--steps",)),
}

_ROWS_AT_A_TIME = "a step learns from batch_size rows, micro_batch_size of them at a time; set those"
_PRECISION = "the arithmetic is set by precision=auto, float32 or bfloat16"
# Names without one key of ours: what to do instead.
HINTS: Mapping[str, str] = {
    **dict.fromkeys(("epochs", "num_epochs", "num_train_epochs", "epoch"), "pretraining counts steps, not epochs: "
                    "write steps=N, each of batch_size rows of seq_length tokens"),
    **dict.fromkeys(("steps", "num_steps", "max_steps", "train_steps", "max_train_steps"),
                    "fine-tuning counts passes over the rows: write epochs=N"),
    **dict.fromkeys(("gradient_accumulation_steps", "per_device_train_batch_size"), _ROWS_AT_A_TIME),
    **dict.fromkeys(("fp16", "bf16", "half"), _PRECISION),
    "load_in_4bit": "write quantize=int4",
    "load_in_8bit": "write quantize=int8",
    "max_new_tokens": "a target has at most data.target_length tokens, a row length",
    "warmup_steps": "the warm-up is a share of all steps: write schedule.warmup=0.1",
    "save_steps": "fine-tuning saves where it measures: write evaluate_every=N",
}  # fmt: skip


def real_key(name: str, known: Sequence[str]) -> str:
    """The key of a config with the keys `known` that `name` means: itself, or ours for another program's name."""
    now = current_key(name, known)
    return now if now in known else next((key for key in _ALIASES.get(name, ()) if key in known), name)


def real_value(key: str, value: object) -> object:
    """A value as the config wants it: 4, "4bit" and "8-bit" of `quantize` are int4 and int8."""
    return bits(str(value)) if key == "quantize" else value


def bits(text: str) -> str:
    """int4 or int8 however it is written; any other text as it is."""
    match = re.fullmatch(r"(?:int|w|q)?[-_]?([48])[-_ ]?(?:bits?)?", text.strip(), re.IGNORECASE)
    return f"int{match[1]}" if match else text
