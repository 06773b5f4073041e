"""Names that several stages share: what one stage writes under them, another reads."""

# Gates, as their verdicts name them.
#: Anomalies, skew and drift of the data.
DATA_GATE = "data"
#: Gate 1: the candidate against its bounds and the latest release.
EVALUATE_GATE = "evaluate"
#: Gate 2: the optimized variants against the float model.
OPTIMIZE_GATE = "optimize"
#: Gate 3: the model in a real server process.
CANARY_GATE = "canary"

# Models that are compared.
#: The model that was just trained.
CANDIDATE = "candidate"
#: The latest release, or the float model that a variant was made from.
BASELINE = "baseline"
#: The variant that is the model as it was trained.
FLOAT = "float"
#: The slice that holds every example.
OVERALL = "all examples"

# Files and folders in artifacts.
#: Examples and statistics: the prefix of TFX's folder of a split.
SPLIT_PREFIX = "Split-"
#: Examples: the rows by split and label, and those that were refused.
INGEST_FILE = "ingest.json"
#: Schema: the text that people review, under TFX's name.
SCHEMA_FILE = "schema.pbtxt"
#: Model: TFX's folder of the SavedModel, or of the LiteRT release, that is served.
SERVING = "Format-Serving"
#: Model: the Keras model without its preprocessing.
KERAS_MODEL = "keras/model.keras"
#: Model, as LatestRelease makes it: the folder of the release that was fetched.
RELEASED = "model"
#: Model evaluation: the predictions of every model compared.
PREDICTIONS_FILE = "predictions.arrow"
#: Model evaluation: metrics by slice and model, the confusion matrix, the classes.
METRICS_FILE = "metrics.json"
#: Model evaluation, as Optimizer makes it: the table of the variants.
VARIANTS_FILE = "variants.json"
#: Model evaluation, as Optimizer makes it: the picture of the variants.
TRADEOFF_FILE = "tradeoff.html"
#: Verdict: the outcome of a gate.
VERDICT_FILE = "verdict.json"
#: Release: what the Pusher did.
PUSH_FILE = "push.json"

# Properties of artifacts and releases.
#: Custom property of a Model artifact: the variant that it is.
VARIANT_PROPERTY = "variant"
#: Lineage of a release: the digest of the trained model, of which the release may be an optimized form.
CANDIDATE_DIGEST = "candidate_digest"

# The exported model, beside TensorFlow's default signature.
#: The signature that takes serialized tf.Examples.
EXAMPLES_SIGNATURE = "serve_examples"
#: Its input, string [batch].
EXAMPLES_INPUT = "examples"
#: Output of both signatures: float32 [batch, classes].
PROBABILITIES = "probabilities"
#: Output of both signatures: the most probable class's id, int64 [batch].
CLASS_ID = "class_id"
#: Output of both signatures: the most probable class's name, string [batch].
CLASS_NAME = "label"
