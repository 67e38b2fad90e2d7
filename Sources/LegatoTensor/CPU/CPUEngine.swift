import CKernels

/// Legato's own engine: inference on the CPU, by plans.
///
/// Eager execution is a plan of one node. An engine with its thread pool belongs to one session or thread; any number
/// of engines share the same ``Weight``s. The same seed gives the same bytes at any thread count and chunking.
public final class CPUEngine: Backend {
  public let threads: Int
  public let name = "cpu"
  /// "avx512-bf16", "avx512-vnni", "avx512", "avx2", "neon-dot", "neon", "scalar": the best that the processor has, or what the environment's LEGATO_ISA asks for,
  /// where it is one of ``Platform/instructionSets``.
  public let instructionSet: String

  /// Bytes of everything that was made on the engine and is still there: plans with their intermediate results,
  /// state, tensors, dense copies of weights. Weights themselves and the stacks of threads are not among them.
  public var memoryByteCount: Int { memory.bytes }

  let memory = MemoryCount()
  let isa: lk_isa
  let pool: OpaquePointer
  var recorder: PlanRecorder?
  // Handles, not tensors: a tensor holds its backend, and the engine would never go.
  private var weights: [ObjectIdentifier: CPUHandle] = [:]
  private var denseCopies: [ObjectIdentifier: CPUHandle] = [:]
  private var fftPlans: [Int: FFTPlan] = [:]

  /// No operation is divided among more.
  static let mostThreads = 64

  /// - Parameter threads: how many threads work on an operation, the caller's included; nil for one a core, at most 4.
  ///   Fewer than 1 count as 1, more than 64 as 64. More than there are processors only cost time.
  public init(threads: Int? = nil) {
    let wanted = min(max(1, threads ?? Platform.defaultThreadCount), Self.mostThreads)
    guard let pool = lk_pool_create(Int32(wanted)) ?? lk_pool_create(1) else {
      preconditionFailure("no memory for a thread pool of one")
    }
    self.pool = pool
    self.threads = Int(lk_pool_threads(pool))
    isa = lk_best_isa()
    instructionSet = String(cString: lk_isa_name(isa))
  }

  deinit { lk_pool_destroy(pool) }

  public func implements(_ operation: Operation) -> Bool {
    if case .convolution2d = operation { false } else { true }
  }

  public func perform(_ operation: Operation, _ operands: [Tensor], shape: [Int], dtype: DType) -> Tensor {
    if case .reshape = operation {
      return Tensor(shape: shape, dtype: dtype, backend: self, handle: operands[0].handle)
    }
    if let view = view(operation, operands[0]) {
      return Tensor(shape: shape, dtype: dtype, backend: self, handle: view)
    }
    var formats: [WeightFormat?] = []
    var handles: [CPUHandle] = []
    for (index, operand) in operands.enumerated() {
      var handle = self.handle(of: operand)
      let isMatrix = operation == .linear && index == 1
      if let format = handle.format, format != .float32, !isMatrix { handle = denseCopy(handle) }
      formats.append(handle.format)
      handles.append(handle)
    }
    let calls = operation.lowered(.init(shapes: operands.map(\.shape), formats: formats, output: shape))
    let byteCount = max(shape.reduce(1, *) * dtype.byteCount, 4)
    let output: CPUHandle
    if let recorder {
      output = CPUHandle(place: .recorded(recorder.allocate(byteCount: byteCount)))
      recorder.append(calls, operands: handles, output: output)
    } else {
      output = CPUHandle(place: .memory(CPUMemory(byteCount: byteCount, count: memory)))
      var resolved = calls.map { resolve($0, operands: handles, output: output, arena: nil) }
      lk_run(pool, &resolved, Int64(resolved.count))
    }
    return Tensor(shape: shape, dtype: dtype, backend: self, handle: output)
  }

  public func tensor(_ values: [Float], shape: [Int]) -> Tensor {
    precondition(values.count == shape.reduce(1, *), "\(values.count) values for shape \(shape)")
    return Tensor(
      shape: shape, dtype: .float32, backend: self, handle: CPUHandle(copying: values, count: memory))
  }

  public func tensor(_ values: [Int32], shape: [Int]) -> Tensor {
    precondition(values.count == shape.reduce(1, *), "\(values.count) values for shape \(shape)")
    return Tensor(
      shape: shape, dtype: .int32, backend: self, handle: CPUHandle(copying: values, count: memory))
  }

  public func tensor(of weight: Weight) -> Tensor {
    let handle = weights[ObjectIdentifier(weight)] ?? CPUHandle(place: .weight(weight))
    weights[ObjectIdentifier(weight)] = handle
    return Tensor(shape: weight.shape, dtype: .float32, backend: self, handle: handle)
  }

