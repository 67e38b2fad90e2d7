/// A parameter of a model: a name, a shape, and immutable values in one of the stored formats.
///
/// A `Linear`'s weight is a matrix `[outputs, inputs]`, row-major along the inputs, dense in f32 or bf16, so that a file is used where it
/// is mapped; or int8 or int4 with one scale a group of inputs, laid out for the kernels where they have a layout of their own.
/// A backend makes its own tensor for a weight at first use (``Backend/tensor(of:)``); training changes that
/// tensor, never the weight.
public final class Weight: Sendable {
  /// Dotted path of the parameter in its model, the name in the safetensors file.
  public let name: String
  public let shape: [Int]
  public let format: WeightFormat
  /// The values; of int8 and int4 in tiles their scales, too.
  public let storage: WeightStorage
  /// int8 and int4 in rows: `[outputs, inputs / group]` scales.
  let scales: WeightStorage?

  init(name: String, shape: [Int], format: WeightFormat, storage: WeightStorage, scales: WeightStorage?) {
    self.name = name
    self.shape = shape
    self.format = format
    self.storage = storage
    self.scales = scales
  }

  /// Values in f32 or bf16, row-major.
  public convenience init(name: String, shape: [Int], format: WeightFormat, storage: WeightStorage) {
    precondition(format.group == nil, "\(name): \(format) has scales")
    self.init(name: name, shape: shape, format: format, storage: storage, scales: nil)
  }

  /// A weight with these values, held in f32. Traps where they are not as many as the shape says.
  public convenience init(name: String, shape: [Int], values: [Float]) {
    precondition(values.count == shape.reduce(1, *), "\(name): \(values.count) values for shape \(shape)")
    self.init(name: name, shape: shape, format: .float32, storage: WeightStorage(copying: values))
  }

  public var count: Int { shape.reduce(1, *) }
  /// Bytes that the values take where they are stored.
  public var byteCount: Int { storage.byteCount + (scales?.byteCount ?? 0) }
}

/// How a weight's values are stored.
public enum WeightFormat: Sendable, Hashable {
  case float32
  case bfloat16
  /// Symmetric, one f32 scale for each `group` values of a row.
  case int8(group: Int)
  /// −8 to 7 times one f32 scale, of either sign, for each `group` values of a row. Two columns a byte, the first in the low four
  /// bits, each as its value + 8.
  case int4(group: Int)

  /// Columns of a row that share a scale; nil where there are none.
  public var group: Int? {
    switch self {
    case .float32, .bfloat16: nil
    case .int8(let group), .int4(let group): group
    }
  }
}
