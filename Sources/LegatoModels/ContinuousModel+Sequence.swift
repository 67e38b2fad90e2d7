import LegatoNN
import LegatoTensor

extension ContinuousModel {
  /// Draws a whole sequence of latents `[count, D]`, normalised, by a model that is not causal: the rectified flow that CAM is compared
  /// with (Pasini et al. 2024).
  ///
  /// The backbone reads x_t, all of it, and how noisy it is; z is of x_t, where a causal model's is of the past.
  /// - Parameters:
  ///   - steps: evaluations of the whole model (``FlowSchedule``).
  ///   - temperature: factor of the noise.
  public func sequence(
    _ count: Int, steps: Int, temperature: Float, random: RandomStream, on backend: any Backend
  ) -> [Float] {
    let d = configuration.latentDimension
    let positions = backend.tensor((0..<Int32(count)).map { $0 }, shape: [count])
    var x = random.normal(count * d).map { temperature * $0 }
    var origin = x
    let schedule = FlowSchedule(count: steps)
    for index in 0..<schedule.count {
      let evaluation = schedule[index]
      let time = backend.tensor([evaluation.time], shape: [1])
      let v = velocity(backend.tensor(x, shape: [1, count, d]), t: time, positions: positions).floats()
      x = zip(origin, v).map { $0 + evaluation.gain * $1 }
      if evaluation.endsInterval { origin = x }
    }
    return x
  }

  /// Velocities `[B, T, D]` of sequences x `[B, T, D]` at times t `[B]`, one for each sequence; positions int32 `[T]`.
  public func velocity(_ x: Tensor, t: Tensor, positions: Tensor) -> Tensor {
    let (items, length, d) = (x.dim(0), x.dim(1), x.dim(2))
    guard case .flow(let network) = sampler else {
      preconditionFailure("ContinuousModel.velocity: the sampler is \(configuration.sampler.kind)")
    }
    let times = t.reshape([items, 1, 1]).broadcast(to: [items, length, 1])
    let z = backbone(x, noise: times * -1 + 1, positions: positions)
    let rows = items * length
    return network(
      x.reshape([rows, 1, d]), t: times.reshape([rows, 1, 1]), z: z.reshape([rows, 1, z.dim(2)])
    ).reshape([items, length, d])
  }
}
