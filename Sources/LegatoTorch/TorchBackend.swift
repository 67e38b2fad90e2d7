import CTorchAPI
import LegatoTensor

/// Operations on libtorch, on a CPU or a GPU, with gradients. For training, and for what the CPU engine lacks.
///
/// Belongs to one thread: gradient mode and autocast are the thread's, so a training step runs in one synchronous
/// closure. An operation that fails keeps the first error and gives zeros; from then on nothing is computed until
/// ``check()`` (which ``backward(_:)`` and the optimisers call) has thrown it.
public final class TorchBackend: Backend {
  public let device: TorchDevice
  let plugin: TorchPlugin
  var api: TorchTable { plugin.api }

  /// The first failure since the last ``check()``.
  private(set) var failure: TorchError?
  /// Tensors that stand for weights; the weight is kept so that its identity stays unique.
  var entries: [ObjectIdentifier: WeightEntry] = [:]
  var trainableOrder: [Weight] = []
  /// For tests: fused operations run as compositions of primitives.
  var composesFusedOperations = false

  /// Throws ``TorchError`` where the plug-in or the device is missing.
  public init(device: TorchDevice = .cpu) throws {
    plugin = try TorchRuntime.plugin()
    self.device = device
    if case .cuda(let index) = device {
      let count = try TorchRuntime.cudaDeviceCount()
      guard count > 0 else {
        throw TorchError.noSuchDevice(
          name: device.description,
          reason: "libtorch sees no CUDA device. Check `nvidia-smi`; a CUDA build of torch is used with "
            + "`TORCH_DIR=$(python3 -c \"import torch, os; print(os.path.dirname(torch.__file__))\") make torch`. "
            + plugin.failure())
      }
      guard index < count else {
        throw TorchError.noSuchDevice(name: device.description, reason: "there are \(count), counted from 0")
      }
    }
  }

  public var name: String { "torch:\(device)" }

  public func implements(_ operation: Operation) -> Bool { !composesFusedOperations }

  // MARK: Errors

  /// Throws the first failure since the last check, and forgets it.
  public func check() throws {
    guard let failure else { return }
    self.failure = nil
    throw failure
  }

  func keep(_ error: TorchError) {
    if failure == nil { failure = error }
  }

  /// Runs a function of the table after earlier failures have been thrown.
  func run(_ context: @autoclosure () -> String, _ body: (TorchTable) -> Int32) throws {
    try check()
    try plugin.call(context(), body)
  }

  // MARK: Tensors

  /// Runs a function that gives a tensor; on failure keeps the error and gives zeros.
  func make(
    shape: [Int], dtype: DType = .float32, _ context: @autoclosure () -> String,
    _ body: (TorchTable, inout lgt_tensor?) -> Int32
  ) -> Tensor {
    if failure == nil {
      var raw: lgt_tensor?
      let status = body(api, &raw)
      if status == 0, let raw { return tensor(raw, shape: shape, dtype: dtype) }
      keep(.reported(context: context(), reason: plugin.failure()))
    }
    return placeholder(shape: shape, dtype: dtype)
  }

  func tensor(_ raw: lgt_tensor, shape: [Int], dtype: DType = .float32) -> Tensor {
    Tensor(shape: shape, dtype: dtype, backend: self, handle: TorchHandle(raw, api))
  }

  /// Zeros that occupy one value, whatever the shape.
  private func placeholder(shape: [Int], dtype: DType) -> Tensor {
    var raw: lgt_tensor?
    let sizes = shape.map(Int64.init)
    let status = api.pointee.placeholder(sizes, Int32(shape.count), dtype == .int32 ? 1 : 0, &raw)
    guard status == 0, let raw else {
      preconditionFailure("not even one value could be allocated: \(plugin.failure())")
    }
    return tensor(raw, shape: shape, dtype: dtype)
  }

  func raw(_ tensor: Tensor) -> lgt_tensor {
    guard let handle = tensor.handle as? TorchHandle else {
      preconditionFailure(
        "a tensor \(tensor.shape) of the backend \(tensor.backend.name) was given to \(name)")
    }
    return handle.raw
  }

  public func tensor(_ values: [Float], shape: [Int]) -> Tensor {
    precondition(values.count == shape.reduce(1, *), "\(values.count) values for shape \(shape)")
    return make(shape: shape, "making a tensor \(shape)") {
      $0.pointee.from_floats(values, shape.map(Int64.init), Int32(shape.count), device.code, &$1)
    }
  }

  public func tensor(_ values: [Int32], shape: [Int]) -> Tensor {
    precondition(values.count == shape.reduce(1, *), "\(values.count) values for shape \(shape)")
    return make(shape: shape, dtype: .int32, "making a tensor \(shape)") {
      $0.pointee.from_ints(values, shape.map(Int64.init), Int32(shape.count), device.code, &$1)
    }
  }

  public func zeros(_ shape: [Int]) -> Tensor {
    make(shape: shape, "making zeros \(shape)") {
      $0.pointee.zeros(shape.map(Int64.init), Int32(shape.count), device.code, &$1)
    }
  }

  /// The values; zeros after a failure, which ``check()`` reports.
  public func floats(_ tensor: Tensor) -> [Float] {
    do {
      return try values(tensor)
    } catch {
      keep(error)
      return [Float](repeating: 0, count: tensor.count)
    }
  }

  func values(_ tensor: Tensor) throws(TorchError) -> [Float] {
    if let failure { throw failure }
    let count = tensor.count
    var status: Int32 = 0
    let values = [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      status = api.pointee.to_floats(raw(tensor), buffer.baseAddress, Int64(count))
      if status != 0 { buffer.initialize(repeating: 0) }
      initialized = count
    }
    if status != 0 { throw .reported(context: "reading a tensor \(tensor.shape)", reason: plugin.failure()) }
    return values
  }

  /// The value of a tensor with one element. Waits for the GPU: not to be asked after every step.
  public func item(_ tensor: Tensor) throws -> Float {
    var value = 0.0
    try run("item of \(tensor.shape)") { $0.pointee.item(raw(tensor), &value) }
    return Float(value)
  }

  /// Whether no value is NaN or infinite.
  public func isFinite(_ tensors: [Tensor]) throws -> Bool {
    var finite: Int32 = 0
    let handles = tensors.map { Optional(raw($0)) }
    try run("isFinite") { $0.pointee.is_finite(handles, Int32(handles.count), &finite) }
    return finite != 0
  }

  /// The same values without their history.
  public func detach(_ tensor: Tensor) -> Tensor {
    make(shape: tensor.shape, dtype: tensor.dtype, "detach of \(tensor.shape)") {
      $0.pointee.detach(raw(tensor), &$1)
    }
  }

  /// Waits until the device has done what was asked of it.
  public func synchronize() throws {
    try run("synchronize") { $0.pointee.synchronize(device.code) }
  }
}
