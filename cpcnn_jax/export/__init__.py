"""Export of trained networks to one file for other programs: StableHLO and ONNX."""
