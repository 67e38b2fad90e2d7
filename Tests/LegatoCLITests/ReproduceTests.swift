import Foundation
import LegatoEvaluation
import LegatoTraining
import Testing

@testable import LegatoCLI

/// `legato reproduce cam` at toy size, with the codec that ships.
///
/// Needs what `make test` sets up: FluidSynth with a font, and the libtorch plug-in.
@Suite(.serialized) struct ReproduceTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func reproduce(_ more: String...) async throws -> LegatoProcess.Result {
    try await LegatoProcess.runLong(
      ["reproduce", "cam", "--scale", "toy", "--output", "toy"] + more, in: folder.url)
  }

  private func results(_ result: LegatoProcess.Result) throws -> [[String: Any]] {
    try result.text.split(separator: "\n").map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
  }

  @Test func everyRowRunsAndIsKept() async throws {
    // Two side by side, of which neither takes what the other is at work on.
    let url = folder.url
    async let beside = LegatoProcess.runLong(
      [
        "reproduce", "cam", "--scale", "toy", "--output", "toy", "--rows", "givt,cam", "--threads", "1",
        "--report", "beside.md",
      ], in: url)
    let pair = [try await reproduce("--rows", "cam,givt", "--threads", "1"), try await beside]
    let errors = pair.map(\.error).joined(separator: "\n")
    try #require(pair.allSatisfy { $0.status == 0 }, "\(errors)")
    for row in ["cam", "givt"] {
      #expect(pair.count { $0.error.contains("\(row), seed 1: trains") } == 1, "\(errors)")
    }
    let some = try await reproduce("--rows", "cam,givt", "--json", "--quiet")
    try #require(some.status == 0, "\(some.error)")
    let first = try results(some)
    #expect(first.map { $0["row"] as? String } == ["cam", "givt"])
    let all = try await reproduce("--json", "--quiet", "--report", "page.md")
    try #require(all.status == 0, "\(all.error)")
    let rows = try results(all)
    #expect(rows.compactMap { $0["row"] as? String } == CAMExperiment.rows.map(\.name))
    func row(_ name: String, _ rows: [[String: Any]]) -> NSDictionary? {
      rows.first { $0["row"] as? String == name } as NSDictionary?
    }
    // What was there is what it was, wall times included.
    for name in ["cam", "givt"] { #expect(row(name, rows) == row(name, first), "\(name)") }
    for row in rows {
      let name = row["row"] as? String ?? ""
      #expect(row["updates"] as? Int == 4, "\(name)")
      let settings = try #require(row["settings"] as? [String: Any])
      #expect(name != "cam-clean" || settings["context_noise"] as? Double == 0)
      let steps = name == "one-step" ? 1 : 8
      #expect(settings["feedback_gain"] as? Double == 1 && settings["steps"] as? Int == steps, "\(name)")
      let stretches = try #require((row["report"] as? [String: Any])?["stretches"] as? [[String: Any]])
      #expect(stretches.count == 4 && stretches.allSatisfy { $0["distance"] != nil && $0["latents"] != nil })
      #expect(row["recoveries"] as? Int != nil && row["failures"] as? Int == 0, "\(name)")
      // The weights of CAM are not trained twice.
      let seconds = try #require(row["seconds"] as? [String: Any])
      #expect((seconds["training"] == nil) == (name == "cam-clean"), "\(name)")
    }
    // A row that is kept stands for what today's code would make. Four updates tell another learning rate, order of data or
    // measurement; another EMA, clipping, weight decay or betas they do not.
    for (name, noised, distance) in [("cam", 2.25023, 349.447), ("givt-noise", 1.79728, 416.2)] {
      let row = try #require(rows.first { $0["row"] as? String == name })
      let loss = try #require((row["losses"] as? [String: Double])?["validation_noised"])
      let stretches = (row["report"] as? [String: Any])?["stretches"] as? [[String: Any]]
      let first = (stretches?.first?["distance"] as? [String: Any])?["frechet_distance"] as? [String: Any]
      let found = try #require(first?["value"] as? Double)
      #expect(
        abs(loss - noised) < 2e-4 && abs(found - distance) < 0.002 * distance,
        "\(name): \(loss) and \(found): raise CAMExperiment.revision, searching or measuring")
    }
    let page = try String(contentsOfFile: folder.path("page.md"), encoding: .utf8)
    #expect(page.contains("Smoke") && !page.contains("Still to be done") && page.contains("FADacc"))
    for row in CAMExperiment.rows {
      // What has no first and no last stretch has no place in their column.
      #expect(page.contains("| \(row.text) | 1 |") == row.streams, "\(row.name)")
      if !row.streams { #expect(page.contains("\n\(row.text): "), "\(row.name)") }
    }
    #expect(page.contains("One training: ") && !page.contains("Several trainings: "))
    // One line for each objective, all rows of it on that line.
    for (start, names) in [
      (
        "- mean squared error of a flow's velocity: ",
        ["cam", "plain", "cam-half", "vp-noise", "replacement"]
      ),
      ("- mean squared error of a flow's velocity, of whole sequences: ", ["rf"]),
      ("- mean squared error of a flow map's velocity, with its distillation: ", ["one-step"]),
      ("- mean squared error of a diffusion's noise: ", ["mar"]),
      ("- negative log-likelihood of a mixture, nats a dimension: ", ["givt", "givt-noise"]),
      ("- cross-entropy of codes, nats a code: ", ["codes"]),
    ] {
      let line = page.split(separator: "\n").first { $0.hasPrefix(start) }
      for name in names { #expect(line?.contains("\(name) 1: ") == true, "\(start) \(name)") }
    }
    // What a pooled distance does not tell: two streams of every row, by themselves.
    func streamCells(_ name: String) throws -> [String] {
      let line = page.split(separator: "\n").first { $0.hasPrefix("| \(name) | ") && $0.contains(" of 2 | ") }
      let cells = (line ?? "").split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
      try #require(cells.count == 12, "\(name): \(line ?? "")")
      return cells
    }
    let realCells = try streamCells("real music")
    for name in CAMExperiment.rows.map(\.name) {
      let cells = try streamCells(name)
      guard let report = row(name, rows)?["report"] as? [String: Any] else { continue }
      let distances = try #require(report["sound_distances"] as? [Double])
      #expect(
        cells[1] == Estimate.digits((distances[0] + distances[1]) / 2)
          && cells[2] == Estimate.digits(max(distances[0], distances[1])), "\(name)")
      let level = (report["measures"] as? [String: [String: Any]])?["level_dbfs"]
      #expect(cells[5] == Estimate.digits(try #require(level?["share_outside"] as? Double)), "\(name)")
      // Lost: beyond ten times the median recording, which the page tells, too.
      let limit = 10 * (try #require(Double(realCells[1])))
      #expect(cells[3] == "\(distances.count { $0 > limit }) of 2", "\(name)")
      let recoveries = try #require(row(name, rows)?["recoveries"] as? Int)
      #expect(cells[4] == (name == "rf" ? "" : "\(recoveries)"), "\(name)")
      let stretches = try #require(report["stretches"] as? [[String: Any]])
      let each = try stretches.map { stretch in
        let distance = (stretch["distance"] as? [String: Any])?["frechet_distance"] as? [String: Any]
        return try #require(distance?["value"] as? Double)
      }
      let told =
        name == "rf"
        ? "\(Estimate.digits(each.reduce(0, +) / 4)) on average"
        : "\(Estimate.digits(each[0])) → \(Estimate.digits(each[3]))"
      #expect(page.contains("| \(name) | 1 | \(told) | "), "\(name)")
    }
    // A mixture and codes have no steps.
    let settingLines = page.split(separator: "\n").filter { $0.contains(" M | 4 | ") }
    #expect(settingLines.count == CAMExperiment.rows.count)
    for line in settingLines {
      let settings = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }[5]
      let hasNone = ["givt", "givt-noise", "codes"].contains { line.hasPrefix("| \($0) |") }
      #expect(settings.split(separator: ",").count == (hasNone ? 2 : 3), "\(line)")
    }
    #expect(page.contains("](page.svg)"))
    let plot = try String(contentsOfFile: folder.path("page.svg"), encoding: .utf8)
    #expect(plot.contains("givt-noise") && plot.contains("real music") && !plot.contains(">rf<"))

    // What rows came to is enough for the page, without the weights.
    try FileManager.default.copyItem(atPath: folder.path("toy/rows"), toPath: folder.path("kept"))
    try FileManager.default.moveItem(atPath: folder.path("toy/trained"), toPath: folder.path("trained"))
    let told = try await reproduce("--results", "kept", "--report", "kept.md", "--quiet")
    #expect(told.status == 0 && told.error.isEmpty, "\(told.error)")
    #expect(
      try String(contentsOfFile: folder.path("kept.md"), encoding: .utf8)
        == page.replacingOccurrences(of: "](page.svg)", with: "](kept.svg)"))
    #expect(!FileManager.default.fileExists(atPath: folder.path("toy/trained")))
    try FileManager.default.moveItem(atPath: folder.path("trained"), toPath: folder.path("toy/trained"))

    // A damaged result is not silently done again, and one of another recipe is.
    let path = folder.path("toy/rows/cam-1.json")
    let kept = try String(contentsOfFile: path, encoding: .utf8)
    try Data("{".utf8).write(to: URL(fileURLWithPath: path))
    let damaged = try await reproduce("--rows", "cam")
    #expect(
      damaged.status == 1 && damaged.error.contains("cam-1.json") && damaged.error.contains("Remove it"))
    let key = try #require(row("cam", rows)?["key"] as? String)
    try Data(kept.replacingOccurrences(of: key, with: "another").utf8).write(to: URL(fileURLWithPath: path))
    var late = CAMReproduction(
      CAMExperiment(.toy), folder: folder.path("toy"), codec: try PackageLocation.findCodec(nil))
    (late.timeLimit, late.style) = (0, .quiet)
    #expect(try late.run().missing == ["cam, seed 1"])
    // Nor is music made after the limit.
    var empty = CAMReproduction(
      CAMExperiment(.toy), folder: folder.path("empty"), codec: try PackageLocation.findCodec(nil))
    (empty.timeLimit, empty.style) = (0, .quiet)
    let tooLate = try #require(throws: TrainingError.self) { _ = try empty.run() }
    #expect("\(tooLate)".contains("the time limit ended") && "\(tooLate)".contains(folder.path("empty")))
    // What was measured otherwise plays again, with the settings that were found for it.
    let other = folder.path("toy/rows/givt-1.json")
    let measured = try String(contentsOfFile: other, encoding: .utf8)
    let before = measured.replacing(/"measuring":\d+,"parameters"/, with: "\"parameters\"")
    #expect(before != measured)
    try Data(before.utf8).write(to: URL(fileURLWithPath: other))
    // By another name of the folder; only these rows are made, the others are told.
    let again = try await LegatoProcess.runLong(
      [
        "reproduce", "cam", "--scale", "toy", "--output", "./toy/", "--rows", "cam,givt", "--json", "--quiet",
      ],
      in: folder.url)
    try #require(again.status == 0, "\(again.error)")
    let made = try results(again)
    #expect(made.count == rows.count)
    for (before, after) in zip(rows, made) {
      #expect(before["report"] as? NSDictionary == after["report"] as? NSDictionary)
      let seconds = [before, after].map { $0["seconds"] as? [String: Double] ?? [:] }
      #expect((seconds[0]["training"] == nil) == (seconds[1]["training"] == nil))
      // Settings were looked for again in one row alone.
      #expect((seconds[0]["tuning"] == seconds[1]["tuning"]) == (before["row"] as? String != "cam"))
      #expect(before["measuring"] as? Int == after["measuring"] as? Int)
      #expect(before["settings"] as? NSDictionary == after["settings"] as? NSDictionary)
    }

    // A limit that ends within a search: what was tried is kept, and not tried again.
    try FileManager.default.removeItem(atPath: path)
    var short = CAMReproduction(
      CAMExperiment(.toy), folder: folder.path("toy"), codec: try PackageLocation.findCodec(nil))
    (short.rows, short.style) = (["cam"], .quiet)
    let run = try #require(
      try FileManager.default.contentsOfDirectory(atPath: folder.path("toy/trained")).first {
        FileManager.default.fileExists(atPath: folder.path("toy/trained/\($0)/search-cam.json"))
      })
    let search = folder.path("toy/trained/\(run)/search-cam.json")
    let tried = try Data(contentsOf: URL(fileURLWithPath: search))
    _ = try short.run()
    #expect(try Data(contentsOf: URL(fileURLWithPath: search)) == tried)
    let result = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: path)))
    #expect(
      (result as? [String: Any])?["settings"] as? NSDictionary == row("cam", rows)?["settings"]
        as? NSDictionary)

    // One row fails, and the page is made of the others.
    try FileManager.default.removeItem(atPath: path)
    let trained = folder.path("toy/trained")
    for run in try FileManager.default.contentsOfDirectory(atPath: trained) {
      let recipe = "\(trained)/\(run)/recipe.yaml"
      try Data("kind: nothing".utf8).write(to: URL(fileURLWithPath: recipe))
    }
    let failed = try await reproduce()
    #expect(failed.status == 1 && failed.error.contains("1 row failed: cam, seed 1"), "\(failed.error)")
    let rest = try String(contentsOfFile: folder.path("toy/cam.md"), encoding: .utf8)
    #expect(rest.contains("Failed: cam, seed 1") && rest.contains("| \(CAMExperiment.rows[2].text) | 1 |"))
  }

  @Test func whatIsRefused() async throws {
    for (arguments, text) in [
      (["--rows", "cma"], "there is no row 'cma'"), (["--scale", "huge"], "huge"),
      (["--time-limit", "soon"], "soon"), (["--report", "page.txt"], "page.txt"),
      (["--rows", ","], "--rows names no row"),
      (["--codec", "nowhere"], "nowhere"), (["--sound-font", "nowhere.sf2"], "nowhere.sf2"),
      (["--report", "no/such/page.md"], "no/such"), (["--output", "/dev/null/x"], "/dev/null/x"),
      (["--results", "/dev/null/x"], "/dev/null/x: cannot create the folder"),
    ] {
      let result = try await LegatoProcess.runLong(
        ["reproduce", "cam", "--scale", "toy"] + arguments, in: folder.url)
      #expect(
        result.status != 0 && !result.crashed && result.error.contains(text), "\(arguments): \(result.error)")
    }
  }
}
