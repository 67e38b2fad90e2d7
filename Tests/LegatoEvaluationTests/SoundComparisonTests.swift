import Foundation
import LegatoAudio
import LegatoTensor
import Testing

@testable import LegatoEvaluation

/// Rows of two samples; the louder channel's class.
private struct PairEmbedder: AudioEmbedder {
  var breaks = false
  var details = EmbedderDetails(
    name: "pairs", weights: "abc", sampleRate: 8, dimension: 2, window: 0.25, hop: 0.25,
    preparation: "as it is", classes: ["low", "high"])

  func embed(_ sound: AudioBuffer) throws -> EmbeddedSound {
    let samples = sound.channels[0]
    let rows = Array(samples.prefix(samples.count / 2 * 2))
    return EmbeddedSound(
      rows: breaks ? rows.map { _ in .nan } : rows, logits: [samples[0], samples.last ?? 0])
  }
}

@Suite struct SoundComparisonTests {
  private let embedder = PairEmbedder()

  private func piece(_ name: String, _ samples: [Float]) throws -> EmbeddedSet.Piece {
    try EmbeddedSet.Piece(
      name: name, sound: AudioBuffer(sampleRate: 8, channels: [samples]), embedder: embedder)
  }

  private func set(_ name: String, pieces: Int, rows: Int = 10, seed: UInt64, shift: Float = 0) throws
    -> EmbeddedSet
  {
    try EmbeddedSet(
      name: name, details: embedder.details,
      pieces: (0..<pieces).map {
        try piece("\($0)", normalRows(rows, 2, seed: seed + UInt64($0)).map { $0 + shift })
      })
  }

  private func candidate(_ label: String, _ set: EmbeddedSet) -> SoundComparison.Candidate {
    .init(label: label, source: "out/\(label)", set: set)
  }

