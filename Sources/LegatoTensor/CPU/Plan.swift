import CKernels

/// Recorded work of the CPU engine, replayed with no allocation, reference counting or dispatch.
///
/// A plan holds no host value: whatever changes between replays is written into its inputs, and state stands in
/// memory that the plan was recorded with. It belongs to the engine that recorded it.
///
/// ```swift
/// let plan = engine.record(inputs: [.init([1, 64])]) { inputs in [model(inputs[0])] }
/// plan.input(0).update(from: latent)
/// plan.run()
/// use(plan.output(0))
/// ```
public final class Plan {
  private let engine: CPUEngine
  private var calls: [lk_call]
  /// What the calls point to: arena, inputs, outputs, constants, state.
  private let owned: [AnyObject]
  private let inputs: [UnsafeMutableBufferPointer<Float>]
  private let integerInputs: [UnsafeMutableBufferPointer<Int32>]
  private let outputs: [UnsafeMutableBufferPointer<Float>]
  /// Bytes of intermediate results.
  public let arenaByteCount: Int
  private let callByteCount: Int

  init(
    engine: CPUEngine, calls: [lk_call], owned: [AnyObject], inputs: [(CPUMemory, Int)],
    outputs: [(CPUMemory, Int)],
    arenaByteCount: Int
  ) {
    self.engine = engine
    self.calls = calls
    self.owned = owned + inputs.map { $0.0 } + outputs.map { $0.0 }
    self.inputs = inputs.map { .init(start: $0.0.pointer.assumingMemoryBound(to: Float.self), count: $0.1) }
    integerInputs = inputs.map { .init(start: $0.0.pointer.assumingMemoryBound(to: Int32.self), count: $0.1) }
    self.outputs = outputs.map { .init(start: $0.0.pointer.assumingMemoryBound(to: Float.self), count: $0.1) }
    self.arenaByteCount = arenaByteCount
    callByteCount = calls.count * MemoryLayout<lk_call>.stride
    engine.memory.add(callByteCount)
  }

  deinit { engine.memory.add(-callByteCount) }

  /// Memory of an input slot; write before ``run()``.
  public func input(_ index: Int) -> UnsafeMutableBufferPointer<Float> { inputs[index] }
  /// The same for an `int32` slot.
  public func integers(_ index: Int) -> UnsafeMutableBufferPointer<Int32> { integerInputs[index] }
  /// Memory of a result; valid until the next ``run()``.
  public func output(_ index: Int) -> UnsafeBufferPointer<Float> { .init(outputs[index]) }

  public var callCount: Int { calls.count }

  public func run() {
    calls.withUnsafeBufferPointer { lk_run(engine.pool, $0.baseAddress, Int64($0.count)) }
  }
}

/// Shape and element type of a plan's input.
public struct PlanInput: Sendable {
  public let shape: [Int]
  public let dtype: DType

  public init(_ shape: [Int], _ dtype: DType = .float32) {
    self.shape = shape
    self.dtype = dtype
  }
}

extension CPUEngine {
  /// Records what `body` does with tensors of these shapes. Reading a tensor's value inside traps.
  ///
  /// - Parameter rounding: whether a product with weights in bf16 may round its input to bf16, which some processors (AVX-512 with
  ///   BF16) compute with up to twice as fast. Other weights and processors make the same bits with it.
  public func record(
    inputs: [PlanInput], rounding: Bool = false, _ body: ([Tensor]) throws -> [Tensor]
  ) rethrows -> Plan {
    precondition(recorder == nil, "a plan is being recorded already")
    let recorder = PlanRecorder()
    recorder.rounding = rounding
    self.recorder = recorder
    defer { self.recorder = nil }
    let memories = inputs.map {
      CPUMemory(byteCount: $0.shape.reduce(1, *) * $0.dtype.byteCount, count: memory)
    }
    let tensors = zip(inputs, memories).map {
      Tensor(shape: $0.shape, dtype: $0.dtype, backend: self, handle: CPUHandle(place: .memory($1)))
    }
    let results = try body(tensors)
    let outputs = results.map { CPUMemory(byteCount: $0.count * 4, count: memory) }
    for (result, memory) in zip(results, outputs) {
      recorder.finish(handle(of: result), shape: result.shape, in: memory)
    }
    let (calls, arena) = recorder.resolved(by: self)
    return Plan(
      engine: self, calls: calls, owned: [arena] + recorder.nodes.flatMap { $0.operands },
      inputs: zip(memories, inputs).map { ($0, $1.shape.reduce(1, *)) },
      outputs: zip(outputs, results).map { ($0, $1.count) }, arenaByteCount: arena.byteCount)
  }
}

/// What a computation would take, found by recording it without executing.
public struct WorkEstimate: Sendable, Equatable {
  /// Bytes of all intermediate results together.
  public var intermediateBytes = 0
  /// Multiply-adds, roughly.
  public var multiplyAdds = 0
}

extension CPUEngine {
  /// Records `body` and throws the plan away.
  public func estimate(_ body: () throws -> Void) rethrows -> WorkEstimate {
    precondition(recorder == nil, "a plan is being recorded already")
    let recorder = PlanRecorder()
    self.recorder = recorder
    defer { self.recorder = nil }
    try body()
    return WorkEstimate(
      intermediateBytes: recorder.byteCount, multiplyAdds: recorder.nodes.reduce(0) { $0 + $1.call.work })
  }
}
