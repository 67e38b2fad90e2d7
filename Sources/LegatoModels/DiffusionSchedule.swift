import LegatoNN

/// The cosine schedule of a diffusion (Nichol and Dhariwal 2021, as MAR has it, Li et al. 2024) of 1000 steps, and how noise is taken away in
/// some of them.
///
/// Step s = 0 is data, s = 1000 noise: x_s = √ᾱ(s) x + √(1 − ᾱ(s)) ε, t = 1 − s / 1000. The variance of a step is the posterior's; MAR
/// learns it.
public struct DiffusionSchedule: Sendable, Hashable {
  /// Steps of training.
  public static let steps = 1000

  /// ᾱ(s) for s = 0 ... 1000: cos²((s / 1000 + 0.008) / 1.008 · π / 2) over that of 0, no step's β more than 0.999.
  private static let signal: [Double] = {
    func squaredCosine(_ step: Int) -> Double {
      let cosine = Double.cosine((Double(step) / Double(steps) + 0.008) / 1.008 * Double.pi / 2)
      return cosine * cosine
    }
    var signal = [1.0]
    for step in 1...steps {
      signal.append(signal[step - 1] * max(0.001, squaredCosine(step) / squaredCosine(step - 1)))
    }
    return signal
  }()

  /// √ᾱ(s) and √(1 − ᾱ(s)).
  public static func gains(step: Int) -> (signal: Float, noise: Float) {
    (Float(signal[step].squareRoot()), Float((1 - signal[step]).squareRoot()))
  }

  /// Where a step stands between noise, 0, and data, 1.
  public static func time(of step: Int) -> Float { 1 - Float(step) / Float(steps) }

  /// The step nearest to a time, at least 1.
  public static func step(at time: Float) -> Int {
    min(max(1, Int(((1 - time) * Float(steps)).rounded())), steps)
  }

  /// How many steps are taken.
  public let count: Int

  public init(count: Int) { self.count = min(max(1, count), Self.steps) }

  /// The step that an evaluation is at, evenly spaced from 1000 to 1.
  public func step(_ index: Int) -> Int {
    guard index < count else { return 0 }
    guard count > 1 else { return Self.steps }
    return 1 + (2 * (Self.steps - 1) * (count - 1 - index) + count - 1) / (2 * (count - 1))
  }

  /// Where a latent is held: near noise the network's least error is multiplied by hundreds.
  private static let limit: Float = 6
  /// With less of the latent than this, what the network finds says nothing of it, and it is taken for 0.
  private static let leastSignal: Float = 0.01

  /// From the latent at an evaluation's step and the noise that the network finds in it to the latent at the next one's.
  ///
  /// Written into `x`. `fresh`: standard normal noise, `temperature` its factor. Does not allocate.
  public func advance(
    _ x: UnsafeMutableBufferPointer<Float>, at index: Int, found: UnsafeBufferPointer<Float>,
    fresh: UnsafeMutableBufferPointer<Float>, temperature: Float
  ) {
    let (here, next) = (Self.signal[step(index)], Self.signal[step(index + 1)])
    let beta = 1 - here / next
    let data = Float(next.squareRoot() * beta / (1 - here))
    let kept = Float((1 - beta).squareRoot() * (1 - next) / (1 - here))
    let deviation = temperature * Float((beta * (1 - next) / (1 - here)).squareRoot())
    let (signal, noise) = Self.gains(step: step(index))
    for i in x.indices {
      let latent =
        signal < Self.leastSignal
        ? 0 : min(max((x[i] - noise * found[i]) / signal, -Self.limit), Self.limit)
      x[i] = data * latent + kept * x[i] + deviation * fresh[i]
    }
  }
}