  @Test func everyMetricHasItsTable() throws {
    let reference = try set("reference", pieces: 48, seed: 1)
    let comparison = try SoundComparison(reference: reference)
    let near = try set("near", pieces: 20, seed: 100)
    let far = try set("far", pieces: 20, seed: 200, shift: 1)
    let tables = try comparison.tables([candidate("near", near), candidate("far", far)])
    #expect(tables.map(\.metric) == SoundMetric.allCases)
    for table in tables {
      #expect(table.embedder == embedder.details && table.reference == .init(pieces: 48, rows: 480))
      #expect(table.entries.map(\.label) == ["near", "far"] && table.groups.isEmpty)
      for entry in table.entries {
        #expect(entry.value.low != nil && entry.real != nil, "\(table.metric) \(entry)")
        #expect(entry.count.pieces == 20 && entry.count.rows == 200)
      }
      let text = table.text
      #expect(text.contains("near") && text.contains("real against real") && text.contains("200"), "\(text)")
    }
    for table in tables.prefix(3) {
      let (near, far) = (table.entries[0], table.entries[1])
      let real = try #require(near.real)
      // 20 sounds of 10 vectors, four times, and as many of the candidate.
      #expect(
        real.count == .init(pieces: 20, rows: 200) && real.values.count == 4 && real.candidate.count == 4)
      let bound = try #require(real.values.max())
      #expect(far.value.value > 3 * bound, "\(table.metric) \(far.value) \(real)")
      #expect(abs(near.value.value) < far.value.value / 5)
      #expect(try #require(far.real).candidate.allSatisfy { $0 > 3 * bound })
      #expect(near.halves?.count == 2)
    }
    // Fewer than twenty sounds have no inception score, and that is said.
    let few = try comparison.tables([candidate("few", try set("few", pieces: 4, seed: 9))])
    #expect(few.contains { $0.metric == .inception } == false)
    let said = few.flatMap { $0.entries.flatMap(\.warnings) }
    #expect(said.contains { $0.contains("no inception score: it needs 20 sounds, and there are 4") })
    #expect(said.contains { $0.contains("no FD∞") })
    // FD by hand of the whole sets.
    let own = try #require(
      FrechetRows.Reference(reference.rows, dimension: 2).flatMap {
        FrechetRows(near.rows, reference: $0).whole
      })
    #expect(tables[0].entries[0].value.value == own.value)
  }

  @Test func seedsOfOneLabelAreAGroup() throws {
    let comparison = try SoundComparison(reference: set("reference", pieces: 30, seed: 1))
    let tables = try comparison.tables(
      try (0..<3).map { candidate("mine", try set("mine", pieces: 10, seed: 300 + 20 * UInt64($0))) })
    let table = try #require(tables.first)
    let group = try #require(table.groups.first)
    #expect(table.groups.count == 1 && group.label == "mine" && group.trainings == 3)
    // Geometric, so that an interval stays above 0.
    let product = table.entries.reduce(1) { $0 * $1.value.value }
    #expect(abs(pow(group.value.value, 3) / product - 1) < 1e-9 && (group.value.low ?? 0) > 0)
    #expect(table.cells.last?.suffix(2).allSatisfy { $0.hasSuffix(" each") } == true)
  }

  @Test func countsThatDifferAreNotInOneColumn() throws {
    let comparison = try SoundComparison(reference: set("reference", pieces: 30, seed: 1))
    let tables = try comparison.tables([
      candidate("many", try set("many", pieces: 24, seed: 50)),
      candidate("few", try set("few", pieces: 12, seed: 90)),
    ])
    let frechet = tables.filter { $0.metric == .frechet }
    #expect(frechet.map { $0.entries.map(\.label) } == [["many"], ["few"]])
    #expect(frechet.map(\.title).last == "Fréchet distance at 120 vectors")
    #expect(tables.filter { $0.metric == .kernel }.map(\.entries.count) == [1, 1])
    #expect(tables.filter { $0.metric == .divergence }.map(\.entries.count) == [2])
  }

  /// Real sounds beside a candidate's are as many and as long, whatever the reference has.
  @Test func likewiseMeansAsManyVectors() throws {
    let reference = try set("reference", pieces: 12, rows: 90, seed: 1)
    let short = try set("short", pieces: 10, rows: 15, seed: 60)
    let entry = try #require(
      try SoundComparison(reference: reference).tables([candidate("short", short)]).first?.entries.first)
    let real = try #require(entry.real)
    #expect(real.count == .init(pieces: 6, rows: 90) && real.values.count == 4 && real.candidate.count == 4)
    // Of one law, at one count, neither is much farther than the other; with six times the vectors it was.
    let (a, b) = (real.values.reduce(0, +), real.candidate.reduce(0, +))
    #expect(a < 3 * b && b < 3 * a, "\(real)")
  }

  @Test func theSameSetIsAtZero() throws {
    let reference = try set("reference", pieces: 30, rows: 40, seed: 1)
    let tables = try SoundComparison(reference: reference).tables([candidate("same", reference)])
    #expect(abs(tables[0].entries[0].value.value) < 1e-9)
    let infinite = try #require(tables.first { $0.metric == .extrapolated }?.entries.first)
    #expect(infinite.value.value < 0 && infinite.warnings.contains { $0.contains("negative") })
    let divergence = try #require(tables.first { $0.metric == .divergence }?.entries.first)
    #expect(abs(divergence.value.value) < 1e-5)
  }

  @Test func badSetsAreErrorsOrWarnings() throws {
    func error(_ body: () throws -> Void) -> String {
      do {
        try body()
        return "nothing was thrown"
      } catch {
        return "\(error)"
      }
    }
    #expect(error { _ = try piece("a", [1, .nan]) }.contains("a: it contains NaN"))
    #expect(error { _ = try piece("a", []) }.contains("a: there is no sound"))
    let sound = AudioBuffer(sampleRate: 8, channels: [[1, 2]])
    #expect(
      error { _ = try EmbeddedSet.Piece(name: "a", sound: sound, embedder: PairEmbedder(breaks: true)) }
        .contains("weights are damaged"))
    func set(_ pieces: [[Float]]) throws -> EmbeddedSet {
      try EmbeddedSet(
        name: "made", details: embedder.details,
        pieces: pieces.enumerated().map { try piece("\($0)", $1) })
    }
    #expect(error { _ = try set([]) }.contains("there are no sounds"))
    #expect(error { _ = try set([[1], [2]]) }.contains("all 2 sounds are shorter than the window of 0.25 s"))
    let short = try set([[1], [1, 2, 3, 4]])
    #expect(short.pieces.count == 1 && short.warnings.first?.contains("1 of 2 sounds are shorter") == true)
    #expect(error { _ = try SoundComparison(reference: try set([[1, 2]])) }.contains("gives one vector"))

    // One file on both sides: a distance without interval, and nothing to set it beside.
    let one = try SoundComparison(reference: set([normalRows(20, 2, seed: 1)]))
    #expect(error { _ = try one.tables([candidate("x", try set([[1, 2]]))]) }.contains("one vector"))
    let entry = try #require(
      try one.tables([candidate("x", try set([normalRows(20, 2, seed: 2)]))]).first?.entries.first)
    #expect(entry.value.low == nil && entry.real == nil && entry.halves == nil)
    #expect(
      entry.warnings.contains { $0.contains("one sound gives no interval") }
        && entry.warnings.contains { $0.contains("1 sound, too few") })

    var other = try set([normalRows(20, 2, seed: 2)])
    other.details.weights = "another"
    #expect(error { _ = try one.tables([candidate("x", other)]) }.contains("cannot be compared"))
    // Silence is a distribution without width: a number, not a crash.
    let silent = try set([[Float](repeating: 0, count: 40), [Float](repeating: 0, count: 40)])
    let value = try SoundComparison(reference: silent).tables([candidate("x", silent)])
    #expect(value.allSatisfy { $0.entries[0].value.value.isFinite })
    #expect(value.flatMap { $0.entries[0].warnings }.contains { $0.contains("the kernel has the width 1") })
  }
}

