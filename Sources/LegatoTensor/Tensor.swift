/// An n-dimensional array on a backend. A value: operations give new tensors.
///
/// Tensors belong to one session or one training thread and are not `Sendable`; a model holds ``Weight``s.
/// Operations trap on shapes that do not fit, naming operation and shapes: that is a programmer's mistake.
public struct Tensor {
  public let shape: [Int]
  public let dtype: DType
  public let backend: any Backend
  /// The backend's own object.
  public let handle: AnyObject

  public init(shape: [Int], dtype: DType, backend: any Backend, handle: AnyObject) {
    self.shape = shape
    self.dtype = dtype
    self.backend = backend
    self.handle = handle
  }

  public var rank: Int { shape.count }
  public var count: Int { shape.reduce(1, *) }

  /// Length of an axis; negative counts from the end.
  public func dim(_ axis: Int) -> Int { shape[axis < 0 ? axis + rank : axis] }

  /// The values, row-major. Traps while a plan is being recorded.
  public func floats() -> [Float] { backend.floats(self) }
}

/// What an element is. Activations are `float32`; `int32` is for positions and indices.
public enum DType: String, Sendable, Hashable {
  case float32
  case bfloat16
  case int8
  case int32

  public var byteCount: Int {
    switch self {
    case .float32, .int32: 4
    case .bfloat16: 2
    case .int8: 1
    }
  }
}

extension Tensor {
  /// Runs an operation on the operands' backend.
  public static func apply(_ operation: Operation, _ operands: [Tensor]) -> Tensor {
    let backend = operands[0].backend
    let shape = operation.resultShape(operands.map(\.shape))
    if operation.isFused, !backend.implements(operation) {
      return composition(of: operation, operands)
    }
    let dtype: DType = operation == .gather ? .float32 : operands[0].dtype
    return backend.perform(operation, operands, shape: shape, dtype: dtype)
  }
}
