import CTorchAPI
import LegatoTensor

extension TorchBackend {
  /// A leaf that collects its gradient.
  public func trainable(_ values: [Float], shape: [Int]) throws -> Tensor {
    let tensor = tensor(values, shape: shape)
    try run("a trainable tensor \(shape)") { $0.pointee.set_requires_grad(raw(tensor), 1) }
    return tensor
  }

  /// Adds the gradients of a loss with one element to those of the leaves.
  ///
  /// Throws the first failure of the computation that made the loss, or its own.
  public func backward(_ loss: Tensor) throws {
    try run("backward of a loss \(loss.shape)") { $0.pointee.backward(raw(loss)) }
  }

  /// The gradient of a leaf; nil where none has reached it.
  public func gradient(of tensor: Tensor) throws -> [Float]? {
    var result: lgt_tensor?
    try run("gradient of \(tensor.shape)") { $0.pointee.grad(raw(tensor), &result) }
    guard let result else { return nil }
    return try values(self.tensor(result, shape: tensor.shape))
  }

  public func gradient(of weight: Weight) throws -> [Float]? { try gradient(of: tensor(of: weight)) }

  /// Forgets gradients; nil means those of every trainable weight.
  public func clearGradients(of weights: [Weight]? = nil) throws {
    let handles = handles(weights ?? trainableOrder)
    try run("clearGradients") { $0.pointee.clear_grads(handles, Int32(handles.count)) }
  }

  /// Multiplies gradients, for example by 1/n after n accumulated batches.
  public func scaleGradients(of weights: [Weight]? = nil, by factor: Double) throws {
    let handles = handles(weights ?? trainableOrder)
    try run("scaleGradients") { $0.pointee.scale_grads(handles, Int32(handles.count), factor) }
  }

  /// Scales the gradients so that their joint norm is at most `maxNorm`, and gives the norm before.
  ///
  /// A norm that is not finite is returned as it is, with the gradients untouched: skip the step.
  public func clipGradients(of weights: [Weight]? = nil, maxNorm: Float) throws -> Float {
    let handles = handles(weights ?? trainableOrder)
    var norm = 0.0
    try run("clipGradients") { $0.pointee.clip_grads(handles, Int32(handles.count), Double(maxNorm), &norm) }
    return Float(norm)
  }

  /// Runs the body without recording for gradients, on this thread.
  public func withoutGradients<R>(_ body: () throws -> R) rethrows -> R {
    var previous: Int32 = 1
    _ = api.pointee.set_grad_mode(0, &previous)
    defer {
      var ignored: Int32 = 0
      _ = api.pointee.set_grad_mode(previous, &ignored)
    }
    return try body()
  }

  /// Runs the body with matrix products and attention in bf16, on this thread; weights and losses stay f32.
  ///
  /// - Parameter dtype: `.bfloat16`, or `.float32` to switch autocast off inside.
  public func autocast<R>(_ dtype: DType = .bfloat16, _ body: () throws -> R) rethrows -> R {
    precondition(dtype == .bfloat16 || dtype == .float32, "autocast to \(dtype)")
    var previous: Int32 = 0
    _ = api.pointee.autocast_enter(device.code, dtype == .bfloat16 ? 1 : 0, &previous)
    defer { _ = api.pointee.autocast_exit(device.code, previous) }
    return try body()
  }
}
