import Foundation
import LegatoTensor
import Testing

@testable import LegatoTraining

@Suite struct LatentsTests {
  @Test func roundTrip() throws {
    let fixture = try LatentFixture([(10, .train), (5, .validation), (7, .train)])
    let data = try LatentFolder.open(fixture.folder.path, codecHash: LatentFixture.hash)
    #expect(data.index == fixture.index)
    #expect(data.pieces(.train).map(\.id) == ["piece 0", "piece 2"])
    #expect(data.pieces(.validation).map(\.frames) == [5])
    #expect(data.index.frames(of: .train) == 17)
    let crop = try data.crop(piece: data.pieces(.train)[1], start: 3, count: 4)
    let expected = (3..<7).flatMap { frame in
      (0..<3).map { LatentFixture.value(piece: 2, frame: frame, dimension: $0) }
    }
    #expect(crop == expected)
    #expect(try data.latents(of: data.pieces(.validation)[0]).count == 15)
    #expect(try data.crop(piece: data.pieces(.train)[0], start: 10, count: 0).isEmpty)
    #expect(data.codecPath == "/nowhere" && data.codecHash == LatentFixture.hash)
    #expect(data.summary.contains("2 pieces"))
  }

  @Test func drawsAreDeterministicUniformAndReachEveryEdge() throws {
    // 10 − 4 + 1 = 7 crops and 5 − 4 + 1 = 2; the piece of 3 is too short.
    let fixture = try LatentFixture([(10, .train), (3, .train), (5, .train), (9, .validation)])
    let data = try LatentDataset(path: fixture.folder.path)
    let random = RandomStream(seed: 7, stream: 1)
    #expect(try data.cropCount(split: .train, frames: 4) == (9, 1))
    var counts: [String: Int] = [:]
    for index in 0..<1800 {
      let crop = try data.draw(split: .train, frames: 4, random: random, index: index)
      counts["\(crop.piece.id) \(crop.start)", default: 0] += 1
      if index % 100 == 0 {
        #expect(try crop == data.draw(split: .train, frames: 4, random: random, index: index))
        #expect(try crop.values == data.sample(split: .train, frames: 4, random: random, index: index))
        #expect(try crop.values == data.crop(piece: crop.piece, start: crop.start, count: 4))
      }
    }
    let places = Set((0...6).map { "piece 0 \($0)" } + (0...1).map { "piece 2 \($0)" })
    #expect(Set(counts.keys) == places)
    // Binomial with n = 1800, p = 1/9: deviation 13.
    #expect(counts.values.allSatisfy { abs($0 - 200) < 70 })
    let starts = try (0..<200).map {
      try data.draw(split: .train, frames: 4, random: random, index: $0, fromStart: true)
    }
    #expect(starts.allSatisfy { $0.start == 0 })
    #expect(Set(starts.map(\.piece.id)) == ["piece 0", "piece 2"])
    #expect(try data.draw(split: .train, frames: 10, random: random, index: 3).start == 0)
  }

