import Foundation
import LegatoAudio
import LegatoCodecs
import LegatoModels
import LegatoTensor
import Testing

@testable import LegatoTraining

@Suite struct PrepareTests {
  @Test func preparesWhatCanBeUsedAndNamesTheRest() throws {
    let fixture = try PrepareFixture()
    try fixture.addUnusable()
    var options = fixture.options()
    options.excerpts = 3
    options.excerptSeconds = 0.5
    let report = try fixture.run(options)
    #expect(report.recordings == 7 && report.encoded == 3 && report.kept == 0)
    let index = try #require(report.index)
    #expect(index.pieces.map(\.path) == ["b.wav", "c.wav", "sub/a.wav"])
    // 2.03, 1.2 and 1.5 s at 25 latents a second, rounded up.
    #expect(index.pieces.map(\.frames) == [51, 30, 38])
    #expect(index.frameRate == 25 && index.samplesPerFrame == 1920 && index.dimension == 16)
    let reasons = Dictionary(uniqueKeysWithValues: index.skipped.map { ($0.path, $0.reason) })
    #expect(Set(reasons.keys) == ["broken.wav", "silent.wav", "short.wav", "nan.wav"])
    #expect(reasons["silent.wav"]?.contains("silent") == true)
    #expect(reasons["short.wav"]?.contains("0.2 s") == true)
    #expect(reasons["nan.wav"]?.contains("NaN") == true)
    #expect(report.skipped.count == 4)
    #expect(index.pieces.contains { $0.split == .validation } && index.pieces.contains { $0.split == .train })
    let reconstruction = try #require(index.reconstruction)
    #expect(reconstruction.excerpts == 3 && reconstruction.melDistance > 0 && reconstruction.stftDistance > 0)

    let data = try LatentDataset(path: options.output)
    let package = try CodecPackage(path: fixture.codecPath)
    #expect(data.codecHash == package.hash)
    // The folder holds what the codec gives for the whole recording at once, rounded to half precision.
    let audio = try AudioFile.read(fixture.input + "/b.wav")
    let padded = audio.channels.map { $0 + [Float](repeating: 0, count: 51 * 1920 - $0.count) }
    let engine = CPUEngine(threads: 1)
    let whole = package.codec.encode(engine.tensor(padded.flatMap { $0 }, shape: [1, 2, 51 * 1920])).floats()
    let stored = try data.latents(of: index.pieces[0])
    let scale = (whole.reduce(0) { $0 + $1 * $1 } / Float(whole.count)).squareRoot()
    #expect(zip(whole, stored).allSatisfy { abs($0 - $1) < 2e-3 * max(scale, abs($0)) })
  }

  @Test func oneRecordingIsEnough() throws {
    let fixture = try PrepareFixture()
    var options = fixture.options()
    options.input = fixture.input + "/b.wav"
    let index = try #require(try fixture.run(options).index)
    #expect(index.pieces.map(\.path) == ["b.wav"] && index.pieces[0].split == .train)
  }

  @Test func copiesAreLeftOut() throws {
    let fixture = try PrepareFixture()
    for name in ["copy.wav", "sub/b.wav"] {
      try FileManager.default.copyItem(atPath: fixture.input + "/b.wav", toPath: fixture.input + "/" + name)
    }
    // As long as b.wav, but another tone.
    try fixture.tone("other.wav", seconds: 2.03, frequency: 300)
    let report = try fixture.run(fixture.options())
    #expect(report.index?.pieces.map(\.path) == ["b.wav", "c.wav", "other.wav", "sub/a.wav"])
    #expect(report.warnings.first?.contains("2 recordings are copies") == true)
    #expect(report.warnings.first?.contains("copy.wav, a copy of b.wav") == true)
    let list = try RecordingList(source: fixture.input)
    #expect(list.copies.map(\.original) == ["b.wav", "b.wav"] && list.items.count == 4)
    #expect(Set(list.items.map(\.split)) == [.train, .validation])
  }

