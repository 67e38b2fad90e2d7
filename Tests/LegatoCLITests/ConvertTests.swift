import Foundation
import LegatoAudio
import LegatoCodecs
import LegatoEvaluation
import LegatoModels
import LegatoTensor
import LegatoTraining
import Testing

@testable import LegatoCLI

/// `legato convert`: smaller packages that do what the original does.
@Suite(.serialized) struct ConvertTests {
  private static let shipped = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Models/legato-first")
    .path
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try TinyPackage.write(to: folder.path("package"))
  }

  @discardableResult
  private func legato(_ arguments: String...) throws -> [String: Any] { try legato(arguments) }

  @discardableResult
  private func legato(_ arguments: [String]) throws -> [String: Any] {
    let result = try LegatoProcess.run(arguments, in: folder.url)
    try #require(result.status == 0, "\(arguments): \(result.error)")
    return (try? JSONSerialization.jsonObject(with: result.output) as? [String: Any]) ?? [:]
  }

  private func bytes(_ file: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: folder.path(file)))
  }

  @Test func f32ChangesNothing() throws {
    let report = try legato("convert", "package", "--weights", "f32", "--output", "same", "--json")
    for file in ["model.safetensors", "codec/codec.safetensors", "codec/config.json", "config.json"] {
      #expect(try bytes("package/" + file) == bytes("same/" + file), "\(file)")
    }
    let quality = try #require(report["quality"] as? [String: Any])
    func value(_ name: String) -> Double? { (quality[name] as? [String: Any])?["value"] as? Double }
    #expect(value("velocity") == 0 && value("latents") == 0 && quality["same_seed_distance"] as? Double == 0)
    #expect(value("mel_distance_ratio") == 1 && value("decoder_mel_distance_ratio") == 1)
    #expect(value("distance_ratio") == 1 && quality["passes"] as? Bool == true)
    #expect(try #require(value("original_distance")) > 0)
  }

  /// Loads, plays, encodes, takes the original's latents, and is trained on.
  @Test(arguments: WeightPrecision.allCases)
  func aConvertedPackageDoesAll(_ precision: WeightPrecision) throws {
    let recordings = folder.path("recordings")
    try FileManager.default.createDirectory(atPath: recordings, withIntermediateDirectories: true)
    for index in 1...2 {
      try AudioFile.write(
        TinyPackage.recording(seconds: 5 + Double(index), sampleRate: 48_000, channels: 2),
        to: recordings + "/\(index).wav")
    }
    let tolerance = precision == .int4 ? ["--tolerance", "100"] : []
    let report = try legato(
      ["convert", "package", "--weights", precision.rawValue, "--output", "new", "--no-check", "--json"]
        + tolerance)
    #expect(report["quality"] == nil)
    let (before, after) = (
      try ModelPackage(path: folder.path("package")), try ModelPackage(path: folder.path("new"))
    )
    #expect(after.weightByteCount <= before.weightByteCount)
    #expect(
      (report["model"] as? [String: Any])?["bytes"] as? Int
        == after.model.weights.reduce(0) { $0 + $1.byteCount })
    #expect(Set((after.model.weights).map { WeightPrecision($0.format) }).contains(precision))
    #expect(after.codec.hash == before.codec.hash)
    #expect(after.card.hasPrefix(before.card) && after.card.contains("--weights \(precision.rawValue)"))
    #expect(after.configuration.generation == before.configuration.generation)

    try legato("generate", "--model", "new", "--seed", "1", "--duration", "0.5", "--output", "a.wav")
    #expect(try AudioFile.read(folder.path("a.wav")).channels[0].allSatisfy(\.isFinite))
    // Latents of either codec are the other's too.
    try legato("encode", "recordings/1.wav", "--codec", "package", "--output", "old.safetensors")
    try legato("decode", "old.safetensors", "--codec", "new", "--output", "b.wav")
    try legato("prepare", "recordings", "--codec", "new/codec", "--output", "latents", "--quiet")
    try legato(
      "train", EndToEndTests.recipes + "/toy-model.yaml", "--from", "new", "--set", "data.latents=latents",
      "--set", "steps=2", "--set", "samples.every_steps=0", "--threads", "1", "--output", "run", "--quiet")
    let tuned = try ModelPackage(path: folder.path("run/package"))
    #expect(tuned.codec.hash == before.codec.hash)
    #expect(tuned.model.weights.map(\.shape) == before.model.weights.map(\.shape))
    try legato("generate", "--model", "run/package", "--duration", "0.5", "--output", "c.wav")
  }

  @Test func anotherEncoderIsAnotherCodecAfterAll() throws {
    try legato("convert", "package", "--weights", "int8", "--output", "new", "--no-check")
    try TinyPackage.writeCodec(to: folder.path("other"), seed: 2)
    let file = "/codec.safetensors"
    try FileManager.default.removeItem(atPath: folder.path("new/codec" + file))
    try FileManager.default.copyItem(
      atPath: folder.path("other" + file), toPath: folder.path("new/codec" + file))
    #expect(throws: PackageError.self) { try ModelPackage(path: folder.path("new")) }
  }

  @Test(arguments: [WeightPrecision.int8, .int4])
  func theShippedPackage(_ precision: WeightPrecision) throws {
    func convert(_ output: String, _ threads: String) throws {
      try legato(
        "convert", Self.shipped, "--weights", precision.rawValue, "--output", output, "--no-check",
        "--threads", threads)
    }
    try convert("a", "1")
    try convert("b", "2")
    let (before, after) = (try ModelPackage(path: Self.shipped), try ModelPackage(path: folder.path("a")))
    let files = try FileManager.default.subpathsOfDirectory(atPath: folder.path("a")).filter {
      $0.contains(".")
    }
    #expect(files.count == 6 + before.styles.count)
    for file in files { #expect(try bytes("a/" + file) == bytes("b/" + file), "\(file)") }
    #expect(after.styles == before.styles && after.styles.map(\.factors) == before.styles.map(\.factors))
    #expect(after.codec.hash == before.codec.hash)
    #expect(
      Double(after.weightByteCount) < (precision == .int8 ? 0.62 : 0.56) * Double(before.weightByteCount))
    try legato(
      "generate", "--model", "a", "--style", "cello", "--seed", "3", "--duration", "2", "--output", "a.wav")
    #expect(try AudioFile.read(folder.path("a.wav")).rms > 0.01)
  }

  @Test func roundedWeightsAreWithinTheirBarsOnTheShippedPackage() throws {
    let original = try ModelPackage(path: Self.shipped)
    func converted(_ precision: WeightPrecision, tolerance: Double) throws -> (change: Double, int4: Int) {
      var converter = PackageConverter(package: original, precision: precision)
      (converter.frames, converter.tolerance) = (64, tolerance)
      let package = try converter.run()
      var check = ConversionCheck(original: original, converted: package)
      (check.sets, check.frames) = (2, 32)
      let quality = try check.run()
      #expect(quality.latents.value > 0 && quality.melDistance > 0 && quality.originalDistance.value > 0)
      #expect(quality.sameSeedDistance < quality.originalDistance.value)
      return (quality.velocity.value, package.model.weights.count { WeightPrecision($0.format) == .int4 })
    }
    let bar = ConversionQuality.velocityBar
    let (eight, four) = (try converted(.int8, tolerance: bar), try converted(.int4, tolerance: bar))
    let (wide, all) = (try converted(.int4, tolerance: 0.05), try converted(.int4, tolerance: 1))
    #expect(eight.change > 0.001 && eight.change < 0.02 && eight.int4 == 0, "\(eight)")
    #expect(four.change > eight.change && four.change < bar && four.int4 > 3, "\(four)")
    #expect(wide.change > four.change && wide.change < 0.05 && wide.int4 > four.int4, "\(wide)")
    #expect(all.change > wide.change && all.change < 0.2 && all.int4 == 33, "\(all)")
    let none = try converted(.int4, tolerance: 0.001)
    #expect(none.int4 == 0 && none.change < four.change, "\(none)")
  }

  @Test func whatIsRefused() throws {
    try legato("convert", "package", "--weights", "int8", "--output", "new", "--no-check")
    try FileManager.default.createDirectory(atPath: folder.path("mine"), withIntermediateDirectories: true)
    try Data("precious".utf8).write(to: URL(fileURLWithPath: folder.path("mine/thesis.txt")))
    try FileManager.default.createSymbolicLink(
      atPath: folder.path("link"), withDestinationPath: folder.path("package"))
    let before = folder.contents
    let cases: [([String], String)] = [
      (["package", "--weights", "int8", "--output", "package", "--force"], "the package itself"),
      (["package", "--weights", "int8", "--output", "link", "--force"], "the package itself"),
      (["package", "--weights", "int8", "--output", "package/inside"], "lies in it"),
      (["package", "--weights", "int8", "--output", "new"], "--force"),
      (["package", "--weights", "int8", "--output", "mine", "--force"], "no model package"),
      (["package", "--weights", "int4", "--output", "x", "--tolerance", "0"], "more than 0"),
      (["package", "--weights", "int4", "--output", "x", "--tolerance", "nan"], "more than 0"),
      (["package", "--weights", "int8", "--output", "x", "--tolerance", "5"], "--weights int4"),
      (["package", "--weights", "int5", "--output", "x"], "int5"),
      (["package/codec", "--weights", "int8", "--output", "x"], "not a model"),
      (["nowhere", "--weights", "int8", "--output", "x"], "no such folder"),
      (["package", "--weights", "int8", "--output", "no/such/x"], "no/such"),
      (["package", "--weights", "int8", "--output", "x", "--reference", "nowhere"], "nowhere"),
      (["package", "--weights", "int8", "--output", "x", "--no-check", "--reference", "mine"], "--no-check"),
    ]
    for (arguments, text) in cases {
      let result = try LegatoProcess.run(["convert"] + arguments, in: folder.url)
      #expect(
        result.status != 0 && !result.crashed && result.error.contains(text), "\(arguments): \(result.error)")
    }
    #expect(folder.contents == before)

    // What was lost does not come back, which is said.
    let up = try LegatoProcess.run(
      ["convert", "new", "--weights", "f32", "--output", "up", "--no-check"], in: folder.url)
    #expect(up.status == 0 && up.error.contains("are int8: as f32 they are larger and no more exact"))
    let again = try LegatoProcess.run(
      ["convert", "new", "--weights", "int4", "--output", "new4", "--no-check"], in: folder.url)
    #expect(again.status == 0 && again.error.contains("convert the original instead"))
    try legato("convert", "package", "--weights", "int4", "--output", "new", "--no-check", "--force")
    #expect(try ModelPackage(path: folder.path("new")).card.contains("--weights int4"))
  }

  @Test func theCodecIsMeasuredOnRecordings() throws {
    let recordings = folder.path("recordings")
    try FileManager.default.createDirectory(atPath: recordings, withIntermediateDirectories: true)
    for index in 1...2 {
      try AudioFile.write(
        TinyPackage.recording(seconds: 2 + Double(index), sampleRate: 44_100),
        to: recordings + "/\(index).wav")
    }
    let report = try legato(
      "convert", "package", "--weights", "int8", "--output", "new", "--reference", "recordings", "--json")
    let quality = try #require(report["quality"] as? [String: Any])
    #expect(quality["sound"] as? String == "recordings")
    let ratio = try #require((quality["mel_distance_ratio"] as? [String: Any])?["value"] as? Double)
    #expect(ratio > 0.5 && ratio < 2 && ratio != 1)
    let velocity = try #require((quality["velocity"] as? [String: Any])?["value"] as? Double)
    #expect(velocity > 0 && velocity < 0.1)
  }
}