  @Test func joiningCropsRunIntoOtherPieces() throws {
    let fixture = try LatentFixture([(10, .train), (3, .train), (5, .train), (9, .validation)])
    let data = try LatentDataset(path: fixture.folder.path)
    let random = RandomStream(seed: 7, stream: 1)
    let pieces = try data.pieces(.train).map { try data.latents(of: $0) }
    let d = data.dimension
    /// How a crop reads as whole ends and beginnings: lengths of its stretches; nil where it does not.
    func stretches(_ crop: ArraySlice<Float>, first: Bool) -> [Int]? {
      if crop.isEmpty { return [] }
      for piece in pieces {
        for start in first ? Array(0..<piece.count / d) : [0] {
          let rest = piece[(start * d)...]
          let taken = min(rest.count, crop.count)
          guard rest.prefix(taken).elementsEqual(crop.prefix(taken)) else { continue }
          if let others = stretches(crop.dropFirst(taken), first: false) { return [taken / d] + others }
        }
      }
      return nil
    }
    var counts: Set<Int> = []
    for index in 0..<300 {
      let crop = try data.sampleJoining(split: .train, frames: 12, random: random, index: index)
      #expect(try crop == data.sampleJoining(split: .train, frames: 12, random: random, index: index))
      let found = try #require(stretches(crop[...], first: true))
      #expect(found.reduce(0, +) == 12 && found.count >= 2)
      counts.insert(found.count)
    }
    // From the end of the longest: two pieces; three short ones can follow each other, too.
    #expect(counts.isSuperset(of: [2, 3, 4]))
    let begun = try data.sampleJoining(split: .train, frames: 3, random: random, index: 1, fromStart: true)
    #expect(pieces.contains { $0.prefix(3 * d).elementsEqual(begun) })
    #expect(throws: LatentError.self) {
      try data.sampleJoining(split: .train, frames: 19, random: random, index: 0)
    }
  }

  @Test func spreadCoversTheSplit() throws {
    let fixture = try LatentFixture([(10, .train), (5, .train)])
    let data = try LatentDataset(path: fixture.folder.path)
    let crops = try data.spread(split: .train, frames: 4, count: 3)
    #expect(crops.map { "\($0.piece.id) \($0.start)" } == ["piece 0 1", "piece 0 4", "piece 1 0"])
    #expect(try data.spread(split: .train, frames: 4, count: 100).count == 9)
    #expect(
      Set(try data.spread(split: .train, frames: 4, count: 100).map { "\($0.piece.id) \($0.start)" }).count
        == 9)
  }

  @Test func namesLengthsWhereNothingIsLongEnough() throws {
    let fixture = try LatentFixture([(10, .train), (5, .train)])
    let data = try LatentDataset(path: fixture.folder.path)
    let random = RandomStream(seed: 1, stream: 1)
    let short = #expect(throws: LatentError.self) {
      try data.sample(split: .train, frames: 11, random: random, index: 0)
    }
    #expect(short?.kind == .tooShort)
    #expect(
      short?.description.contains("11 latents (0.4 s)") == true
        && short?.description.contains("at most 10") == true)
    let empty = #expect(throws: LatentError.self) {
      try data.sample(split: .test, frames: 1, random: random, index: 0)
    }
    #expect(empty?.reason.contains("'test'") == true)
  }

  @Test func missingFoldersAndFiles() throws {
    func kind(_ path: String, _ hash: String? = nil) -> LatentError.Kind? {
      #expect(throws: LatentError.self) { try LatentFolder.open(path, codecHash: hash) }?.kind
    }
    #expect(kind("/nowhere/at/all") == .missing)
    let fixture = try LatentFixture([(10, .train), (5, .train), (4, .train)])
    let path = fixture.folder.path
    #expect(kind(path, "another") == .otherCodec)
    try FileManager.default.removeItem(atPath: path + "/shard-00001.safetensors")
    #expect(kind(path) == .missing)
    try FileManager.default.removeItem(atPath: path + "/latents.json")
    let unfinished = #expect(throws: LatentError.self) { try LatentFolder.open(path) }
    #expect(unfinished?.reason.contains("not finished") == true)
  }

  @Test func truncatedAndForeignShards() throws {
    let fixture = try LatentFixture([(10, .train), (5, .train)])
    let name = "shard-00000.safetensors"
    let whole = try fixture.folder.bytes(name)
    func kind() -> LatentError.Kind? {
      #expect(throws: LatentError.self) { try LatentFolder.open(fixture.folder.path) }?.kind
    }
    for length in [0, 7, 100, whole.count - 1] {
      try fixture.folder.write(whole.prefix(length), name)
      #expect(kind() == .damaged)
    }
    try SafetensorsWriter.write(
      [.init("0.wav", [9, 3], [Float](repeating: 0, count: 27), as: .float16)],
      to: fixture.folder.path + "/" + name,
      metadata: ["codec_hash": LatentFixture.hash])
    #expect(kind() == .damaged)
    try SafetensorsWriter.write(
      [.init("0.wav", [10, 3], [Float](repeating: 0, count: 30), as: .float16)],
      to: fixture.folder.path + "/" + name,
      metadata: ["codec_hash": "another"])
    #expect(kind() == .otherCodec)
  }

  @Test func hostileIndices() throws {
    let fixture = try LatentFixture([(10, .train), (5, .train)])
    let text = String(decoding: try fixture.folder.bytes("latents.json"), as: UTF8.self)
    func kind(replacing old: String, with new: String) throws -> LatentError.Kind? {
      #expect(text.contains(old))
      try fixture.folder.write(Data(text.replacingOccurrences(of: old, with: new).utf8), "latents.json")
      return #expect(throws: LatentError.self) { try LatentFolder.open(fixture.folder.path) }?.kind
    }
    #expect(try kind(replacing: "\"format_version\" : 1", with: "\"format_version\" : 2") == .newer)
    #expect(try kind(replacing: "\"format_version\" : 1", with: "\"format_version\" : 0") == .damaged)
    #expect(try kind(replacing: "shard-00000.safetensors", with: "../../etc/passwd") == .damaged)
    #expect(try kind(replacing: "shard-00000.safetensors", with: "shard-00000/../x.safetensors") == .damaged)
    #expect(try kind(replacing: "\"frames\" : 10", with: "\"frames\" : -1") == .damaged)
    #expect(try kind(replacing: "\"frames\" : 10", with: "\"frames\" : 9223372036854775807") == .damaged)
    #expect(try kind(replacing: "\"frames\" : 10", with: "\"frames\" : \"ten\"") == .damaged)
    #expect(try kind(replacing: "\"dimension\" : 3", with: "\"dimension\" : 0") == .damaged)
    #expect(try kind(replacing: "\"dimension\" : 3", with: "\"dimension\" : 4") == .damaged)
    #expect(try kind(replacing: "\"frame_rate\" : 25", with: "\"frame_rate\" : 0") == .damaged)
    #expect(try kind(replacing: "\"piece 1\"", with: "\"piece 0\"") == .damaged)
    #expect(try kind(replacing: "{", with: "[") == .damaged)
    try fixture.folder.write(Data(text.utf8), "latents.json")
    #expect(throws: Never.self) { try LatentFolder.open(fixture.folder.path) }
  }

  @Test func reconstructionWarnsOnlyWhereClearlyWorse() {
    var report = ReconstructionReport(
      excerpts: 4, secondsEach: 5, melDistance: 1.2, stftDistance: 1, worstPath: "a", worstMelDistance: 2,
      codecMelDistance: 1, requested: "")
    func warning(_ recordings: String = "my recordings") -> String? {
      report.warning(recordings: recordings, codec: "Models/a/codec", latents: "data/l")
    }
    #expect(warning() == nil)
    report.melDistance = 1.3
    #expect(warning()?.contains("1.3 times") == true)
    let command = "legato train Recipes/finetune-codec.yaml --from Models/a/codec --set "
    #expect(warning()?.contains(command + "'data.corpus=my recordings' --output runs/finetune-codec") == true)
    #expect(
      warning("it's")?.contains(
        "legato prepare 'it'\\''s' --codec runs/finetune-codec/package --output data/l") == true)
    report.codecMelDistance = nil
    #expect(warning() == nil)
  }
}
