import LegatoTensor
import LegatoTorch

extension Recipe {
  /// Whether products are computed in bf16. A recipe that asks for it is for machines of all kinds: where a processor has no instructions
  /// for bf16, libtorch falls back on plain loops, which take ten times as long as f32.
  func isAutocast(on backend: TorchBackend) -> Bool {
    precision == .bfloat16 && (backend.device != .cpu || Platform.multipliesBFloat16)
  }

  /// Runs the body, on this thread, in the precision that the recipe asks for, where that is faster than f32.
  func inPrecision<Result>(on backend: TorchBackend, _ body: () throws -> Result) rethrows -> Result {
    isAutocast(on: backend) ? try backend.autocast(.bfloat16, body) : try body()
  }
}
