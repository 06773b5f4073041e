"""From a parsed request to an answer, free of any protocol: checks, batching, execution, warm-up."""
