import LegatoTensor
import LegatoTorch

/// A recipe that asks for bf16 is for machines of all kinds: where a processor has no instructions for it, f32 is faster (on AVX2 libtorch
/// falls back on plain loops, fifteen times as slow).
extension Recipe {
  static func hasFastBFloat16(_ backend: TorchBackend) -> Bool {
    backend.device != .cpu || Platform.multipliesBFloat16
  }

  /// Whether products are computed in bf16.
  func isAutocast(on backend: TorchBackend) -> Bool {
    precision == .bfloat16 && Self.hasFastBFloat16(backend)
  }

  /// Runs the body, on this thread, in the precision that is computed.
  func inPrecision<Result>(on backend: TorchBackend, _ body: () throws -> Result) rethrows -> Result {
    isAutocast(on: backend) ? try backend.autocast(.bfloat16, body) : try body()
  }

  /// What a person is told who asks for bf16 and gets f32.
  func precisionNote(on backend: TorchBackend) -> String? {
    guard precision == .bfloat16, !isAutocast(on: backend) else { return nil }
    return
      "computes in f32 instead of bf16, for which this processor has no instructions (or LEGATO_ISA hides them): it is faster"
  }
}
