"""The trained networks as one file for other programs: StableHLO and ONNX."""
