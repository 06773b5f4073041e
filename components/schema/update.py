"""Taking what the data has into a schema: only ever wider, and every change in words."""

from collections.abc import Collection, Sequence
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2

from components.listing import listed
from components.schema.diff import domain_of, range_of, type_words
from components.schema.infer import in_order, set_classes
from components.schema.text import classes_of


def update_classes(schema: Any, label: str, classes: Sequence[str]) -> list[str]:
    """Give the label these classes, in this order; returns what changed."""
    old = classes_of(schema, label)
    if old == list(classes):
        return []
    set_classes(schema, label, classes)
    added, dropped = [c for c in classes if c not in old], [c for c in old if c not in classes]
    parts = [f"{verb} {listed(names)}" for verb, names in (("added", added), ("dropped", dropped)) if names]
    return [f"{label}: classes {listed(classes)} ({'; '.join(parts) or 'another order'})"]


def update(schema: Any, fresh: Any, label: str, read: Collection[str]) -> list[str]:
    """Widen a schema so that it allows what the data has.

    New classes come after the old ones, which keep their ids. A column that the data no longer has stays if a stage
    reads it; then the data is wrong, or the configuration.

    Args:
        schema: changed in place.
        fresh: what is inferred from the data alone.
        label: the label's name.
        read: the columns that some stage reads.

    Returns:
        What changed, a line each.
    """
    changes: list[str] = []
    new = {feature.name: feature for feature in fresh.feature}
    for feature in schema.feature:
        if feature.name == label and label in new:
            old = classes_of(schema, label)
            added = in_order([name for name in classes_of(fresh, label) if name not in old])
            changes += update_classes(schema, label, [*old, *added])
        elif feature.name in new:
            changes += [
                f"{feature.name}: {text}" for text in _widen(schema, feature, fresh, new[feature.name])
            ]
    known = {feature.name for feature in schema.feature}
    for name in [name for name in new if name not in known]:
        _put(schema, schema.feature.add(), fresh, new[name])
        changes.append(f"{name}: added, {type_words(new[name].type)}")
    gone = [name for name in known if name not in new and name not in read]
    for name in sorted(gone):
        changes.append(f"{name}: dropped, which the data no longer has and no stage reads")
    kept = [feature for feature in schema.feature if feature.name not in gone]
    del schema.feature[:]
    schema.feature.extend(kept)
    return changes


def _put(schema: Any, target: Any, fresh: Any, feature: Any) -> None:
    """Replace a column by another schema's, with its domain."""
    target.CopyFrom(feature)
    _set_domain(schema, target, domain_of(fresh, feature))


def _widen(schema: Any, feature: Any, fresh: Any, new: Any) -> list[str]:
    if feature.type != new.type:
        old = type_words(feature.type)
        _put(schema, feature, fresh, new)
        return [f"{type_words(new.type)}, no longer {old}"]
    changes = []
    limits, seen = range_of(feature), range_of(new)
    # A range is wider than what was seen, so that ordinary values are no anomaly: so is the new one.
    if limits and seen and (seen[0] < limits[0] or seen[1] > limits[1]):
        low, high = min(limits[0], seen[0]), max(limits[1], seen[1])
        domain = feature.int_domain if feature.type == schema_pb2.INT else feature.float_domain
        domain.min, domain.max = (int(low), int(high)) if feature.type == schema_pb2.INT else (low, high)
        changes.append(f"{low:g} to {high:g}, no longer {limits[0]:g} to {limits[1]:g}")
    changes += (
        _widen_values(schema, feature, domain_of(fresh, new)) if feature.type == schema_pb2.BYTES else []
    )
    if new.presence.min_fraction < feature.presence.min_fraction:
        feature.presence.min_fraction = new.presence.min_fraction
        changes.append("not every row needs a value")
    return changes + _widen_counts(feature, new)


def _widen_values(schema: Any, feature: Any, seen: Sequence[str] | None) -> list[str]:
    values = domain_of(schema, feature)
    if values is None:
        return []
    if seen is None:
        _set_domain(schema, feature, None)
        return [f"any text: too many values to list, no longer {listed(values)}"]
    if not (added := in_order([value for value in seen if value not in values])):
        return []
    _set_domain(schema, feature, [*values, *added])
    return [f"added {listed(added)}"]


def _widen_counts(feature: Any, new: Any) -> list[str]:
    """Allow as many values in a row as the data has."""
    if new.HasField("shape") and (not feature.HasField("shape") or feature.shape == new.shape):
        return []
    if not feature.HasField("shape") and not new.HasField("value_count"):
        return []
    low, high = _counts(feature)
    new_low, new_high = _counts(new)
    low, high = min(low, new_low), max(high, new_high)
    if not feature.HasField("shape") and (low, high) == _counts(feature):
        return []
    feature.ClearField("shape")
    feature.value_count.min, feature.value_count.max = low, high
    return [f"{low} to {high} values in a row"]


def _counts(feature: Any) -> tuple[int, int]:
    if feature.HasField("shape"):
        size = 1
        for dim in feature.shape.dim:
            size *= dim.size
        return size, size
    return feature.value_count.min, feature.value_count.max


def _set_domain(schema: Any, feature: Any, values: Sequence[str] | None) -> None:
    """Let a text column have these values, or any; the list is where the column had it, or named after it."""
    name = feature.domain or feature.name
    if values is None:
        feature.ClearField("domain")
        feature.ClearField("string_domain")
    elif feature.HasField("string_domain"):
        del feature.string_domain.value[:]
        feature.string_domain.value.extend(values)
    else:
        domain = next((d for d in schema.string_domain if d.name == name), None) or schema.string_domain.add(
            name=name
        )
        del domain.value[:]
        domain.value.extend(values)
        feature.domain = name
