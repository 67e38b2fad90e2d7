import Foundation
import Legato
import LegatoCodecs
import LegatoTensor
import Testing

@testable import LegatoModels

@Suite struct StyleTests {
  /// A style of random numbers for a model, whose latents lie around `centre`.
  static func style(
    _ name: String, of model: ContinuousModel, seed: UInt64, centre: Float = 0, gain: Float = 1
  ) throws -> Style {
    let dimension = model.configuration.latentDimension
    let latents = RandomStream(seed: seed, name: name).normal(dimension * 400).map { centre + $0 }
    return Style(
      name: name,
      weights: model.styleWeights.enumerated().map { index, weight in
        Weight(
          name: weight.name, shape: weight.shape,
          values: RandomStream(seed: seed, stream: UInt64(index)).normal(weight.count))
      }, latents: try #require(LatentStatistics(of: latents, dimension: dimension)),
      factors: .init(feedbackGain: gain))
  }

  /// The model with a style's weights in the place of its own.
  private func model(_ model: ContinuousModel, in style: Style) throws -> ContinuousModel {
    let own = Dictionary(uniqueKeysWithValues: style.weights.map { ($0.name, $0) })
    return try ContinuousModel(
      model.configuration,
      weights: NamedWeights(model.weights.map { own[$0.name] ?? $0 }, origin: "a test"))
  }

  private func rollout(_ stream: LatentStream, _ count: Int = 12) -> [Float] {
    (0..<count).flatMap { _ in Array(stream.next()) }
  }

  private func stream(_ model: ContinuousModel, _ options: GenerationOptions) -> LatentStream {
    LatentStream(model: model, engine: CPUEngine(threads: 1), options: options)
  }

  @Test func aStyleIsTheModelWithItsWeights() throws {
    let base = try ContinuousModelTests.model()
    let style = try Self.style("one", of: base, seed: 3)
    #expect(style.weights.count == 1 + 2 * (base.configuration.backbone.layers + 2))
    var options = GenerationOptions(seed: 4)
    let plain = rollout(stream(base, options))
    options.style = style
    let styled = rollout(stream(base, options))
    #expect(styled == rollout(stream(try model(base, in: style), .init(seed: 4))))
    #expect(styled != plain)

    // Its feedback gain is a factor of what the listener asks for.
    options.style = try Self.style("one", of: base, seed: 3, gain: 1.25)
    options.feedbackGain = 1.5
    let louder = rollout(stream(base, options))
    options.style = style
    options.feedbackGain = 1.875
    #expect(louder == rollout(stream(base, options)))
    #expect(louder != styled)
    // So are its context noise, up to nothing but noise, and its temperature.
    options.style = style.with(.init(contextNoise: 2, temperature: 0.5))
    (options.contextNoise, options.temperature) = (0.25, 1)
    let wild = rollout(stream(base, options))
    options.style = style
    (options.contextNoise, options.temperature) = (0.5, 0.5)
    #expect(wild == rollout(stream(base, options)))
    options.contextNoise = 1
    let noise = rollout(stream(base, options))
    options.style = style.with(.init(contextNoise: 9))
    #expect(noise == rollout(stream(base, options)))
  }

  @Test func aStyleMayChangeWhileTheMusicPlays() throws {
    let base = try ContinuousModelTests.model()
    let style = try Self.style("one", of: base, seed: 3)
    let plain = rollout(stream(base, .init(seed: 4)), 24)
    let changing = stream(base, .init(seed: 4))
    let before = rollout(changing, 12)
    changing.options.style = style
    let after = rollout(changing, 12)
    #expect(before + after != plain && before == Array(plain.prefix(before.count)))

    // Taken back before it was heard, it was never there.
    let unheard = stream(base, .init(seed: 4))
    unheard.options.style = style
    unheard.options.style = nil
    #expect(rollout(unheard, 24) == plain)

    // What is saved is the past; the style is of the present.
    let one = stream(base, .init(seed: 4))
    _ = rollout(one, 12)
    let saved = one.save()
    let other = stream(base, .init(seed: 4))
    try other.restore(saved)
    other.options.style = style
    #expect(rollout(other, 12) == after)
    // What was saved before anything was heard has no past: the style is heard from its own start frame on.
    let early = stream(base, .init(seed: 4)).save()
    var options = GenerationOptions(seed: 4)
    options.style = style
    let late = stream(base, options)
    try late.restore(early)
    #expect(rollout(late) == rollout(stream(base, options)))
  }

