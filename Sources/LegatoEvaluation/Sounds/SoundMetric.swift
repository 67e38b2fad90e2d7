/// What is measured of a set of sounds.
public enum SoundMetric: String, Sendable, Codable, CaseIterable {
  case frechet = "frechet_distance"
  case extrapolated = "frechet_distance_infinity"
  case kernel = "kernel_audio_distance"
  case divergence = "kl_divergence"
  case inception = "inception_score"

  public var title: String {
    switch self {
    case .frechet: "Fréchet distance"
    case .extrapolated: "Fréchet distance of infinitely many samples (FD∞)"
    case .kernel: "Kernel audio distance (KAD: 100 × unbiased squared MMD)"
    case .divergence: "KL divergence, paired by file name"
    case .inception: "Inception score"
    }
  }

  /// How a figure is read.
  public var note: String {
    switch self {
    case .frechet:
      "Lower is nearer; biased upwards by few samples: compare it at equal counts only, and beside real against real."
    case .extrapolated:
      "Lower is nearer. Parts of 25 sizes of the candidate's rows, least squares in 1/n; the reference is not extrapolated, and few "
        + "sounds stay few. It may be negative: then nothing tells both sets apart at these counts."
    case .kernel:
      "Lower is nearer, may be negative; unbiased where vectors are independent, which those of one sound are not; Gaussian kernel with the median distance between rows of the reference."
    case .divergence:
      "KL(target ‖ generated) of the classes of each pair, nats, mean over pairs with Student's interval; lower is nearer. Real against real: each sound "
        + "of the reference against another one of it."
    case .inception:
      "From 1 to the number of classes; higher is clearer and more varied, and more sounds give more: compare it at equal counts "
        + "only. Ten splits; the interval is theirs."
    }
  }

  /// Whether figures of different counts may stand beside each other.
  var isComparableAcrossCounts: Bool {
    switch self {
    // Vectors of one sound resemble each other: of few sounds all of these are biased, however many vectors there are.
    case .frechet, .extrapolated, .kernel, .inception: false
    case .divergence: true
    }
  }
}
