"""The artifact types that Slipway adds to TFX's standard ones."""

from tfx.types.artifact import Artifact


class VerdictArtifact(Artifact):  # type: ignore[misc]
    """A gate's verdict: `verdict.json` in the artifact's folder. The runners stop at one that did not pass."""

    TYPE_NAME = "Verdict"


class ReleaseArtifact(Artifact):  # type: ignore[misc]
    """What the pusher did: `push.json` in the artifact's folder (version, digest, pushed or why not)."""

    TYPE_NAME = "Release"
