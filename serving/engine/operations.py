"""What the operations of a signature say about it: whether it is steady, and whether it is pure.

Steady: the run time follows from the shapes of the inputs, and not from the values. Only such signatures may run on the
event loop: three quick answers say nothing about the next one of a model that counts up to a number in the request,
decodes a picture of any size, or fills a tensor of a shape that it was sent. So there is a list of what is known to be
steady, and everything else is not. What takes strings is steady for their bytes.

Pure: a call leaves nothing behind, so it may be tried with made-up values.
"""

from collections.abc import Callable, Mapping
from typing import Any


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: TensorFlow's operations that do the same work for every value.
_TENSORFLOW = _words("""
    Const Placeholder PlaceholderWithDefault NoOp Identity IdentityN StopGradient PreventGradient EnsureShape Assert
    VarHandleOp ReadVariableOp VariableV2 ResourceGather GatherV2 HashTableV2 LookupTableFindV2 PartitionedCall
    StatefulPartitionedCall MatMul BatchMatMul BatchMatMulV2 BatchMatMulV3 Einsum Conv1D Conv2D Conv3D
    DepthwiseConv2dNative BiasAdd BiasAddV1 FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 MaxPool MaxPoolV2
    MaxPool3D AvgPool AvgPool3D L2Loss Add AddV2 AddN Sub Mul MulNoNan Div DivNoNan RealDiv FloorDiv FloorMod Neg
    Abs Sign Square SquaredDifference Sqrt Rsqrt Reciprocal Exp Expm1 Log Log1p Pow Maximum Minimum Floor Ceil Round
    Rint Erf Erfc Sin Cos Tan Atan Atan2 Relu Relu6 LeakyRelu Elu Selu Softplus Softsign Sigmoid Tanh Softmax
    LogSoftmax Sinh Cosh Asin Acos Equal NotEqual Less LessEqual Greater GreaterEqual LogicalAnd LogicalOr
    LogicalNot Select SelectV2 IsNan IsInf IsFinite ClipByValue Cast Bitcast ZerosLike OnesLike Sum Mean Max Min
    Prod All Any ArgMax ArgMin TopKV2 Cumsum Cumprod Shape ShapeN Size Rank Reshape Squeeze ExpandDims Transpose
    Concat ConcatV2 Pack Unpack Split SplitV StridedSlice Slice ReverseV2 MatrixBandPart Bucketize StringJoin
    StringLower StringUpper StringStrip StringLength StringToHashBucketFast StringToHashBucketStrong StringToNumber
    StaticRegexReplace StaticRegexFullMatch AsString DecodeRaw ParseExample ParseExampleV2
""")
#: The same of LiteRT. DELEGATE stands for operations that a delegate took over, which are still listed themselves.
_LITERT = _words("""
    ABS ADD ADD_N ARG_MAX ARG_MIN AVERAGE_POOL_2D BATCH_MATMUL CAST CEIL CONCATENATION CONV_2D CONV_3D COS CUMSUM
    DELEGATE DEPTHWISE_CONV_2D DEQUANTIZE DIV ELU EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS FLOOR FLOOR_DIV FLOOR_MOD
    FULLY_CONNECTED GATHER GELU GREATER GREATER_EQUAL HARD_SWISH L2_NORMALIZATION LEAKY_RELU LESS LESS_EQUAL
    LOCAL_RESPONSE_NORMALIZATION LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D
    MEAN MINIMUM MUL NEG NOT_EQUAL PACK POW PRELU QUANTIZE REDUCE_ALL REDUCE_ANY REDUCE_MAX REDUCE_MIN REDUCE_PROD
    RELU RELU6 RELU_N1_TO_1 RESHAPE ROUND RSQRT SELECT SELECT_V2 SHAPE SIGN SIN SLICE SOFTMAX SPLIT SPLIT_V SQRT
    SQUARE SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM TANH TRANSPOSE TRANSPOSE_CONV
    UNIDIRECTIONAL_SEQUENCE_LSTM UNIDIRECTIONAL_SEQUENCE_RNN UNPACK ZEROS_LIKE
""")
#: How the names of operations that change a state or the world begin, in TensorFlow and in LiteRT.
_CHANGING = tuple(
    _words("""
    Assign Resource Scatter Lookup Stack Queue Barrier Accumulator TensorArrayWrite Write Print PyFunc EagerPyFunc Save
    Restore Iterator Send Recv CALL_ONCE VAR_HANDLE ASSIGN_VARIABLE HASHTABLE
    """)
)
_HARMLESS = ("ResourceGather", "ResourceGatherNd", "LookupTableFindV2", "LookupTableSizeV2")

Judge = Callable[[str], bool]


def is_steady(operation: str) -> bool:
    """Return whether an operation of TensorFlow or LiteRT does the same work for every value."""
    return operation in _TENSORFLOW or operation in _LITERT


def is_pure(operation: str) -> bool:
    """Return whether an operation leaves nothing behind."""
    return not operation.startswith(_CHANGING) or operation in _HARMLESS


def signatures_with(meta_graph: Any, judge: Judge) -> frozenset[str]:
    """Return the names of a MetaGraphDef's signatures whose outputs are computed by such operations alone."""
    graph = meta_graph.graph_def
    nodes = {node.name: node for node in graph.node}
    functions = {function.signature.name: function for function in graph.library.function}
    known: dict[str, bool] = {}
    found = []
    for name, definition in meta_graph.signature_def.items():
        fed = {_node_of(info.name) for info in definition.inputs.values()}
        reached = _reached([_node_of(info.name) for info in definition.outputs.values()], fed, nodes)
        if reached is not None and all(_is_good(node, functions, judge, known) for node in reached):
            found.append(name)
    return frozenset(found)


def _reached(outputs: list[str], fed: set[str], nodes: Mapping[str, Any]) -> list[Any] | None:
    """Return the nodes between the outputs and what is fed; None if the graph lacks one."""
    waiting, seen, reached = list(outputs), set(fed), []
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name not in nodes:
            return None
        reached.append(nodes[name])
        waiting += [_node_of(source) for source in nodes[name].input]
    return reached


def _is_good(node: Any, functions: Mapping[str, Any], judge: Judge, known: dict[str, bool]) -> bool:
    if not judge(node.op):
        return False
    for name in functions_called(node):
        if name not in known:
            known[name] = True  # what calls itself is as good as the rest of it
            body = functions.get(name)
            known[name] = body is not None and all(
                _is_good(inner, functions, judge, known) for inner in body.node_def
            )
        if not known[name]:
            return False
    return True


def functions_called(node: Any) -> set[str]:
    """Return the names of the functions that a NodeDef has as attributes: branches, bodies, what a call calls."""
    called = {value.func.name for value in node.attr.values() if value.func.name}
    return called | {function.name for value in node.attr.values() for function in value.list.func}


def _node_of(tensor: str) -> str:
    return tensor.lstrip("^").partition(":")[0]