  @Test func linkedFoldersAreRead() throws {
    let fixture = try PrepareFixture()
    let names = try RecordingList(source: fixture.input).items.map(\.name)
    let link = fixture.input + "-link"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: fixture.input)
    #expect(try RecordingList(source: link).items.map(\.name) == names)
    #expect(try RecordingList(source: link).items.allSatisfy { $0.path.hasPrefix(link) })
    // Below the folder, and one that leads back to it.
    let outer = fixture.input + "-outer"
    try FileManager.default.createDirectory(atPath: outer, withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(atPath: outer + "/in", withDestinationPath: fixture.input)
    try FileManager.default.createSymbolicLink(atPath: outer + "/round", withDestinationPath: outer)
    #expect(try RecordingList(source: outer).items.map(\.name) == names.map { "in/" + $0 })
    // Two ways to one folder are one folder, and links change no names of what was there.
    try FileManager.default.createSymbolicLink(atPath: outer + "/again", withDestinationPath: fixture.input)
    #expect(
      try RecordingList(source: outer, keepsCopies: true).items.map(\.name) == names.map { "again/" + $0 })
    let sub = try #require(
      names.first { $0.contains("/") }.map { ($0 as NSString).deletingLastPathComponent })
    try FileManager.default.createSymbolicLink(
      atPath: fixture.input + "/a-link", withDestinationPath: fixture.input + "/" + sub)
    #expect(try RecordingList(source: fixture.input, keepsCopies: true).items.map(\.name) == names)
  }

  @Test func resumingDoesNoWorkAgain() throws {
    let fixture = try PrepareFixture()
    try fixture.addUnusable()
    _ = try fixture.run(fixture.options())
    let before = try fixture.files("out")
    let again = try fixture.run(fixture.options())
    #expect(again.encoded == 0 && again.kept == 3)
    #expect(try fixture.files("out") == before)
    // One more recording, in the middle of the order: only it is encoded, and all is as if made in one go.
    try fixture.tone("bb.wav", seconds: 1.1)
    let more = try fixture.run(fixture.options())
    #expect(more.encoded == 1 && more.kept == 3)
    #expect(more.index?.pieces.map(\.path) == ["b.wav", "bb.wav", "c.wav", "sub/a.wav"])
    _ = try fixture.run(fixture.options("fresh"))
    #expect(try fixture.files("out") == fixture.files("fresh"))
    // A changed recording and another codec are encoded again.
    try fixture.tone("c.wav", seconds: 1.4, frequency: 200)
    #expect(try fixture.run(fixture.options()).encoded == 1)
    try fixture.writeCodec(seed: 2)
    #expect(try fixture.run(fixture.options()).encoded == 4)
  }

  @Test func damagedShardsAreMadeAgain() throws {
    let fixture = try PrepareFixture()
    _ = try fixture.run(fixture.options())
    let before = try fixture.files("out")
    let shard = try #require(before["shard-00000.safetensors"])
    try fixture.folder.write(shard.prefix(shard.count / 2), "out/shard-00000.safetensors")
    #expect(try fixture.run(fixture.options()).encoded == 3)
    #expect(try fixture.files("out") == before)
  }

  @Test func threadsAndMachinesGiveTheSameBytes() throws {
    let fixture = try PrepareFixture()
    // More than one shard of sixteen.
    for number in 0..<16 { try fixture.tone("many-\(number).wav", seconds: 1 + Double(number) * 0.01) }
    _ = try fixture.run(fixture.options("one"))
    var two = fixture.options("two")
    two.threads = 2
    _ = try fixture.run(two)
    #expect(try fixture.files("one") == fixture.files("two"))

    var part = fixture.options("parts")
    part.parts = 2
    part.part = 1
    let first = try fixture.run(part)
    #expect(first.index == nil && first.missingShards == 1 && first.encoded == 3)
    #expect(throws: LatentError.self) { try LatentDataset(path: part.output) }
    part.part = 0
    let second = try fixture.run(part)
    #expect(second.missingShards == 0 && second.encoded == 16)
    #expect(try fixture.files("one") == fixture.files("parts"))
    #expect(
      try fixture.files("one").keys.sorted() == [
        "codec/README.md", "codec/codec.safetensors", "codec/config.json", "latents.json",
        "shard-00000.safetensors",
        "shard-00001.safetensors",
      ])
  }

  @Test func manifestsGiveIdsSplitsAndLabels() throws {
    let fixture = try PrepareFixture()
    let manifest = fixture.input + "/manifest.jsonl"
    func write(_ lines: [String]) throws {
      try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: manifest))
    }
    try write([
      #"{"path": "sub/a.wav", "id": "first", "split": "validation", "instrument": "piano", "tempo_bpm": 96.5}"#,
      #"{"path": "b.wav", "split": "train", "caption": "a tone"}"#,
      #"{"path": "gone.wav", "split": "train"}"#,
    ])
    // A folder with a manifest in it, and the manifest itself, are the same.
    for input in [fixture.input, manifest] {
      var options = fixture.options(input == manifest ? "m" : "f")
      options.input = input
      let index = try #require(try fixture.run(options).index)
      #expect(index.pieces.map(\.id) == ["b.wav", "first"])
      #expect(index.pieces.map(\.split) == [.train, .validation])
      #expect(
        index.pieces[1].labels["instrument"] == "piano" && index.pieces[1].labels["tempo_bpm"] == "96.5")
      #expect(index.skipped.map(\.path) == ["gone.wav"])
    }
    #expect(try fixture.files("m") == fixture.files("f"))
    try write([#"{"path": "b.wav"}"#, #"{"path": "b.wav"}"#])
    let twice = #expect(throws: PrepareError.self) { try fixture.run(fixture.options("x")) }
    #expect(twice?.kind == .badManifest)
  }

  @Test func nothingUsableIsAnErrorAndLeavesNothing() throws {
    let fixture = try PrepareFixture()
    for name in ["b.wav", "c.wav", "sub/a.wav"] {
      try FileManager.default.removeItem(atPath: fixture.input + "/" + name)
    }
    #expect(throws: TrainingError.self) { try fixture.run(fixture.options()) }
    try fixture.addUnusable()
    let none = #expect(throws: PrepareError.self) { try fixture.run(fixture.options()) }
    #expect(none?.kind == .noneUsable && none?.description.contains("broken.wav") == true)
    #expect(!FileManager.default.fileExists(atPath: fixture.folder.path + "/out"))
  }

  @Test func stoppingLeavesNothingHalfWritten() throws {
    let fixture = try PrepareFixture()
    let preparation = try Preparation(fixture.options())
    let stopped = #expect(throws: PrepareError.self) {
      try preparation.run(style: .quiet, isCancelled: { true })
    }
    #expect(stopped?.kind == .cancelled)
    #expect(try fixture.files("out").isEmpty)
    #expect(try fixture.run(fixture.options()).encoded == 3)
  }

  @Test func optionsAndPlacesThatMakeNoSense() throws {
    let fixture = try PrepareFixture()
    var options = fixture.options()
    options.threads = 0
    #expect(throws: PrepareError.self) { try Preparation(options) }
    options = fixture.options()
    options.part = 1
    #expect(throws: PrepareError.self) { try Preparation(options) }
    options = fixture.options()
    options.codec = fixture.input
    #expect(throws: PackageError.self) { try Preparation(options) }
    options = fixture.options()
    options.output = "/proc/nowhere"
    let place = #expect(throws: PrepareError.self) { try fixture.run(options) }
    #expect(place?.kind == .cannotWrite)
  }

  @Test func warnsWhereTheCodecDoesWorse() throws {
    let fixture = try PrepareFixture()
    try fixture.writeCodec(seed: 1, heldOut: 0.01)
    var options = fixture.options()
    options.excerpts = 2
    options.excerptSeconds = 0.5
    let report = try fixture.run(options)
    #expect(report.warnings.count == 1 && report.index?.reconstruction?.codecMelDistance == 0.01)
  }
}

