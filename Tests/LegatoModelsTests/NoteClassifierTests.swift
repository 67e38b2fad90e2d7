import Foundation
import LegatoTensor
import LegatoTorch
import Testing

@testable import LegatoModels

@Suite struct NoteClassifierTests {
  private static let sizes = NoteClassifierConfiguration(
    width: 24, blocks: 2, dimension: 16,
    instruments: [
      .init(program: 0, name: "acoustic grand piano", family: "piano"),
      .init(program: 40, name: "violin", family: "strings"),
      .init(program: 73, name: "flute", family: "pipe"),
    ])
  private static let samples = LogFrequencySpectrum.samples

  private static func classifier(everywhere: Float = 0.2) throws -> NoteClassifier {
    try NoteClassifier(sizes, weights: RandomWeights(seed: 3, everywhere: everywhere))
  }

  /// A window each of a tone of this frequency in Hz, in noise 40 dB below.
  private static func tones(_ frequencies: [Double], level: Float = 0.1) -> [Float] {
    frequencies.enumerated().flatMap { row, frequency in
      let noise = RandomStream(seed: 5, stream: UInt64(row)).normal(samples)
      return noise.enumerated().map { index, noise in
        level * (Float(sin(2 * .pi * frequency * Double(index) / 48_000)) + 0.01 * noise)
      }
    }
  }

  private static func spectrum(_ samples: [Float], _ engine: CPUEngine) -> [Float] {
    LogFrequencySpectrum.of(engine.tensor(samples, shape: [samples.count / Self.samples, Self.samples]))
      .floats()
  }

  @Test func theEnginesAgree() throws {
    let classifier = try Self.classifier()
    let samples = Self.tones([110, 440, 1975])
    func hear(_ backend: any Backend) -> [[Float]] {
      let heard = classifier(backend.tensor(samples, shape: [3, Self.samples]))
      return [heard.embedding, heard.instruments, heard.keys].map { $0.floats() }
    }
    let (ours, theirs) = (hear(CPUEngine(threads: 2)), hear(try TorchBackend(device: .cpu)))
    #expect(ours.map(\.count) == [3 * 16, 3 * 3, 3 * 88])
    for (a, b) in zip(ours, theirs) { expectClose(a, b, 1e-4) }
  }

  @Test func threadsAndCompanyDoNotMatter() throws {
    let classifier = try Self.classifier()
    let samples = Self.tones([220, 330])
    func hear(_ samples: [Float], threads: Int) -> [Float] {
      classifier(
        CPUEngine(threads: threads).tensor(samples, shape: [samples.count / Self.samples, Self.samples])
      ).embedding.floats()
    }
    let both = hear(samples, threads: 1)
    #expect(both == hear(samples, threads: 2))
    #expect(Array(both.suffix(16)) == hear(Array(samples.suffix(Self.samples)), threads: 1))
  }

  @Test func aToneIsInItsBand() {
    let engine = CPUEngine(threads: 1)
    // A quarter tone a band, from A0 on.
    for (frequency, band) in [(110.0, 48), (440, 96), (3520, 168)] {
      let frame = Self.spectrum(Self.tones([frequency]), engine).prefix(LogFrequencySpectrum.bands)
      #expect(frame.firstIndex(of: frame.max() ?? 0) == band, "\(frequency) Hz")
      #expect(abs((frame.max() ?? 0) - 1) < 0.02)
    }
  }

  @Test func theLevelDoesNotMatterButSilenceIsSilence() {
    let engine = CPUEngine(threads: 1)
    let loud = Self.spectrum(Self.tones([196, 740], level: 0.5), engine)
    for level: Float in [0.05, 0.002] {
      let soft = Self.spectrum(Self.tones([196, 740], level: level), engine)
      #expect(zip(loud, soft).allSatisfy { abs($0 - $1) < 2e-3 }, "level \(level)")
    }
    #expect(
      Self.spectrum([Float](repeating: 0, count: Self.samples), engine).allSatisfy { abs($0 + 1) < 1e-5 })
  }

  /// A package of random weights in a folder of its own, and its path.
  private func package(_ body: (String) throws -> Void) throws {
    let path = NSTemporaryDirectory() + "legato-listener-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    var file = NoteClassifierFile(name: "random", licence: "Apache-2.0", classifier: Self.sizes)
    file.accuracy["held_out_pieces"] = NoteAccuracy()
    try NoteClassifierPackage.write(
      to: path, configuration: file, weights: Self.classifier().weights, card: "# Random\n")
    try body(path)
  }

  @Test func aPackageComesBackAsItWas() throws {
    try package { path in
      let package = try NoteClassifierPackage(path: path)
      #expect(package.configuration.classifier == Self.sizes)
      #expect(package.configuration.accuracy["held_out_pieces"] == NoteAccuracy())
      #expect(
        package.classifier.weights.map { $0.floats() } == (try Self.classifier().weights.map { $0.floats() }))
      #expect(package.sha256.count == 64)
      let first = package.sha256
      try NoteClassifierPackage.write(
        to: path, configuration: package.configuration,
        weights: Self.classifier(everywhere: 0.1).weights, card: "")
      #expect(try NoteClassifierPackage(path: path).sha256 != first)
    }
  }

  @Test func whatIsNoClassifierIsRefused() throws {
    func says(_ words: String..., of path: String) {
      #expect {
        _ = try NoteClassifierPackage(path: path)
      } throws: { error in
        words.allSatisfy { "\(error)".contains($0) }
      }
    }
    says("no such folder", "classifier package", of: "/nowhere/listener")
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    says("this is a 'model', not a classifier", of: root.path + "/Models/legato-first")
    try package { path in
      let weights = path + "/classifier.safetensors"
      let bytes = try #require(FileManager.default.contents(atPath: weights))
      try bytes.dropLast(100).write(to: URL(fileURLWithPath: weights))
      says(weights, of: path)
      try FileManager.default.removeItem(atPath: weights)
      says("the file is missing", "again, whole", of: path)
    }
    try package { path in
      let config = path + "/config.json"
      let text = try String(contentsOfFile: config, encoding: .utf8)
      func write(_ old: String, _ new: String) throws {
        try #require(text.contains(old))
        try text.replacing(old, with: new).write(toFile: config, atomically: true, encoding: .utf8)
      }
      try write("\"dimension\" : 16", "\"dimension\" : 17")
      says("embedding.weight", "[16, 48]", of: path)
      try write("\"width\" : 24", "\"width\" : 0")
      says("width is 0", "restore the file", of: path)
      try write("\"blocks\" : 2,", "")
      says("'classifier.blocks' is missing", of: path)
    }
  }
}
