/// What runs operations on tensors: Legato's CPU engine, or libtorch on a CPU or a GPU.
///
/// Shapes are already checked when a backend is called. A backend belongs to one thread at a time.
/// An operation that fails at run time (memory, device) must not trap: the backend keeps the first error,
/// returns a placeholder of the right shape, and the owner of the computation asks for the error at its end.
public protocol Backend: AnyObject {
  /// "cpu", "torch:cpu", "torch:cuda:0".
  var name: String { get }

  /// Whether a fused operation has an implementation of its own; otherwise its composition is used.
  func implements(_ operation: Operation) -> Bool

  /// Executes, or records, one operation. `shape` and `dtype` are those of the result.
  func perform(_ operation: Operation, _ operands: [Tensor], shape: [Int], dtype: DType) -> Tensor

  /// A tensor with these values, row-major.
  func tensor(_ values: [Float], shape: [Int]) -> Tensor
  func tensor(_ values: [Int32], shape: [Int]) -> Tensor

  /// The tensor that stands for a weight on this backend: made at first use, the same one afterwards.
  func tensor(of weight: Weight) -> Tensor

  /// The values of a float tensor, row-major. Traps while a plan is being recorded.
  func floats(_ tensor: Tensor) -> [Float]

  /// The same values, which no gradient passes.
  func detach(_ tensor: Tensor) -> Tensor
}

extension Backend {
  /// For backends without gradients.
  public func detach(_ tensor: Tensor) -> Tensor { tensor }
}
