import Foundation
import LegatoAudio
import LegatoTensor
import Testing

@testable import LegatoCLI

/// Each gives one clear line, an exit code that is not zero, and leaves nothing half-written.
@Suite(.serialized) final class BadInputTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try TinyPackage.write(to: folder.path("tiny"))
  }

  private func expectFailure(
    _ arguments: [String], _ parts: String..., status: Int32 = 1, asNobody: Bool = false,
    environment: [String: String] = [:]
  ) throws {
    let before = folder.contents
    let result = try LegatoProcess.run(
      arguments, in: folder.url, environment: environment, asNobody: asNobody)
    #expect(!result.crashed)
    #expect(result.status == status, "\(arguments): \(result.error)")
    #expect(result.output.isEmpty)
    if status == 1 {
      #expect(result.error.hasPrefix("legato: "), "\(result.error)")
      #expect(result.message.split(separator: "\n").count == 1, "\(result.error)")
    }
    // The message alone: a usage line has dots of its own.
    let message = result.error.prefix { $0 != "\n" }
    #expect(!message.contains(".."), "two full stops: \(message)")
    for part in parts { #expect(result.error.contains(part), "no '\(part)' in: \(result.error)") }
    #expect(folder.contents == before, "\(arguments) left something")
  }

  private func generate(_ more: String...) -> [String] {
    ["generate", "--model", "tiny", "--duration", "1", "--output", "out.wav"] + more
  }

  private func edit(_ file: String, _ change: (inout Data) -> Void) throws {
    let url = folder.url.appendingPathComponent(file)
    var data = try Data(contentsOf: url)
    change(&data)
    try data.write(to: url)
  }

  private func replace(_ old: String, by new: String, in file: String) throws {
    try edit(file) { data in
      let text = String(decoding: data, as: UTF8.self)
      precondition(text.contains(old), "\(file) does not contain \(old)")
      data = Data(text.replacingOccurrences(of: old, with: new).utf8)
    }
  }

  @Test func missingModel() throws {
    try expectFailure(
      ["generate", "--model", "nowhere", "--duration", "1"], "nowhere: there is no such folder")
    try expectFailure(["info", "nowhere"], "nowhere")
    try expectFailure(["encode", "in.wav", "--codec", "nowhere"], "nowhere")
  }

  @Test func packageFromTheFuture() throws {
    try replace("\"format_version\" : 1", by: "\"format_version\" : 99", in: "tiny/config.json")
    try expectFailure(generate(), "tiny/config.json", "format_version 99 is newer", "update Legato")
    try expectFailure(["info", "tiny"], "format_version 99 is newer")
  }

  @Test func packageOfNoVersion() throws {
    let wrong = [
      ("\"x\"", "the value of 'format_version' is no Int"), ("0", "format_version is 0"),
      ("-1", "format_version is -1"),
    ]
    var there = "1"
    for (version, part) in wrong {
      try replace(
        "\"format_version\" : \(there)", by: "\"format_version\" : \(version)", in: "tiny/config.json")
      try expectFailure(generate(), "tiny/config.json", part, "restore the file")
      there = version
    }
  }

  @Test func codecFromTheFuture() throws {
    try replace("\"format_version\" : 1", by: "\"format_version\" : 2", in: "tiny/codec/config.json")
    try expectFailure(generate(), "codec/config.json", "newer")
  }

  @Test func damagedConfiguration() throws {
    try edit("tiny/config.json") { $0 = Data("{ not json".utf8) }
    try expectFailure(generate(), "tiny/config.json", "not valid JSON")
  }

  @Test func absurdSizes() throws {
    try replace("\"layers\" : 2", by: "\"layers\" : 100000000", in: "tiny/config.json")
    try expectFailure(generate(), "tiny/config.json: layers is 100000000", "restore the file")
    try replace("\"layers\" : 100000000", by: "\"layers\" : 2", in: "tiny/config.json")
    try replace("\"heads\" : 2", by: "\"heads\" : 3", in: "tiny/config.json")
    try expectFailure(generate(), "tiny/config.json: width 64 must divide into 3 heads", "restore the file")
    try replace("\"fold\" : 4", by: "\"fold\" : 0", in: "tiny/codec/config.json")
    try expectFailure(
      ["info", "tiny/codec"], "tiny/codec/config.json: fold is 0", "restore the file")
  }

  @Test func missingConfiguration() throws {
    try FileManager.default.removeItem(atPath: folder.path("tiny/config.json"))
    try expectFailure(["info", "tiny"], "tiny: config.json is missing", "whole folder")
    try FileManager.default.removeItem(atPath: folder.path("tiny/codec/config.json"))
    try expectFailure(["info", "tiny/codec"], "tiny/codec: config.json is missing")
  }

  @Test func missingWeights() throws {
    try FileManager.default.removeItem(atPath: folder.path("tiny/model.safetensors"))
    try expectFailure(generate(), "tiny/model.safetensors: the file is missing", "the package again, whole")
  }

  @Test func truncatedWeights() throws {
    try edit("tiny/model.safetensors") { $0 = $0.prefix($0.count / 2) }
    try expectFailure(generate(), "tiny/model.safetensors")
    try edit("tiny/model.safetensors") { $0 = $0.prefix(5) }
    try expectFailure(generate(), "tiny/model.safetensors")
    try edit("tiny/model.safetensors") { $0 = Data() }
    try expectFailure(generate(), "tiny/model.safetensors")
  }

  @Test func hostileWeights() throws {
    // A header that claims to be longer than any file.
    try edit("tiny/model.safetensors") { $0.replaceSubrange(0..<8, with: Data(repeating: 0xFF, count: 8)) }
    try expectFailure(generate(), "tiny/model.safetensors")
  }

  @Test func notFiniteWeights() throws {
    try edit("tiny/model.safetensors") { data in
      let nan = withUnsafeBytes(of: Float.nan.bitPattern.littleEndian) { Data($0) }
      data.replaceSubrange(data.count - 4..<data.count, with: nan)
    }
    try expectFailure(generate(), "NaN or infinite")
  }

  /// Bytes of a tensor of a package that was converted, changed.
  private func edit(_ tensor: String, of file: String, _ change: (inout Data) -> Void) throws {
    let range = try SafetensorsFile(path: folder.path(file)).entry(tensor).byteRange
    try edit(file) { data in
      var part = Data(data[range])
      change(&part)
      data.replaceSubrange(range, with: part)
    }
  }

  @Test(arguments: ["int8", "int4"]) func scalesThatAreNoNumbers(format: String) throws {
    let convert = ["convert", "tiny", "--weights", format, "--output", "small", "--no-check", "--quiet"]
    #expect(try LegatoProcess.run(convert, in: folder.url).status == 0)
    for value in [Float.nan, .infinity] {
      let bytes = withUnsafeBytes(of: value.bitPattern.littleEndian) { Data($0) }
      for file in ["small/model.safetensors", "small/codec/codec.safetensors"] {
        let names = try SafetensorsFile(path: folder.path(file)).names
        let tensor = try #require(names.first { $0.hasSuffix(".scales") })
        var before = Data()
        try edit(tensor, of: file) { data in
          before = data
          data.replaceSubrange(0..<4, with: bytes)
        }
        let name = tensor.replacingOccurrences(of: ".scales", with: "")
        try expectFailure(
          ["generate", "--model", "small", "--duration", "1"], file, "'\(name)'", "NaN or infinite")
        try expectFailure(
          ["convert", "small", "--weights", "bf16", "--output", "new"], file, "NaN or infinite")
        try edit(tensor, of: file) { $0 = before }
      }
    }
  }

  @Test func weightsOfAnotherType() throws {
    let convert = ["convert", "tiny", "--weights", "int8", "--output", "small", "--no-check", "--quiet"]
    #expect(try LegatoProcess.run(convert, in: folder.url).status == 0)
    try replaceBytes("\"dtype\":\"I8\"", by: "\"dtype\":\"U8\"", in: "small/model.safetensors")
    try expectFailure(
      ["generate", "--model", "small", "--duration", "1"], "small/model.safetensors", "has shape")
    try replaceBytes("\"dtype\":\"F32\"", by: "\"dtype\":\"I32\"", in: "tiny/model.safetensors")
    try expectFailure(generate(), "tiny/model.safetensors", "stored as I32", "Legato reads F32 and BF16")
  }

  /// In the header, whose length stays.
  private func replaceBytes(_ old: String, by new: String, in file: String) throws {
    try edit(file) { data in
      while let range = data.range(of: Data(old.utf8)) { data.replaceSubrange(range, with: Data(new.utf8)) }
    }
  }

  @Test func weightsThatAreTooLarge() throws {
    let large = withUnsafeBytes(of: Float(3e38).bitPattern.littleEndian) { Data($0) }
    for (file, tensor, part) in [
      ("tiny/model.safetensors", "sampler.out.weight", "the model draws no latent"),
      ("tiny/codec/codec.safetensors", "decoder.in.weight", "the codec gives no sound"),
    ] {
      var before = Data()
      try edit(tensor, of: file) { data in
        before = data
        data = Data((0..<data.count / 4).flatMap { _ in large })
      }
      for duration in ["0.1", "5"] {
        try expectFailure(
          ["generate", "--model", "tiny", "--duration", duration, "--output", "out.wav"], "tiny: \(part)",
          "far too large", "restore the package")
      }
      try edit(tensor, of: file) { $0 = before }
    }
    _ = try LegatoProcess.run(generate(), in: folder.url)
    #expect(folder.contents.contains("out.wav"))
  }

  @Test func instructionSets() throws {
    for wanted in ["nonsense", "AVX2", "scalar ", "neon,scalar"] {
      try expectFailure(
        generate(), "LEGATO_ISA is '\(wanted)'", "scalar", "unset it", environment: ["LEGATO_ISA": wanted])
    }
    for help in [["--help"], ["help", "bench"], ["--version"]] {
      let result = try LegatoProcess.run(help, in: folder.url, environment: ["LEGATO_ISA": "nonsense"])
      #expect(result.status == 0 && !result.output.isEmpty)
    }
    // What every processor has, and what is as good as not set.
    for (wanted, used) in [("scalar", "scalar"), ("", Platform.instructionSets.last)] {
      let result = try LegatoProcess.run(
        generate("--json", "--seed", "3"), in: folder.url, environment: ["LEGATO_ISA": wanted])
      #expect(result.status == 0, "\(result.error)")
      #expect(result.text.contains("\"instruction_set\":\"\(used ?? "")\""), "\(result.text)")
      let sound = try AudioFile.read(folder.path("out.wav"))
      #expect(sound.channels.allSatisfy { $0.allSatisfy(\.isFinite) && $0.contains { abs($0) > 1e-4 } })
    }
  }

  @Test func conversionsThatCannotBe() throws {
    func convert(_ more: String...) -> [String] { ["convert", "tiny", "--output", "new"] + more }
    try expectFailure(convert("--weights", "int3"), "int3", status: 64)
    for threads in [["--threads", "0"], ["--threads=-1"], ["--threads", "10000"]] {
      try expectFailure(convert("--weights", "int8") + threads, "--threads", status: 64)
    }
  }

  @Test func codecThatIsNotTheModels() throws {
    try FileManager.default.removeItem(atPath: folder.path("tiny/codec"))
    try TinyPackage.writeCodec(to: folder.path("tiny/codec"), seed: 9)
    try expectFailure(generate(), "not the one that the model was trained with")
  }

  @Test func codecOfAnotherRate() throws {
    // The weights fit any rate.
    try replace("\"sample_rate\" : 48000", by: "\"sample_rate\" : 96000", in: "tiny/codec/config.json")
    try expectFailure(generate(), "tiny/codec/config.json", "not those that the model was trained with")
  }

  @Test func promptsThatAreNoSound() throws {
    try Data("hello, this is no sound".utf8).write(to: folder.url.appendingPathComponent("text.wav"))
    try Data().write(to: folder.url.appendingPathComponent("empty.wav"))
    try AudioFile.write(
      TinyPackage.recording(seconds: 0.5, sampleRate: 48_000, channels: 2), to: folder.path("cut.wav"))
    try edit("cut.wav") { $0 = $0.prefix($0.count / 2) }
    try expectFailure(generate("--prompt", "text.wav"), "text.wav")
    try expectFailure(generate("--prompt", "empty.wav"), "empty.wav", "empty")
    try expectFailure(generate("--prompt", "cut.wav"), "cut.wav", "cut short")
    try expectFailure(generate("--prompt", "none.wav"), "none.wav: no such file")
    try expectFailure(generate("--prompt", "tiny"), "tiny")
    try expectFailure(["encode", "text.wav", "--codec", "tiny"], "text.wav")
  }

  @Test func promptTooShort() throws {
    try AudioFile.write(
      TinyPackage.recording(seconds: 0.001, sampleRate: 48_000, channels: 2), to: folder.path("p.wav"))
    try expectFailure(generate("--prompt", "p.wav"), "prompt", "1920")
  }

  @Test func outputsThatCannotBeWritten() throws {
    try expectFailure(
      ["generate", "--model", "tiny", "--duration", "1", "--output", "no/where/out.wav"], "no/where/out.wav",
      "folder does not exist")
    try expectFailure(
      ["generate", "--model", "tiny", "--duration", "1", "--output", "tiny"], "it is a folder")
    try expectFailure(generate("--picture", "no/where/out.png"), "no/where/out.png", "folder does not exist")
  }

  @Test func foldersWithoutPermission() throws {
    try FileManager.default.createDirectory(
      atPath: folder.path("locked"), withIntermediateDirectories: false)
    try FileManager.default.setAttributes([.posixPermissions: 0o555], ofItemAtPath: folder.path("locked"))
    try AudioFile.write(
      TinyPackage.recording(seconds: 1, sampleRate: 48_000, channels: 2), to: folder.path("a.wav"))
    try expectFailure(
      ["generate", "--model", "tiny", "--duration", "1", "--output", "locked/out.wav"],
      "locked/out.wav: cannot be written: permission denied", asNobody: true)
    try expectFailure(
      ["encode", "a.wav", "--codec", "tiny", "--output", "locked/a.st"],
      "locked/a.st: cannot create the file: permission denied", asNobody: true)
    try expectFailure(
      ["prepare", ".", "--codec", "tiny", "--output", "locked/latents"],
      "locked/latents: the folder cannot be created: permission denied. Check", asNobody: true)
    try expectFailure(
      ["corpus", "--hours", "0.02", "--instrument", "piano", "--output", "locked/corpus"],
      "locked/corpus: permission denied. Choose another folder", asNobody: true)
  }

  @Test func fullDisk() throws {
    // The device that is always full; only Linux has it.
    guard FileManager.default.fileExists(atPath: "/dev/full") else { return }
    try expectFailure(
      ["generate", "--model", "tiny", "--duration", "1", "--output", "/dev/full"], "disk is full")
  }

  @Test func usageErrorsExitWith64() throws {
    try expectFailure(generate("--steps", "0"), "steps is 0", status: 64)
    try expectFailure(["generate", "--duration", "soon"], "soon", status: 64)
    try expectFailure(["generat"], "generat", status: 64)
    try expectFailure(["corpus", "--hours", "0", "--output", "corpus"], "hours must be above 0", status: 64)
  }

  @Test func recipesThatMakeNoSense() throws {
    try Data("kind: model\ndata:\n  latents: x\noptimizer:\n  lerning_rate: 1e-3\n".utf8)
      .write(to: folder.url.appendingPathComponent("r.yaml"))
    try expectFailure(["train", "r.yaml", "--output", "run"], "optimizer.lerning_rate", "learning_rate")
    try expectFailure(["train", "none.yaml", "--output", "run"], "none.yaml", "no such file")
    try expectFailure(["train", "tiny", "--output", "run"], "tiny", "folder")
  }

  @Test func recordingsThatAreNone() throws {
    try FileManager.default.createDirectory(atPath: folder.path("empty"), withIntermediateDirectories: false)
    try expectFailure(
      ["prepare", "empty", "--codec", "tiny", "--output", "latents"], "empty: there are no recordings")
    try expectFailure(
      ["prepare", "nowhere", "--codec", "tiny", "--output", "latents"], "nowhere: there is no such file")
    try expectFailure(
      ["prepare", "empty", "--codec", "tiny", "--output", "l", "--parts", "0"], "parts",
      "Usage: legato prepare", "legato prepare --help", status: 64)
    try Data("no sound".utf8).write(to: folder.url.appendingPathComponent("empty/a.wav"))
    try expectFailure(["prepare", "empty", "--codec", "tiny", "--output", "latents", "--quiet"], "a.wav")
  }

  @Test func latentsThatAreNone() throws {
    try expectFailure(
      ["decode", "tiny/model.safetensors", "--codec", "tiny", "--output", "o.wav"], "no tensor 'latents'",
      "legato encode")
  }
}
