import CKernels

/// One kernel call with operands still named by role: what both eager execution and recording are made of.
struct LoweredCall {
  enum Operand {
    case operand(Int)
    /// Scales of a quantised weight operand.
    case scales(Int)
    case output
    case none
    case fft(Int)
  }

  var kernel: lk_kernel_id
  var pointers: [Operand]
  var ints: [Int]
  var floats: [Float] = []
  /// Rough number of multiply-adds or elements moved: decides whether threads share it.
  var work: Int
}

/// Layout of the operands of an operation as the kernels need it.
struct LoweringContext {
  var shapes: [[Int]]
  /// Format of the weight at `operand`, nil for plain f32 tensors.
  var formats: [WeightFormat?]
  var output: [Int]
}

extension Operation {
  /// The kernel calls of an operation. `reshape` has none: it aliases.
  func lowered(_ context: LoweringContext) -> [LoweredCall] {
    let (shapes, output) = (context.shapes, context.output)
    let x = shapes[0]
    let count = x.reduce(1, *)
    let last = x.last ?? 1
    func rows(_ shape: [Int]) -> Int { shape.dropLast().reduce(1, *) }
    func optional(_ index: Int) -> LoweredCall.Operand { index < shapes.count ? .operand(index) : .none }

    switch self {
    case .unary(let function):
      return [
        .init(
          kernel: LK_UNARY, pointers: [.operand(0), .output], ints: [count, Int(function.rawValue)],
          work: count * 4)
      ]
    case .binary(let function):
      let (dims, strides) = Strides.collapsed(
        output, [Strides.broadcast(shapes[0], to: output), Strides.broadcast(shapes[1], to: output)])
      let ints =
        [Int(function.rawValue), dims.count] + padded(dims) + padded(strides[0]) + padded(strides[1])
      return [
        .init(
          kernel: LK_BINARY, pointers: [.operand(0), .operand(1), .output], ints: ints,
          work: output.reduce(1, *))
      ]
    case .scalar(let function, let constant):
      return [
        .init(
          kernel: LK_SCALAR_OP, pointers: [.operand(0), .output], ints: [count, Int(function.rawValue)],
          floats: [constant], work: count)
      ]
    case .select:
      return [
        .init(
          kernel: LK_SELECT, pointers: [.operand(0), .operand(1), .operand(2), .output], ints: [count],
          work: count)
      ]
    case .reduce(let function, let axis):
      let outer = x[..<axis].reduce(1, *)
      let inner = x[(axis + 1)...].reduce(1, *)
      return [
        .init(
          kernel: LK_REDUCE, pointers: [.operand(0), .output],
          ints: [Int(function.rawValue), outer, x[axis], inner], work: count)
      ]
    case .softmax:
      return [
        .init(kernel: LK_SOFTMAX, pointers: [.operand(0), .output], ints: [rows(x), last], work: count * 4)
      ]
    case .matmul(let transposed):
      let (a, b) = (shapes[0], shapes[1])
      let batch = Array(output.dropLast(2))
      precondition(batch.count <= 4, "\(self): more than four batch axes")
      let (m, n, k) = (output[output.count - 2], output[output.count - 1], a[a.count - 1])
      let strideA = Strides.broadcast(Array(a.dropLast(2)), to: batch).map { $0 * m * k }
      let strideB = Strides.broadcast(Array(b.dropLast(2)), to: batch).map { $0 * n * k }
      let ints =
        [batch.count] + padded(batch, 4) + padded(strideA, 4) + padded(strideB, 4) + [
          m, n, k, transposed ? 1 : 0,
        ]
      return [
        .init(
          kernel: LK_MATMUL, pointers: [.operand(0), .operand(1), .output], ints: ints,
          work: output.reduce(1, *) * k)
      ]
    case .reshape:
      return []
    case .permute(let order):
      let strides = Strides.contiguous(x)
      return [copy(0, dims: output, from: order.map { strides[$0] }, to: Strides.contiguous(output))]
    case .slice(let axis, let from, _):
      let strides = Strides.contiguous(x)
      return [
        copy(0, dims: output, from: strides, to: Strides.contiguous(output), offset: from * strides[axis])
      ]
    case .concatenate(let axis):
      let strides = Strides.contiguous(output)
      var (calls, position) = ([LoweredCall](), 0)
      for (index, shape) in shapes.enumerated() where shape.reduce(1, *) > 0 {
        calls.append(
          copy(
            index, dims: shape, from: Strides.contiguous(shape), to: strides,
            outputOffset: position * strides[axis]))
        position += shape[axis]
      }
      return calls
    case .pad(let axis, let before, _):
      let strides = Strides.contiguous(output)
      let fill = LoweredCall(
        kernel: LK_FILL, pointers: [.output], ints: [output.reduce(1, *)], floats: [0],
        work: output.reduce(1, *))
      return [
        fill,
        copy(0, dims: x, from: Strides.contiguous(x), to: strides, outputOffset: before * strides[axis]),
      ]
    case .broadcast:
      return [copy(0, dims: output, from: Strides.broadcast(x, to: output), to: Strides.contiguous(output))]
    case .gather:
      let indices = shapes[1].reduce(1, *)
      return [
        .init(
          kernel: LK_GATHER, pointers: [.operand(0), .operand(1), .output], ints: [indices, x[1], x[0]],
          work: indices * x[1])
      ]
    case .frame(let size, let hop):
      let frames = output[output.count - 2]
      return [
        .init(
          kernel: LK_FRAME, pointers: [.operand(0), .output], ints: [rows(x), last, frames, size, hop],
          work: output.reduce(1, *))
      ]
    case .overlapAdd(let hop):
      let frames = x[x.count - 2]
      return [
        .init(
          kernel: LK_OVERLAP_ADD, pointers: [.operand(0), .output],
          ints: [x.dropLast(2).reduce(1, *), frames, last, hop], work: count)
      ]
    case .rfft:
      return [
        .init(
          kernel: LK_RFFT, pointers: [.operand(0), .output, .fft(last)], ints: [rows(x), last],
          work: count * 16)
      ]
    case .irfft:
      let n = output[output.count - 1]
      return [
        .init(
          kernel: LK_IRFFT, pointers: [.operand(0), .output, .fft(n)], ints: [rows(output), n],
          work: count * 16)
      ]
    case .linear:
      let (m, k, n) = (rows(x), last, shapes[1][0])
      let format = context.formats[1] ?? .float32
      return [
        .init(
          kernel: LK_LINEAR, pointers: [.operand(0), .operand(1), optional(2), .output, .scales(1)],
          ints: [m, k, n, Int(format.kernelFormat), format.group ?? 0, -1], work: m * n * k)
      ]
    case .layerNorm(let epsilon):
      return [
        .init(
          kernel: LK_LAYER_NORM, pointers: [.operand(0), optional(1), optional(2), .output],
          ints: [rows(x), last], floats: [epsilon], work: count * 4)
      ]
    case .rmsNorm(let epsilon):
      return [
        .init(
          kernel: LK_RMS_NORM, pointers: [.operand(0), optional(1), .none, .output], ints: [rows(x), last],
          floats: [epsilon], work: count * 4)
      ]
    case .rotary(let base, let pairs):
      return [
        .init(
          kernel: LK_ROTARY, pointers: [.operand(0), .operand(1), .output], ints: x + [pairs], floats: [base],
          work: count * 16)
      ]
    case .attention(let window):
      let sinks = shapes.count > 3 ? shapes[3][0] : 0
      return [
        .init(
          kernel: LK_ATTENTION,
          pointers: [.operand(0), .operand(1), .operand(2), optional(3), optional(4), .output],
          ints: x + [window, sinks], floats: [1 / Float(x[3]).squareRoot()],
          work: 2 * count * min(window, x[1]))
      ]
    case .attentionStream(let window, let cache):
      return [
        .init(
          kernel: LK_ATTENTION_STREAM, pointers: (0..<8).map { .operand($0) } + [.output, .operand(8)],
          ints: x + [
            window, shapes[3][1], shapes[3].dropFirst().reduce(1, *), shapes[5][2],
            Int(cache == .bfloat16 ? LK_BF16.rawValue : LK_F32.rawValue),
          ],
          floats: [1 / Float(x[3]).squareRoot()], work: 2 * count * window)
      ]
    case .depthwiseConvolution:
      return [
        .init(
          kernel: LK_DEPTHWISE, pointers: [.operand(0), .operand(1), optional(2), .output],
          ints: x + [shapes[1][1]], work: count * shapes[1][1])
      ]
    case .depthwiseConvolutionStream:
      let bias: LoweredCall.Operand = shapes.count > 4 ? .operand(2) : .none
      return [
        .init(
          kernel: LK_DEPTHWISE_STREAM,
          pointers: [
            .operand(0), .operand(1), bias, .operand(shapes.count - 2), .output, .operand(shapes.count - 1),
          ],
          ints: x + [shapes[1][1]], work: count * shapes[1][1])
      ]
    case .modulate:
      let ints = [rows(x), last, shapes[1] == x ? 1 : x[x.count - 2]]
      return [
        .init(
          kernel: LK_MODULATE, pointers: [.operand(0), .operand(1), .operand(2), .output], ints: ints,
          work: count * 2)
      ]
    case .gatedAdd:
      let ints = [rows(x), last, shapes[1] == x ? 1 : x[x.count - 2]]
      return [
        .init(
          kernel: LK_GATED_ADD, pointers: [.operand(0), .operand(1), .operand(2), .output], ints: ints,
          work: count * 2)
      ]
    case .convolution2d:
      preconditionFailure("\(self) runs as its composition on this engine")
    case .frameStream(let size, let hop):
      return [
        .init(
          kernel: LK_FRAME_STREAM, pointers: [.operand(0), .operand(1), .output, .operand(2)],
          ints: [x[0], output[1], size, hop, shapes[1][1]], work: output.reduce(1, *))
      ]
    case .overlapAddStream(let hop):
      return [
        .init(
          kernel: LK_OVERLAP_ADD_STREAM, pointers: [.operand(0), .operand(1), .output, .operand(2)],
          ints: [x[0], x[1], x[2], hop, shapes[1][1]], work: count)
      ]
    }
  }

