import Foundation
import LegatoCodecs
import LegatoModels
import LegatoTensor

extension InfoReport {
  static func model(_ package: ModelPackage) -> InfoReport {
    var report = InfoReport(kind: "model package", path: package.path)
    let configuration = package.configuration
    report.add("name", "name", configuration.name)
    report.add("licence", "licence", configuration.licence)
    let (b, s) = (configuration.model.backbone, configuration.model.sampler)
    report.addSize(package.model.weights)
    report.add(
      "backbone", "backbone",
      .object([
        "layers": .integer(b.layers), "width": .integer(b.width), "heads": .integer(b.heads),
        "window": .integer(b.window), "sinks": .integer(b.sinks), "noise_level": .bool(b.readsNoiseLevel),
      ]),
      "\(b.layers) layers of \(b.width), \(b.heads) heads, window \(b.window) latents "
        + "(\(number(Double(b.window) / package.codec.codec.frameRate)) s), \(b.sinks) sinks"
        + (b.isCausal ? "" : ", both ways: draws whole sequences")
        + (b.readsNoiseLevel ? ", told how noisy its past is" : "")
        + (b.shortContext.map { ", the last \($0.window) latents once more by \($0.layers) layers" } ?? ""))
    report.add(
      "sampler", "sampler",
      .object(
        ["kind": .text(s.kind.rawValue)].merging(
          s.kind == .mixture
            ? ["modes": .integer(s.modes)]
            : s.kind == .codes
              ? ["codebooks": .integer(s.codebooks), "codes": .integer(s.codes)]
              : ["blocks": .integer(s.blocks), "width": .integer(s.width)]
        ) { $1 }),
      s.summary)
    let g = configuration.generation
    report.add(
      "generation", "best settings",
      .object([
        "temperature": .number(Double(g.temperature)), "steps": .integer(g.steps),
        "context_noise": .number(Double(g.contextNoise)), "noise_law": .text(g.noiseLaw.rawValue),
        "feedback_gain": .number(Double(g.feedbackGain)),
      ]), g.summary)
    if !package.styles.isEmpty {
      report.add(
        "styles", "styles", .list(package.styles.map(\.name)),
        package.styles.map {
          $0.factors.text.isEmpty ? $0.name : "\($0.name) (\($0.factors.text))"
        }.joined(separator: ", "))
    }
    report.addTraining(configuration.training)
    let inner = codec(package.codec)
    report.add(
      "codec", "codec", .object(Dictionary(inner.facts.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })),
      "\(package.codec.configuration.name), \(sound(package.codec.codec))")
    report.addCard(package.path)
    return report
  }

  static func codec(_ package: CodecPackage) -> InfoReport {
    var report = InfoReport(kind: "codec package", path: package.path)
    report.add("name", "name", package.configuration.name)
    report.add("licence", "licence", package.configuration.licence)
    report.addSize(package.codec.weights)
    let codec = package.codec
    report.add("sample_rate", "sound", .integer(codec.sampleRate), sound(codec))
    report.add("channels", "", .integer(codec.channels))
    report.add("latent_dimension", "", .integer(codec.latentDimension))
    report.add("frame_rate", "", .number(codec.frameRate))
    let delay = Double(codec.delay) / Double(codec.sampleRate) * 1000
    report.add("delay_ms", "delay", .number(delay), "\(number(delay)) ms")
    if let distance = package.configuration.heldOutMelDistance {
      report.add("held_out_mel_distance", "held-out mel distance", .number(distance))
    }
    report.add("hash", "weights hash", package.hash)
    report.addTraining(package.configuration.training)
    report.addCard(package.path)
    return report
  }

  static func classifier(_ package: NoteClassifierPackage) -> InfoReport {
    var report = InfoReport(kind: "classifier package", path: package.path)
    let (file, sizes) = (package.configuration, package.configuration.classifier)
    report.add("name", "name", file.name)
    report.add("licence", "licence", file.licence)
    report.addSize(package.classifier.weights)
    report.add("dimension", "embedding", .integer(sizes.dimension), "\(sizes.dimension) dimensions a second")
    report.add(
      "instruments", "instruments", .list(sizes.instruments.map(\.name)), "\(sizes.instruments.count)")
    for (data, accuracy) in file.accuracy.sorted(by: { $0.key < $1.key }) {
      report.add(
        data, data.replacing("_", with: " "),
        .object([
          "pieces": .integer(accuracy.pieces), "windows": .integer(accuracy.windows),
          "family": .number(accuracy.family), "key_f1": .number(accuracy.keyF1),
        ]), accuracy.summary)
    }
    report.addTraining(file.training)
    report.addCard(package.path)
    return report
  }

  private static func sound(_ codec: SpectralCodec) -> String {
    let channels =
      codec.channels == 1 ? "mono" : codec.channels == 2 ? "stereo" : "\(codec.channels) channels"
    return
      "\(codec.sampleRate) Hz \(channels), \(number(codec.frameRate)) latents a second of \(codec.latentDimension) dimensions"
  }

  private mutating func addSize(_ weights: [Weight]) {
    let count = weights.reduce(0) { $0 + $1.count }
    let bytes = weights.reduce(0) { $0 + $1.byteCount }
    add("parameters", "parameters", .integer(count), Self.parameters(count))
    let formats = Set(weights.map { Self.text($0.format) }).sorted().joined(separator: ", ")
    add("weight_bytes", "weights", .integer(bytes), "\(Self.bytes(bytes)), \(formats)")
  }

  static func text(_ format: WeightFormat) -> String {
    switch format {
    case .float32: "f32"
    case .bfloat16: "bf16"
    case .int8(let group): "int8 in groups of \(group)"
    case .int4(let group): "int4 in groups of \(group)"
    }
  }

  private mutating func addTraining(_ record: TrainingRecord?) {
    guard let record else {
      add("training", "training", .text("not recorded"))
      return
    }
    var values: [String: Value] = [
      "data": .text(record.data), "steps": .integer(record.steps), "seconds": .number(record.seconds),
      "hardware": .text(record.hardware), "losses": .object(record.losses.mapValues(Value.number)),
    ]
    if let hash = record.codecHash { values["codec_hash"] = .text(hash) }
    add(
      "training", "trained",
      .object(values), "\(record.steps) steps in \(Self.hours(record.seconds)) on \(record.hardware)")
    add("data", "data", record.data)
    if !record.losses.isEmpty {
      add("losses", "losses", .object(record.losses.mapValues(Value.number)))
    }
  }

  private mutating func addCard(_ path: String) {
    let card = path + "/README.md"
    if FileManager.default.fileExists(atPath: card) { add("card", "card", card) }
  }
}