@Suite struct PrepareFileTests {
  @Test func encodedFilesDecodeToTheWholeRecording() throws {
    let fixture = try PrepareFixture()
    let codec = try CodecPackage(path: fixture.codecPath)
    let (latents, sound) = (fixture.folder.path + "/b.safetensors", fixture.folder.path + "/b.wav")
    let encoded = try RecordingCodec.encodeFile(fixture.input + "/b.wav", codec: codec, to: latents)
    // 97,440 samples and a delay of 1,440.
    #expect(encoded.frames == 52)
    let decoded = try RecordingCodec.decodeFile(latents, codec: codec, to: sound, format: .float32)
    let (original, copy) = (try AudioFile.read(fixture.input + "/b.wav"), try AudioFile.read(sound))
    #expect(
      copy.frameCount == original.frameCount && copy.channelCount == 2 && decoded.seconds == encoded.seconds)
    // The same as coding the whole at once.
    let padded = original.channels.flatMap { $0 + [Float](repeating: 0, count: 52 * 1920 - $0.count) }
    let engine = CPUEngine(threads: 1)
    let whole = codec.codec.decode(codec.codec.encode(engine.tensor(padded, shape: [1, 2, 52 * 1920])))
      .floats()
    let rms = copy.rms
    for channel in 0..<2 {
      let expected = whole[channel * 52 * 1920..<channel * 52 * 1920 + original.frameCount]
      #expect(zip(expected, copy.channels[channel]).allSatisfy { abs($0 - $1) < 1e-3 * max(rms, 1e-3) })
    }
  }

  @Test func refusesLatentsOfAnotherCodec() throws {
    let fixture = try PrepareFixture()
    let latents = fixture.folder.path + "/b.safetensors"
    let output = fixture.folder.path + "/out.wav"
    let codec = try CodecPackage(path: fixture.codecPath)
    _ = try RecordingCodec.encodeFile(fixture.input + "/b.wav", codec: codec, to: latents)
    try fixture.writeCodec(seed: 2)
    let other = try CodecPackage(path: fixture.codecPath)
    func kind(_ path: String) -> LatentError.Kind? {
      #expect(throws: LatentError.self) { try RecordingCodec.decodeFile(path, codec: other, to: output) }?
        .kind
    }
    #expect(kind(latents) == .otherCodec)
    #expect(kind("/nowhere.safetensors") == .missing)
    #expect(kind(fixture.input + "/b.wav") == .damaged)
    try SafetensorsWriter.write(
      [.init("latents", [2, 16], [Float](repeating: .nan, count: 32))], to: latents,
      metadata: ["codec_hash": other.hash])
    #expect(kind(latents) == .damaged)
    try SafetensorsWriter.write(
      [.init("latents", [0, 16], [])], to: latents,
      metadata: ["codec_hash": other.hash, "format_version": "2"])
    #expect(kind(latents) == .newer)
    #expect(!FileManager.default.fileExists(atPath: output))
  }

  @Test func longSpoolsLeaveMemory() throws {
    let folder = try ScratchFolder()
    var spool = LatentSpool(folder: folder.path, limit: 64)
    let values = (0..<100).map { Float($0) }
    for start in stride(from: 0, to: 100, by: 10) {
      try values[start..<start + 10].withUnsafeBufferPointer { try spool.appendFloat32($0) }
    }
    #expect(spool.byteCount == 400)
    let writer = try SafetensorsWriter(
      path: folder.path + "/x.safetensors", tensors: [.init("x", .float32, [100])])
    try spool.copy(to: "x", of: writer)
    try writer.finish()
    #expect(try SafetensorsFile(path: folder.path + "/x.safetensors").floats("x") == values)
    #expect(try folder.names() == ["x.safetensors"])
  }
}
