"""An ONNX graph as it is written: node after node, in the order of computation."""

import onnx
from onnx import helper, numpy_helper

OPSET = 18  # the first in which means and sums both take their axes as an input
IR_VERSION = 8  # of that time, so that runtimes of 2023 read it


class Graph:
    """Calling it adds a node and gives the name of what the node computes.

    Example:
      >>> import numpy as np
      >>> op = Graph()
      >>> op("Relu", op("Sub", "x", np.float32(1)))
      'Relu_1'
      >>> [node.op_type for node in op.nodes]
      ['Sub', 'Relu']
    """

    def __init__(self):
        """It has no nodes and no constants yet."""
        self.nodes, self.constants = [], []

    def __call__(self, operator, *inputs, **attributes):
        """Add a node.

        Args:
          operator: of ONNX, such as "Conv".
          *inputs: names of values, or arrays, which become constants of the graph.
          **attributes: of the operator.

        Returns:
          The name of its output.
        """
        names = [x if isinstance(x, str) else self._constant(x) for x in inputs]
        output = attributes.pop("output", f"{operator}_{len(self.nodes)}")
        node = helper.make_node(operator, names, [output], output, **attributes)
        self.nodes.append(node)
        return output

    def _constant(self, array):
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def model(self, name, inputs, outputs, *, text):
        """The graph as a file.

        Args:
          name: of the graph.
          inputs: dict of names to shapes, of integers and of names for what may vary;
            all are float32.
          outputs: likewise.
          text: that says what they mean.

        Returns:
          `onnx.ModelProto`.
        """
        ends = [
            [
                helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
                for name, shape in values.items()
            ]
            for values in (inputs, outputs)
        ]
        return helper.make_model(
            helper.make_graph(self.nodes, name, *ends, self.constants),
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="cpcnn_jax",
            doc_string=text,
        )