@Suite struct SoundReportTests {
  private func report() throws -> SoundReport {
    var details = PairEmbedder().details
    details.preparation = "<script>alert('x')</script>"
    let pieces = (0..<40).map {
      EmbeddedSet.Piece(
        name: "\($0)",
        embedded: EmbeddedSound(rows: normalRows(10, 2, seed: UInt64($0)), logits: [Float($0 % 2), 0]))
    }
    let set = try EmbeddedSet(name: "reference", details: details, pieces: pieces)
    let tables = try SoundComparison(reference: set).tables([
      .init(label: "a & \"b\" <c>", source: "out", set: set)
    ])
    var reference = SoundReport.Source(label: "reference", source: "data/<held>")
    (reference.sounds, reference.seconds, reference.sampleRates) = (40, 100, ["48000": 40])
    return SoundReport(
      reference: reference, candidates: [.init(label: "a & \"b\" <c>", source: "out", generation: "2 seeds")],
      tables: tables, warnings: ["<b>careful</b>"], seed: 7)
  }

  @Test func thePageStandsAlone() throws {
    let sound = AudioBuffer(
      sampleRate: 8000, channels: [(0..<4000).map { Float(sin(0.3 * Double($0))) * 0.5 }])
    let page = try report().html(excerpts: [
      .init(label: "reference", sounds: [("<x>", sound)]), .init(label: "made", sounds: []),
    ])
    // Nothing that comes from outside, and nothing that is not text of ours.
    for reach in [
      "http:", "https:", "src=\"//", "@import", "url(", "<script", "<link", "<iframe", "<b>careful",
    ] {
      #expect(!page.contains(reach), "the page holds \(reach)")
    }
    #expect(page.contains("default-src 'none'") && page.contains("prefers-color-scheme: dark"))
    #expect(page.contains("a &amp; &quot;b&quot; &lt;c&gt;") && page.contains("data/&lt;held&gt;"))
    #expect(page.contains("&lt;script&gt;alert(&#39;x&#39;)"))
    #expect("\"\u{301}<\u{fe0f}".escapedForMarkup.unicodeScalars.allSatisfy { $0 != "\"" && $0 != "<" })
    #expect(page.contains("<audio") && page.contains("data:image/png;base64,"))
    #expect(page.contains("data:image/svg+xml;base64,") && page.contains("Kernel audio distance"))
    // The player's file: 44 bytes of header, two a sample, and the samples themselves.
    let start = try #require(page.range(of: "data:audio/wav;base64,"))
    let text = page[start.upperBound...].prefix { $0 != "\"" }
    let bytes = try #require(Data(base64Encoded: String(text)))
    #expect(bytes.count == 44 + 8000 && bytes.prefix(4) == Data("RIFF".utf8))
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).wav")
    defer { try? FileManager.default.removeItem(at: file) }
    try bytes.write(to: file)
    let read = try AudioFile.read(file.path)
    #expect(
      read.sampleRate == 8000 && zip(read.channels[0], sound.channels[0]).allSatisfy { abs($0 - $1) < 1e-4 })
  }

  @Test func theJSONHasItsKeys() throws {
    let data = try JSONEncoder().encode(try report())
    let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    #expect(
      Set(object.keys) == ["format_version", "reference", "candidates", "tables", "warnings", "seed"])
    let table = try #require(
      (object["tables"] as? [[String: Any]])?.first { $0["metric"] as? String == "frechet_distance_infinity" }
    )
    let embedder = try #require(table["embedder"] as? [String: Any])
    #expect(
      Set(embedder.keys) == [
        "name", "weights_sha256", "sample_rate", "dimension", "window_seconds", "hop_seconds", "preparation",
        "classes",
      ])
    let entry = try #require((table["entries"] as? [[String: Any]])?.first)
    #expect(
      Set(entry.keys) == [
        "label", "source", "one_of_several", "count", "value", "halves", "real", "fit", "warnings",
      ])
    #expect(
      Set(try #require(entry["fit"] as? [String: Any]).keys) == [
        "value", "slope", "r_squared", "points", "with_replacement",
      ])
    let back = try JSONDecoder().decode(SoundReport.self, from: data)
    #expect(back.tables.count == (object["tables"] as? [Any])?.count)
  }
}
