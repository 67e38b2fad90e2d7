import LegatoCodecs
import LegatoEvaluation
import LegatoModels
import LegatoTensor
import LegatoTraining

/// What `legato convert` did.
struct ConversionReport: Encodable {
  struct Part: Encodable {
    var bytes_before: Int
    var bytes: Int
    /// Matrices by their format: "int8 in groups of 64".
    var matrices: [String: Int]

    init(_ before: [Weight], _ after: [Weight]) {
      bytes_before = before.reduce(0) { $0 + $1.byteCount }
      bytes = after.reduce(0) { $0 + $1.byteCount }
      matrices = after.filter(Self.isMatrix).reduce(into: [:]) {
        $0[InfoReport.text($1.format), default: 0] += 1
      }
    }

    static func isMatrix(_ weight: Weight) -> Bool { weight.storedFormat(for: .bfloat16) == .bfloat16 }

    var text: String {
      let formats = matrices.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(
        separator: ", ")
      return "\(InfoReport.bytes(bytes_before)) → \(InfoReport.bytes(bytes)); matrices: \(formats)"
    }
  }

  var output: String
  var weights: WeightPrecision
  /// How far int4 might change the velocity, in percent; nil for the usual.
  var tolerance: Double?
  var model: Part
  var codec: Part
  var notes: [String]
  /// Nil where it was not measured.
  var quality: ConversionQuality?

  init(_ original: ModelPackage, _ converted: ModelPackage, _ precision: WeightPrecision, output: String) {
    self.output = output
    weights = precision
    model = Part(original.model.weights, converted.model.weights)
    codec = Part(original.codec.codec.weights, converted.codec.codec.weights)
    notes = Self.notes(original, precision) + Self.kept(original, converted, precision)
  }

  /// What int4 had no room for.
  private static func kept(
    _ original: ModelPackage, _ converted: ModelPackage, _ precision: WeightPrecision
  ) -> [String] {
    let wanted = Set(
      original.model.weights.filter { WeightPrecision(precision.format(of: $0)) == .int4 }.map(\.name))
    let kept = converted.model.weights.filter {
      wanted.contains($0.name) && WeightPrecision($0.format) != .int4
    }
    guard !kept.isEmpty else { return [] }
    return [
      "\(kept.count) of the model's \(wanted.count) large matrices stay int8 for the velocity; --tolerance 100 makes all int4"
    ]
  }

  /// What a reader should know of where the weights came from.
  private static func notes(_ original: ModelPackage, _ precision: WeightPrecision) -> [String] {
    let matrices = (original.model.weights + original.codec.codec.weights).filter(Part.isMatrix)
    guard let lowest = matrices.map({ WeightPrecision($0.format) }).min(by: { $0.bits < $1.bits }),
      lowest.bits < 16 || lowest.bits < precision.bits
    else { return [] }
    if lowest.bits < precision.bits {
      return [
        "some of the package's matrices are \(lowest.rawValue): as \(precision.rawValue) they are larger and no more exact"
      ]
    }
    return lowest == precision
      ? ["some of the package's matrices are \(lowest.rawValue) already"]
      : [
        "the package's matrices are \(lowest.rawValue) already: convert the original instead, which loses less"
      ]
  }

  var lines: [String] { [output, "model     \(model.text)", "codec     \(codec.text)"] + qualityLines }

  private var qualityLines: [String] {
    guard let quality else { return [] }
    func percent(_ value: Estimate, minus offset: Double = 0) -> String {
      func text(_ value: Double) -> String { Estimate.digits(100 * (value - offset)) }
      guard let low = value.low, let high = value.high else { return text(value.value) + " %" }
      return "\(text(value.value)) % (\(text(low)) to \(text(high)))"
    }
    func passed(_ passes: Bool, _ bar: String) -> String { passes ? "within \(bar)" : "MORE THAN \(bar)" }
    return [
      "velocity  changed by \(percent(quality.velocity)): \(passed(quality.velocityPasses, "3 %"))",
      "codec     mel distance \(Estimate.digits(quality.melDistance)), worse by \(percent(quality.melDistanceRatio, minus: 1)), "
        + "by the decoder alone \(percent(quality.decoderRatio, minus: 1)): \(passed(quality.codecPasses, "2 %")); "
        + "latents changed by \(percent(quality.latents)); on \(quality.sound)",
      "rollouts  Fréchet distance to the original's by other seeds \(quality.distance.text), among the original's "
        + "\(quality.originalDistance.text), ratio \(quality.distanceRatio.text): "
        + "\(passed(quality.distancePasses, "the distance of seeds")); by the same seeds \(Estimate.digits(quality.sameSeedDistance))",
    ]
  }

  /// The original's card with a line on what was done.
  func card(of original: ModelPackage) -> String {
    let said = original.card.isEmpty ? "# \(original.configuration.name)\n" : original.card
    return said + (said.hasSuffix("\n") ? "" : "\n") + """

      ## Converted

      `legato convert --weights \(weights.rawValue)\(tolerance.map { " --tolerance \(InfoReport.number($0))" } ?? "")` made this package of \(original.configuration.name): model \(model.text); codec \(codec.text).

      """
  }
}
