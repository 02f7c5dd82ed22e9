"""ONNX graph builder: nodes are added one by one, in the order of computation."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

OPSET = 18  # the first in which ReduceMean and ReduceSum both take axes as an input
IR_VERSION = 8  # readable by runtimes of 2023


def integers(*values: int) -> np.ndarray:
    """Makes a vector of int64, as ONNX takes shapes and axes."""
    return np.array(values, np.int64)


class Graph:
    """Graph under construction; a call adds a node and returns its output's name.

    Example:
      >>> op = Graph()
      >>> op("Relu", op("Sub", "x", np.float32(1)))
      'Relu_1'
      >>> [node.op_type for node in op.nodes]
      ['Sub', 'Relu']
    """

    def __init__(self) -> None:
        """Starts without nodes and constants."""
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def __call__(
        self, operator: str, *inputs: str | np.ndarray | np.generic, **attributes: Any
    ) -> str:
        """Adds a node.

        Args:
          operator: ONNX operator, such as "Conv".
          *inputs: names of values, or arrays, which become constants of the graph.
          **attributes: the operator's attributes; `output` names the node's output.

        Returns:
          The name of the node's output.
        """
        names = [x if isinstance(x, str) else self._add_constant(x) for x in inputs]
        output = attributes.pop("output", f"{operator}_{len(self.nodes)}")
        node = helper.make_node(operator, names, [output], output, **attributes)
        self.nodes.append(node)
        return output

    def _add_constant(self, array):
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def to_model(
        self,
        name: str,
        inputs: Mapping[str, Sequence[Any]],
        outputs: Mapping[str, Sequence[Any]],
        *,
        doc: str,
    ) -> onnx.ModelProto:
        """Builds the model, with float32 inputs and outputs given as names to shapes.

        A shape holds integers and names of dynamic sizes.
        """
        inputs_info, outputs_info = (
            [
                helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
                for name, shape in values.items()
            ]
            for values in (inputs, outputs)
        )
        return helper.make_model(
            helper.make_graph(
                self.nodes, name, inputs_info, outputs_info, self.constants
            ),
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="cpcnn_jax",
            doc_string=doc,
        )