  @Test func whatRunsAwayComesBackInItsStyle() throws {
    let base = try ContinuousModelTests.model()
    var options = GenerationOptions(seed: 4)
    // So wild that latents leave what is music again and again.
    options.temperature = 9
    let expected = stream(try model(base, in: Self.style("one", of: base, seed: 3)), options)
    options.style = try Self.style("one", of: base, seed: 3)
    let styled = stream(base, options)
    #expect(rollout(styled, 100) == rollout(expected, 100))
    #expect(styled.recoveries > 0 && styled.recoveries == expected.recoveries)
    #expect(styled.options.style?.name == "one")
  }

  @Test func aStyleOfAnotherModelIsNotTaken() throws {
    let base = try ContinuousModelTests.model()
    var larger = base.configuration
    larger.backbone.sinks += 1
    let foreign = try Self.style(
      "far", of: ContinuousModel(larger, weights: RandomWeights(seed: 1)), seed: 1)
    let stream = stream(base, .init(seed: 4))
    stream.options.style = foreign
    #expect(stream.options.style == nil)
    var options = GenerationOptions(seed: 4)
    options.style = foreign
    let other = self.stream(base, options)
    #expect(other.options.style == nil)
    #expect(rollout(other) == rollout(stream))
  }

  @Test func statisticsAreThoseOfTheLatents() throws {
    // Two dimensions: x and 2x + y, so that the covariance is known.
    let draws = RandomStream(seed: 1, stream: 2).normal(20_000)
    var latents: [Float] = []
    for i in 0..<10_000 { latents += [3 + draws[2 * i], 2 * draws[2 * i] + draws[2 * i + 1]] }
    let statistics = try #require(LatentStatistics(of: latents, dimension: 2))
    for (value, expected) in zip(statistics.mean + statistics.covariance, [3, 0, 1, 2, 2, 5] as [Float]) {
      #expect(abs(value - expected) < 0.15, "\(value), not \(expected)")
    }
    // By definition its own latents are `dimension` away.
    #expect(abs(statistics.distance(to: latents) - 2) < 0.02)
    // (x − m)ᵀ C⁻¹ (x − m) by hand: C⁻¹ = [[5, −2], [−2, 1]].
    let exact = try #require(LatentStatistics(mean: [3, 0], covariance: [1, 2, 2, 5]))
    #expect(abs(exact.distance(to: [4, 5]) - (5 - 20 + 25)) < 1e-5)
    #expect(abs(exact.distance(to: [4, 5, 3, 0]) - 5) < 1e-5)
    #expect(abs(exact.logLikelihood(of: [4, 5]) + 5) < 1e-5)
    let wide = try #require(LatentStatistics(mean: [0, 0], covariance: [4, 0, 0, 4]))
    #expect(abs(wide.logLikelihood(of: [0, 0]) + log(16.0) / 2) < 1e-5)

    #expect(LatentStatistics(mean: [0, 0], covariance: [1, 2, 2, 1]) == nil)
    #expect(LatentStatistics(mean: [0, .nan], covariance: [1, 0, 0, 1]) == nil)
    #expect(LatentStatistics(mean: [0, 0], covariance: [1, 0, 0]) == nil)
    #expect(LatentStatistics(of: [1, 2], dimension: 2) == nil)
    // Silence has no spread of its own.
    #expect(LatentStatistics(of: [1, 2, 1, 2, 1, 2], dimension: 2) != nil)
  }