  public func floats(_ tensor: Tensor) -> [Float] {
    let handle = self.handle(of: tensor)
    if case .weight(let weight) = handle.place { return weight.floats() }
    guard let pointer = handle.pointer else {
      preconditionFailure("the value of a tensor was read while a plan is being recorded")
    }
    if tensor.dtype == .int32 {
      return UnsafeBufferPointer(start: pointer.assumingMemoryBound(to: Int32.self), count: tensor.count).map
      { Float($0) }
    }
    return Array(UnsafeBufferPointer(start: pointer.assumingMemoryBound(to: Float.self), count: tensor.count))
  }

  // MARK: Internals

  func handle(of tensor: Tensor) -> CPUHandle {
    guard let handle = tensor.handle as? CPUHandle else {
      preconditionFailure("a tensor of backend '\(tensor.backend.name)' was given to the CPU engine")
    }
    return handle
  }

  /// The result of an operation that leaves its values where they are: a slice that is one run of memory.
  private func view(_ operation: Operation, _ x: Tensor) -> CPUHandle? {
    guard case .slice(let axis, let from, _) = operation, x.shape[..<axis].allSatisfy({ $0 == 1 }) else {
      return nil
    }
    let handle = self.handle(of: x)
    guard handle.format == nil else { return nil }
    let start = from * x.shape[(axis + 1)...].reduce(1, *) * x.dtype.byteCount
    return CPUHandle(place: handle.place, offset: handle.offset + start)
  }

  /// Only `linear` reads weights in other formats than f32; everything else gets a dense copy, made once.
  private func denseCopy(_ handle: CPUHandle) -> CPUHandle {
    guard case .weight(let weight) = handle.place else { return handle }
    if let known = denseCopies[ObjectIdentifier(weight)] { return known }
    let copy = CPUHandle(copying: weight.floats(), count: memory)
    denseCopies[ObjectIdentifier(weight)] = copy
    return copy
  }

  /// Work below which waking other threads costs more than it saves.
  private static let parallelThreshold = 32_768
  /// Work that a thread takes at a time, at least: about a microsecond.
  private static let shareSize = 8_192

  func resolve(
    _ call: LoweredCall, operands: [CPUHandle], output: CPUHandle,
    arena: ((CPUHandle) -> UnsafeMutableRawPointer)?
  ) -> lk_call {
    func address(_ handle: CPUHandle) -> UnsafeMutableRawPointer? { handle.pointer ?? arena?(handle) }
    var resolved = lk_call()
    guard let kernel = lk_kernel_for(call.kernel, isa) ?? lk_kernel_for(call.kernel, LK_SCALAR) else {
      preconditionFailure("kernel \(call.kernel.rawValue) is missing")
    }
    resolved.kernel = kernel
    withUnsafeMutableBytes(of: &resolved.p) { raw in
      let pointers = raw.bindMemory(to: UnsafeMutableRawPointer?.self)
      for (index, operand) in call.pointers.enumerated() {
        switch operand {
        case .operand(let i): pointers[index] = address(operands[i])
        case .scales(let i): pointers[index] = operands[i].scales
        case .output: pointers[index] = address(output)
        case .none: pointers[index] = nil
        case .fft(let length): pointers[index] = UnsafeMutableRawPointer(fftPlan(length).pointer)
        }
      }
    }
    withUnsafeMutableBytes(of: &resolved.i) { raw in
      let ints = raw.bindMemory(to: Int64.self)
      for (index, value) in call.ints.enumerated() { ints[index] = Int64(value) }
    }
    withUnsafeMutableBytes(of: &resolved.f) { raw in
      let floats = raw.bindMemory(to: Float.self)
      for (index, value) in call.floats.enumerated() { floats[index] = value }
    }
    if threads > 1 && call.work >= Self.parallelThreshold {
      resolved.parallel = Int32(min(call.work / Self.shareSize, 64))
    }
    return resolved
  }

  private func fftPlan(_ length: Int) -> FFTPlan {
    if let known = fftPlans[length] { return known }
    let plan = FFTPlan(length: length)
    fftPlans[length] = plan
    memory.add(Int(lk_fft_byte_count(plan.pointer)))
    return plan
  }
}

/// Owner of a C FFT plan.
final class FFTPlan {
  let pointer: OpaquePointer

  init(length: Int) {
    guard let pointer = lk_fft_create(Int64(length)) else {
      preconditionFailure("no FFT of length \(length): half of it must be a product of 2, 3 and 5")
    }
    self.pointer = pointer
  }

  deinit { lk_fft_destroy(pointer) }
}
