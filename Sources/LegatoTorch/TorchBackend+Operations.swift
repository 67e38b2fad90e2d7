import CTorchAPI
import LegatoTensor

extension TorchBackend {
  public func perform(_ operation: Operation, _ operands: [Tensor], shape: [Int], dtype: DType) -> Tensor {
    let x = operands.map { Optional(raw($0)) }
    func operand(_ index: Int) -> lgt_tensor? { index < x.count ? x[index] : nil }
    func sizes(_ values: [Int]) -> [Int64] { values.map(Int64.init) }

    return make(shape: shape, dtype: dtype, "\(operation) of \(operands.map(\.shape))") { api, result in
      let torch = api
      switch operation {
      case .unary(let kind): return torch.pointee.unary(kind.rawValue, x[0], &result)
      case .binary(let kind): return torch.pointee.binary(kind.rawValue, x[0], x[1], &result)
      case .scalar(let kind, let constant):
        return torch.pointee.scalar(kind.rawValue, x[0], constant, &result)
      case .select: return torch.pointee.select(x[0], x[1], x[2], &result)
      case .reduce(let kind, let axis): return torch.pointee.reduce(kind.rawValue, x[0], Int32(axis), &result)
      case .softmax: return torch.pointee.softmax(x[0], &result)
      case .matmul(let transposed): return torch.pointee.matmul(x[0], x[1], transposed ? 1 : 0, &result)
      case .reshape(let shape): return torch.pointee.reshape(x[0], sizes(shape), Int32(shape.count), &result)
      case .permute(let order): return torch.pointee.permute(x[0], sizes(order), Int32(order.count), &result)
      case .slice(let axis, let from, let to):
        return torch.pointee.slice(x[0], Int32(axis), Int64(from), Int64(to), &result)
      case .concatenate(let axis): return torch.pointee.concatenate(x, Int32(x.count), Int32(axis), &result)
      case .pad(let axis, let before, let after):
        return torch.pointee.pad(x[0], Int32(axis), Int64(before), Int64(after), &result)
      case .broadcast(let shape):
        return torch.pointee.broadcast(x[0], sizes(shape), Int32(shape.count), &result)
      case .gather: return torch.pointee.gather(x[0], x[1], &result)
      case .frame(let size, let hop): return torch.pointee.frame(x[0], Int64(size), Int64(hop), &result)
      case .overlapAdd(let hop): return torch.pointee.overlap_add(x[0], Int64(hop), &result)
      case .rfft: return torch.pointee.rfft(x[0], &result)
      case .irfft: return torch.pointee.irfft(x[0], &result)

      case .linear: return torch.pointee.linear(x[0], x[1], operand(2), &result)
      case .layerNorm(let epsilon):
        return torch.pointee.layer_norm(x[0], operand(1), operand(2), epsilon, &result)
      case .rmsNorm(let epsilon): return torch.pointee.rms_norm(x[0], operand(1), epsilon, &result)
      case .rotary(let base, let pairs): return torch.pointee.rotary(x[0], x[1], base, Int64(pairs), &result)
      case .attention(let window):
        return torch.pointee.attention(x[0], x[1], x[2], operand(3), operand(4), Int64(window), &result)
      case .depthwiseConvolution: return torch.pointee.depthwise_convolution(x[0], x[1], operand(2), &result)
      case .convolution2d(let stride, let padding):
        return torch.pointee.convolution2d(
          x[0], x[1], operand(2), sizes(stride), sizes(padding), &result)
      case .modulate: return torch.pointee.modulate(x[0], x[1], x[2], &result)
      case .gatedAdd: return torch.pointee.gated_add(x[0], x[1], x[2], &result)

      case .attentionStream, .depthwiseConvolutionStream, .frameStream, .overlapAddStream:
        preconditionFailure("\(operation) streams with state: it runs on the CPU engine only")
      }
    }
  }
}
