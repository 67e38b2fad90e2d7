import Foundation
import LegatoAudio
import LegatoTensor
import Testing

@testable import LegatoCLI

/// `legato evaluate sounds`, `vectors` and `codec`, as a user types them.
@Suite(.serialized) final class EvaluateTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func legato(_ arguments: String...) throws -> LegatoProcess.Result {
    try LegatoProcess.run(["evaluate"] + arguments, in: folder.url)
  }

  private func object(_ result: LegatoProcess.Result) throws -> [String: Any] {
    try #require(result.status == 0, "\(result.error)")
    return try #require(try JSONSerialization.jsonObject(with: result.output) as? [String: Any])
  }

  private func noise(
    _ seconds: Double, seed: UInt64, gain: Float = 0.1, rate: Int = 48_000, channels: Int = 2
  )
    -> AudioBuffer
  {
    let samples = RandomStream(seed: seed, stream: 0).normal(Int(seconds * Double(rate))).map { $0 * gain }
    return AudioBuffer(sampleRate: rate, channels: Array(repeating: samples, count: channels))
  }

  private func make(_ name: String) throws {
    try FileManager.default.createDirectory(atPath: folder.path(name), withIntermediateDirectories: true)
  }

  private func fill(_ name: String, _ count: Int, seed: UInt64, gain: Float = 0.1, seconds: Double = 6) throws
  {
    try make(name)
    for index in 0..<count {
      try AudioFile.write(
        noise(seconds, seed: seed + UInt64(index), gain: gain * Float(1 + index % 3)),
        to: folder.path("\(name)/\(index).wav"))
    }
  }

  private func tables(_ report: [String: Any]) -> [[String: Any]] {
    report["tables"] as? [[String: Any]] ?? []
  }

  private func entries(_ table: [String: Any]) -> [[String: Any]] {
    table["entries"] as? [[String: Any]] ?? []
  }

  private func value(_ entry: [String: Any]?) throws -> Double {
    try #require((entry?["value"] as? [String: Any])?["value"] as? Double)
  }

  private func warnings(_ report: [String: Any]) -> String {
    (report["warnings"] as? [String] ?? []).joined(separator: "\n")
  }

  @Test func foldersAndPackagesAreComparedWithRealSounds() throws {
    try TinyPackage.write(to: folder.path("tiny"))
    try TinyPackage.write(to: folder.path("second"), seed: 2)
    try fill("real", 10, seed: 1)
    try fill("near", 10, seed: 50)
    let report = try object(
      legato(
        "--reference", "real", "--candidate", "near", "--candidate", "mine=tiny", "--candidate",
        "mine=second",
        "--count", "2", "--duration", "5s", "--embedder", "patches", "--embedder", "latents", "--weights",
        "latents=tiny", "--output", "report", "--json"))
    let candidates = try #require(report["candidates"] as? [[String: Any]])
    #expect(candidates.compactMap { $0["sounds"] as? Int } == [10, 2, 2])
    #expect((candidates[1]["generation"] as? String)?.contains("2 seeds from 1 on, 5s each") == true)
    #expect((candidates[1]["generation"] as? String)?.hasSuffix("style none") == true)
    #expect((candidates[1]["weights_sha256"] as? String)?.count == 64)
    let made = tables(report)
    func embedder(_ table: [String: Any]) -> [String: Any] { table["embedder"] as? [String: Any] ?? [:] }
    #expect(Set(made.compactMap { embedder($0)["name"] as? String }) == ["patches", "latents"])
    for table in made {
      #expect((embedder(table)["weights_sha256"] as? String)?.count == 64)
      let reference = try #require(table["reference"] as? [String: Int])
      #expect(reference["pieces"] == 10 && (reference["rows"] ?? 0) >= 60)
      // Five real sounds are 30 patches, too few to be extrapolated, and that is said.
      for entry in entries(table) {
        #expect((entry["real"] == nil) == "\(entry["warnings"] ?? "")".contains("too few to say"), "\(entry)")
      }
    }
    // Trainings of other counts have no mean, and are told from each other.
    let uneven = try legato(
      "--reference", "real", "--candidate", "x=near", "--candidate", "x=real/1.wav", "--candidate", "near")
    try #require(uneven.status == 0, "\(uneven.error)")
    for part in ["x (near) ", "x (real/1.wav) ", "x: no mean over all its trainings", "\nnear "] {
      #expect(uneven.text.contains(part), "\(part): \(uneven.text)")
    }
    // Few sounds of a package and many of a folder are not in one column.
    let patches = made.filter { embedder($0)["name"] as? String == "patches" }
    #expect(patches.filter { $0["metric"] as? String == "frechet_distance" }.count == 2)
    let kernels = patches.filter { $0["metric"] as? String == "kernel_audio_distance" }
    try #require(kernels.count == 2)
    #expect(entries(kernels[0]).compactMap { $0["label"] as? String } == ["near"])
    let kernel = kernels[1]
    #expect(entries(kernel).compactMap { $0["label"] as? String } == ["mine", "mine"])
    let group = try #require((kernel["groups"] as? [[String: Any]])?.first)
    #expect(group["label"] as? String == "mine" && group["trainings"] as? Int == 2)
    #expect(try value(entries(kernel)[1]) > 3 * abs(value(entries(kernels[0])[0])))

    let page = try String(contentsOfFile: folder.path("report.html"), encoding: .utf8)
    #expect(
      page.contains("<audio") && page.contains("<h2>latents</h2>") && !page.contains("http:")
        && !page.contains("https:"))
    let written = try JSONSerialization.jsonObject(
      with: Data(contentsOf: folder.url.appending(path: "report.json")))
    #expect(((written as? [String: Any])?["tables"] as? [Any])?.count == made.count)
    // Nothing else is left behind, beside the sounds or elsewhere.
    #expect(folder.contents == ["near", "real", "report.html", "report.json", "second", "tiny"])
    let temporary = try FileManager.default.contentsOfDirectory(
      atPath: FileManager.default.temporaryDirectory.path)
    #expect(!temporary.contains { $0.hasPrefix("legato-evaluate-") })
  }

  @Test func oneselfIsAtZeroAndNothingIsRemembered() throws {
    try fill("real", 8, seed: 1)
    let report = try object(legato("--reference", "real", "--candidate", "real", "--json"))
    let table = try #require(tables(report).first)
    #expect(table["metric"] as? String == "frechet_distance")
    let statistics = try value(entries(table).first)
    #expect(abs(statistics) < 1e-4, "\(statistics)")
    #expect(warnings(report).contains("8 of 8 sounds are the reference's own"))
    let interval = try #require(entries(table).first?["value"] as? [String: Any])
    #expect(try #require(interval["low"] as? Double) >= 0)
    // With a copy among them, by another name of the folder; and a folder of copies is known, too.
    try FileManager.default.copyItem(atPath: folder.path("real/1.wav"), toPath: folder.path("real/copy.wav"))
    try FileManager.default.createSymbolicLink(
      atPath: folder.path("link"), withDestinationPath: folder.path("real"))
    try FileManager.default.copyItem(atPath: folder.path("real"), toPath: folder.path("copied"))
    let copies = try object(
      legato("--reference", "real", "--candidate", "link/", "--candidate", "copied", "--json"))
    let same = try #require(tables(copies).first)
    #expect(abs(try value(entries(same).first)) < 1e-4)
    #expect(warnings(copies).contains("link: 8 of 8 sounds are the reference's own"), "\(warnings(copies))")
    #expect(warnings(copies).contains("copied: 9 of 9 sounds are the reference's own"), "\(warnings(copies))")
    // Another folder of the same name, with other sounds: nothing is remembered.
    try FileManager.default.removeItem(atPath: folder.path("real"))
    try fill("real", 8, seed: 70, gain: 0.01)
    try fill("other", 8, seed: 1)
    let again = try object(legato("--reference", "real", "--candidate", "other", "--json"))
    #expect(try value(entries(try #require(tables(again).first)).first) > 1)
  }

  /// The classifier that ships knows classes: divergence by file name and inception score, too.
  @Test func theClassifierNeedsNoDownload() throws {
    try fill("real", 20, seed: 1, seconds: 2)
    try fill("near", 20, seed: 50, seconds: 2)
    let report = try object(
      legato("--reference", "real", "--candidate", "near", "--embedder", "classifier", "--json"))
    let metrics = tables(report).compactMap { $0["metric"] as? String }
    #expect(metrics.contains("kl_divergence") && metrics.contains("inception_score"), "\(metrics)")
    // What was compared with is said: all of the folder, or a part of it.
    func splits(_ report: [String: Any]) -> [String]? {
      (report["reference"] as? [String: Any])?["splits"] as? [String]
    }
    let part = try object(
      legato("--reference", "real", "--split", "train", "--candidate", "near", "--json"))
    #expect(splits(report) == [] && splits(part) == ["train"])
    let embedder = try #require(tables(report).first?["embedder"] as? [String: Any])
    #expect(embedder["dimension"] as? Int == 128 && (embedder["classes"] as? [Any])?.count == 99)
  }

  @Test func badInputIsToldOrWarnedOf() throws {
    try fill("real", 6, seed: 1)
    func failure(_ arguments: String..., status: Int32 = 1) throws -> String {
      let result = try LegatoProcess.run(["evaluate"] + arguments, in: folder.url)
      #expect(result.status == status && !result.crashed && result.text.isEmpty, "\(result.text)")
      return result.error
    }
    try make("empty")
    #expect(try failure("--reference", "empty", "--candidate", "real").contains("there are no recordings"))
    #expect(try failure("--reference", "real", "--candidate", "empty").contains("there are no recordings"))
    #expect(try failure("--reference", "nowhere", "--candidate", "real").contains("no such file"))
    #expect(try failure("--reference", "real", status: 64).contains("--candidate"))
    #expect(
      try failure("--reference", "real", "--candidate", "real", "--embedder", "ears", status: 64)
        .contains("patches"))
    #expect(
      try failure("--reference", "real", "--candidate", "real", "--weights", "latents=x", status: 64)
        .contains("--embedder latents is not asked for"))
    #expect(
      try failure(
        "--reference", "real", "--candidate", "real", "--embedder", "latents", "--weights", "latents=empty"
      )
      .contains("empty"))

    #expect(
      try failure("--reference", "real", "--candidate", "a=real", "--candidate", "a=real", status: 64)
        .contains("is there twice"))
    let same = try LabelledPath.all(["x/package", "y/package", "m=x/package", "m=y/package", "z"])
    #expect(same.map(\.label) == ["x/package", "y/package", "m", "m", "z"])
    // Published weights: none, and another network's.
    #expect(
      try failure("--reference", "real", "--candidate", "real", "--embedder", "vggish")
        .contains("--weights vggish=FILE.safetensors"))
    let shipped = try PackageLocation.find(nil) + "/model.safetensors"
    #expect(
      try failure(
        "--reference", "real", "--candidate", "real", "--embedder", "cnn14", "--weights", "cnn14=" + shipped
      )
      .contains("these are not the weights of cnn14"))
    // CLAP's score: no text, and nothing that reads one.
    let clap = ["clap", "real", "--weights", shipped, "--vocabulary", "empty"]
    func failure(_ arguments: [String]) throws -> String {
      let result = try LegatoProcess.run(["evaluate"] + arguments, in: folder.url)
      #expect(result.status == 1 && !result.crashed && result.text.isEmpty, "\(result.text)")
      return result.error
    }
    #expect(try failure(clap).contains("0.wav: it has no caption"))
    #expect(try failure(clap + ["--text", "a cello"]).contains("vocab.json: the file is missing"))
    // NaN in a file of floats.
    try make("nan")
    try AudioFile.write(noise(2, seed: 1, channels: 1), to: folder.path("nan/a.wav"), format: .float32)
    var bytes = try Data(contentsOf: folder.url.appending(path: "nan/a.wav"))
    bytes.replaceSubrange(bytes.count - 4..<bytes.count, with: [0, 0, 0xC0, 0x7F])
    try bytes.write(to: folder.url.appending(path: "nan/a.wav"))
    #expect(try failure("--reference", "real", "--candidate", "nan").contains("NaN or infinite"))

    // Too few once copies are left out, which is said.
    try make("same")
    for index in 0..<3 {
      try FileManager.default.copyItem(
        atPath: folder.path("real/0.wav"), toPath: folder.path("same/\(index).wav"))
    }
    let alike = try failure("--reference", "same", "--candidate", "real")
    #expect(alike.contains("6 patches") && alike.contains("2 recordings are copies"), "\(alike)")

    // All too short for a patch of 0.96 s.
    try fill("short", 3, seed: 9, seconds: 0.5)
    #expect(
      try failure("--reference", "real", "--candidate", "short").contains("shorter than the window of 0.96 s")
    )
    let single = try failure("--reference", "real/0.wav", "--candidate", "real")
    #expect(
      single.contains("real/0.wav: the reference holds 6 patches") && single.contains("give more or longer"))
    // Nothing but silence: no spread in any direction, and no distance to itself.
    for name in ["still", "quiet"] {
      try make(name)
      for index in 0..<3 {
        // Of other lengths: copies of one sound count once in a reference.
        let seconds = Double(8 + index)
        try AudioFile.write(noise(seconds, seed: 1, gain: 0), to: folder.path("\(name)/\(index).wav"))
      }
    }
    for embedder in ["patches", "latents", "classifier"] {
      let silent = try object(
        legato("--reference", "still", "--candidate", "quiet", "--embedder", embedder, "--json"))
      #expect(warnings(silent).contains("are silent"))
      let value = tables(silent).first.map { entries($0) }?.first?["value"] as? [String: Any]
      #expect(abs(value?["value"] as? Double ?? 1) < 1e-6, "\(embedder): \(silent)")
    }
    // Some; silent ones; other rates and channels; one alone.
    try fill("odd", 2, seed: 20)
    try AudioFile.write(noise(0.5, seed: 30), to: folder.path("odd/short.wav"))
    try AudioFile.write(noise(6, seed: 31, gain: 0), to: folder.path("odd/silent.wav"))
    try AudioFile.write(noise(6, seed: 32, rate: 16_000, channels: 1), to: folder.path("odd/low.wav"))
    let odd = try object(legato("--reference", "real", "--candidate", "odd", "--json"))
    for part in [
      "1 of 5 sounds are shorter than the window", "1 of 5 sounds are silent",
      "different rates, 16000, 48000",
      "different numbers of channels, 1, 2", "compared with a reference at 48000 Hz",
      "sounds of 1, 2 channels are compared with a reference of 2",
    ] {
      #expect(warnings(odd).contains(part), "\(part) is missing in \(warnings(odd))")
    }
    let one = try object(legato("--reference", "real", "--candidate", "real/0.wav", "--json"))
    let entry = try #require(tables(one).first.map { entries($0) }?.first)
    #expect((entry["value"] as? [String: Any])?["low"] == nil)
    #expect("\(entry["warnings"] ?? "")".contains("one sound gives no interval"))
    // 6 vectors of 16 dimensions.
    #expect("\(entry["warnings"] ?? "")".contains("only 6 vectors for 16 dimensions"), "\(entry)")
    #expect(!folder.contents.contains { $0.hasPrefix("report") })
  }

  @Test func vectorsOfOtherProgramsAreMeasured() throws {
    func write(_ name: String, _ tensors: [(String, Int, UInt64)], dimension: Int = 4) throws {
      try SafetensorsWriter.write(
        tensors.map { name, rows, seed in
          .init(
            name, [rows, dimension], RandomStream(seed: seed, stream: 0).normal(rows * dimension))
        }, to: folder.path(name))
    }
    try write("real.safetensors", [("rows", 200, 1)])
    try write("made.safetensors", [("a", 40, 2), ("b", 40, 3), ("c", 40, 4)])
    try write("wide.safetensors", [("rows", 40, 1)], dimension: 5)
    let result = try legato(
      "vectors", "--reference", "real.safetensors", "--candidate", "made.safetensors", "--json")
    let lines = try result.text.split(separator: "\n").map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
    #expect(
      lines.compactMap { $0["metric"] as? String } == [
        "frechet_distance", "frechet_distance_infinity", "kernel_audio_distance",
      ])
    let entry = try #require(entries(lines[0]).first)
    #expect(entry["count"] as? [String: Int] == ["pieces": 3, "rows": 120])
    let wide = try legato("vectors", "--reference", "real.safetensors", "--candidate", "wide.safetensors")
    #expect(
      wide.status == 1 && wide.error.contains("have 5 dimensions and the reference's 4"), "\(wide.error)")
    func refused(_ values: [Float], _ text: String) throws {
      try SafetensorsWriter.write(
        [.init("rows", [values.count / 4, 4], values)], to: folder.path("bad.safetensors"))
      let bad = try legato("vectors", "--reference", "real.safetensors", "--candidate", "bad.safetensors")
      #expect(
        bad.status == 1 && bad.error.contains("bad.safetensors") && bad.error.contains(text), "\(bad.error)")
    }
    try refused([1, 2, .nan, 4, 5, 6, 7, 8], "'rows' holds NaN")
    try refused([], "there are no")
  }

  @Test func codecsAreMeasuredOnRecordings() throws {
    try TinyPackage.write(to: folder.path("tiny"))
    try fill("real", 3, seed: 1, seconds: 2)
    let report = try object(legato("codec", "real", "--codec", "tiny", "--json"))
    #expect(report["recordings"] as? Int == 3 && (report["results"] as? [Any])?.count == 3)
    for key in ["mel_distance", "spectral_convergence", "log_magnitude", "si_sdr_db"] {
      let estimate = try #require(report[key] as? [String: Double], "\(key)")
      #expect(estimate["low"] ?? 0 < estimate["value"] ?? 0, "\(key) \(estimate)")
    }
    let text = try legato("codec", "real", "--codec", "tiny")
    #expect(text.text.contains("SI-SDR, dB") && text.text.contains("3 recordings"), "\(text.text)")
    // Of one recording no interval, and of silence a figure for what has one.
    try make("still")
    try AudioFile.write(noise(2, seed: 1, gain: 0), to: folder.path("still/0.wav"))
    let silent = try object(legato("codec", "still", "--codec", "tiny", "--json"))
    let distance = try #require(silent["mel_distance"] as? [String: Double])
    #expect(distance["value"]?.isFinite == true && distance["low"] == nil, "\(silent)")
  }
}