  private func copy(
    _ operand: Int, dims: [Int], from: [Int], to: [Int], offset: Int = 0, outputOffset: Int = 0
  ) -> LoweredCall {
    let (collapsed, strides) = Strides.collapsed(dims, [from, to])
    let ints =
      [collapsed.count] + padded(collapsed) + padded(strides[0]) + padded(strides[1]) + [
        offset, outputOffset,
      ]
    return .init(
      kernel: LK_COPY, pointers: [.operand(operand), .output], ints: ints, work: dims.reduce(1, *))
  }

  private func padded(_ values: [Int], _ length: Int = 6) -> [Int] {
    precondition(values.count <= length, "\(self): more than \(length) axes")
    return values + [Int](repeating: 0, count: length - values.count)
  }
}

/// Element strides of row-major arrays.
enum Strides {
  static func contiguous(_ shape: [Int]) -> [Int] {
    var strides = [Int](repeating: 1, count: shape.count)
    for axis in shape.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * shape[axis + 1] }
    return strides
  }

  /// Strides with which `shape` is read as `target`: 0 along repeated axes.
  static func broadcast(_ shape: [Int], to target: [Int]) -> [Int] {
    let own = contiguous(shape)
    let missing = target.count - shape.count
    return target.indices.map { $0 < missing || shape[$0 - missing] == 1 ? 0 : own[$0 - missing] }
  }

  /// Merges neighbouring axes that every operand walks in one stride, and drops axes of length 1.
  static func collapsed(_ dims: [Int], _ strides: [[Int]]) -> ([Int], [[Int]]) {
    var (outDims, outStrides) = ([Int](), strides.map { _ in [Int]() })
    for axis in dims.indices where dims[axis] != 1 {
      if let previous = outDims.last,
        strides.indices.allSatisfy({ outStrides[$0][outDims.count - 1] == strides[$0][axis] * dims[axis] })
      {
        outDims[outDims.count - 1] = previous * dims[axis]
        for operand in strides.indices { outStrides[operand][outDims.count - 1] = strides[operand][axis] }
      } else {
        outDims.append(dims[axis])
        for operand in strides.indices { outStrides[operand].append(strides[operand][axis]) }
      }
    }
    if outDims.isEmpty { return ([1], strides.map { _ in [1] }) }
    return (outDims, outStrides)
  }
}
