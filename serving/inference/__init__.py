"""From a parsed request to an answer, independent of the protocol: checks, batching, execution, warm-up."""