  @Test func namesOfFiles() {
    for name in ["flute", "my-band_2", "A"] { #expect(Style.isName(name)) }
    for name in ["", "any", "none", "a b", "../x", "é", String(repeating: "a", count: 41)] {
      #expect(!Style.isName(name))
    }
  }

  // MARK: Packages

  /// A package with three styles around −4, 0 and 4.
  private static func package(_ format: WeightFormat = .float32) throws -> (
    package: ModelPackage, folder: String
  ) {
    let plain = try SessionTests.package()
    let bare = ModelPackage(
      model: try ContinuousModel(
        plain.model.configuration,
        weights: NamedWeights(plain.model.weights.map { $0.stored(as: format) }, origin: "a test")),
      codec: plain.codec, configuration: plain.configuration)
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("legato-\(UUID().uuidString)")
      .path
    let styles = try [("high", 4), ("low", -4), ("middle", 0)].enumerated().map {
      try style($1.0, of: bare.model, seed: UInt64($0), centre: Float($1.1), gain: $1.0 == "low" ? 0.9 : 1)
    }
    try ModelPackage.write(
      to: folder, configuration: bare.configuration, weights: bare.model.weights, format: nil, styles: styles,
      codec: bare.codec, card: "a card")
    return (try ModelPackage(path: folder), folder)
  }

  @Test(arguments: [WeightFormat.float32, .bfloat16, .int8(group: 32)])
  func packagesKeepTheirStyles(format: WeightFormat) throws {
    let (package, folder) = try Self.package(format)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    #expect(package.styles.map(\.name) == ["high", "low", "middle"] && package.card == "a card")
    for (index, centre) in [(0, 4), (1, -4), (2, 0)] {
      let original = try Self.style(
        package.styles[index].name, of: package.model, seed: UInt64(index), centre: Float(centre),
        gain: index == 1 ? 0.9 : 1)
      #expect(package.styles[index] == original)
      #expect(package.styles[index].factors.feedbackGain == (index == 1 ? 0.9 : 1))
      #expect(package.styles[index].latents == original.latents)
    }

    // A session of its own accord plays one of them, by the seed.
    #expect(Session(package, threads: 1).options.style != nil)
    let drawn = (0..<30).compactMap { package.options(seed: $0).style?.name }
    #expect(drawn.count == 30 && Set(drawn).count == 3)
    #expect(drawn == (0..<30).compactMap { package.options(seed: $0).style?.name })
    let bare = try SessionTests.package()
    #expect(bare.options(seed: 5).style == nil)
    #expect(bare.options(seed: 5) == GenerationOptions(seed: 5, defaults: bare.configuration.generation))
  }

  @Test func settingsAreWrittenAndNothingElse() throws {
    let (package, folder) = try Self.package()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let files = try FileManager.default.subpathsOfDirectory(atPath: folder).filter { $0.contains(".") }
    func contents() throws -> [String: Data] {
      try Dictionary(
        uniqueKeysWithValues: files.map {
          ($0, try Data(contentsOf: URL(fileURLWithPath: folder + "/" + $0)))
        })
    }
    func changed(_ change: () throws -> Void) throws -> [String] {
      let before = try contents()
      try change()
      return try contents().filter { before[$0.key] != $0.value }.map(\.key)
    }
    var settings = package.configuration.generation
    (settings.temperature, settings.contextNoise, settings.feedbackGain) = (1.125, 0.375, 1.0625)
    #expect(try changed { try package.write(generation: settings) } == ["config.json"])
    let factors = Style.Factors(feedbackGain: 1.25, contextNoise: 1.5, temperature: 0.875)
    let style = package.styles[1].with(factors)
    #expect(try changed { try package.write(style: style) } == ["styles/low.safetensors"])
    let read = try ModelPackage(path: folder)
    #expect(
      read.configuration.generation == settings && read.configuration.name == package.configuration.name)
    #expect(
      read.styles[1] == style && read.styles[1].factors == factors && read.styles[1] != package.styles[1])
    #expect(factors.text == "temperature ×0.875, context noise ×1.5, feedback gain ×1.25")
  }

  @Test func aPromptChoosesTheStyleThatItIsLikest() throws {
    let (package, folder) = try Self.package()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let dimension = package.codec.codec.latentDimension
    for (name, centre) in [("high", 3.7), ("low", -4.2), ("middle", 0.3)] {
      let latents = [Float](repeating: Float(centre), count: 3 * dimension)
      #expect(Style.nearest(to: latents, among: package.styles)?.name == name)
    }
    #expect(Style.nearest(to: [0], among: []) == nil)

    // What the codec makes of a tone is what decides, unless the caller has decided.
    let length = 10 * package.codec.codec.samplesPerFrame
    let tone = (0..<2).map { _ in (0..<length).map { Float(sin(Double($0) * 0.05)) * 0.3 } }
    let engine = CPUEngine(threads: 1)
    let encoder = package.codec.codec.makeEncoder(engine: engine, stream: StreamState(engine: engine))
    var latents: [Float] = []
    for frame in 0..<10 {
      let size = package.codec.codec.samplesPerFrame
      let block = tone.flatMap { $0[frame * size..<(frame + 1) * size] }
      block.withUnsafeBufferPointer { latents += encoder.step($0) }
    }
    let nearest = try #require(Style.nearest(to: latents, among: package.styles))
    let session = Session(package, options: package.options(seed: 1), threads: 1)
    session.options.style = package.styles.first { $0 != nearest }
    try session.prompt(tone)
    #expect(session.options.style == nearest)
    for style in package.styles {
      let kept = Session(package, options: package.options(seed: 1), threads: 1)
      kept.options.style = style
      try kept.prompt(tone, keepsStyle: true)
      #expect(kept.options.style == style)
    }
  }

  @Test func damagedAndForeignStylesAreTold() throws {
    let (package, folder) = try Self.package()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = folder + "/styles/high.safetensors"
    let whole = try Data(contentsOf: URL(fileURLWithPath: path))
    func failure(_ change: () throws -> Void) throws -> String {
      try change()
      defer { try? whole.write(to: URL(fileURLWithPath: path)) }
      do {
        _ = try ModelPackage(path: folder)
        return ""
      } catch { return "\(error)" }
    }
    #expect(
      try failure { try whole.prefix(whole.count - 100).write(to: URL(fileURLWithPath: path)) }
        .contains("high.safetensors"))
    #expect(try failure { try Data().write(to: URL(fileURLWithPath: path)) }.contains("high.safetensors"))
    #expect(
      try failure {
        try SafetensorsWriter.write(package.styles[0].weights, to: path)
      }.contains("no style of a kind"))
    // One of the same sizes, but other weights.
    let other = try SessionTests.package(seed: 9)
    #expect(
      try failure {
        try Self.style("high", of: other.model, seed: 1).write(toPackage: folder, of: other.model)
      }.contains("belongs to another model"))
    // NaN.
    let spoiled = Style(
      name: "high",
      weights: package.styles[0].weights.map {
        Weight(name: $0.name, shape: $0.shape, values: $0.floats().map { _ in .nan })
      }, latents: package.styles[0].latents)
    #expect(try failure { try spoiled.write(toPackage: folder, of: package.model) }.contains("NaN"))
    // A factor that nobody could have written: the same length, so that the file is whole.
    try package.write(style: Self.style("high", of: package.model, seed: 1, gain: 3.5))
    let text = try Data(contentsOf: URL(fileURLWithPath: path))
    var spoilt = text
    spoilt.replaceSubrange(try #require(text.range(of: Data("\"3.5\"".utf8))), with: Data("\"-35\"".utf8))
    #expect(
      try failure { try spoilt.write(to: URL(fileURLWithPath: path)) }.contains(
        "its factor feedback_gain is '-35'"))
    let misnamed = folder + "/styles/no good.safetensors"
    #expect(
      try failure { try whole.write(to: URL(fileURLWithPath: misnamed)) }.contains("cannot be called"))
    try FileManager.default.removeItem(atPath: misnamed)
    #expect(try ModelPackage(path: folder).styles.count == 3)

    // What could not be read is not written.
    let large = LatentStatistics(mean: [0], covariance: [1]).map {
      Style(name: "high", weights: package.styles[0].weights, latents: $0)
    }
    for wrong in [
      try #require(large),
      Style(name: "../x", weights: package.styles[0].weights, latents: package.styles[0].latents),
      Style(name: "few", weights: [], latents: package.styles[0].latents),
      package.styles[0].with(.init(contextNoise: 12)), package.styles[0].with(.init(temperature: .nan)),
    ] {
      #expect(throws: PackageError.self) { try wrong.write(toPackage: folder, of: package.model) }
    }
    #expect(try ModelPackage(path: folder).styles == package.styles)
  }
}
