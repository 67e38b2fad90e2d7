import Foundation
import LegatoAudio
import LegatoEvaluation
import LegatoModels
import LegatoTensor
import Testing

/// Small pieces of music and what could be passed off as such, in stretches of ten seconds.
private enum Sounds {
  static let rate = 48_000
  static let stretch = 10.0

  /// Plucked notes of a scale over a bass, with rests and accents; another piece for every seed.
  static func music(_ seed: UInt64, seconds: Double = 40, gain: Float = 1) -> [Float] {
    let random = RandomStream(seed: seed, name: "music")
    var draws: UInt64 = 0
    func draw(_ bound: Int) -> Int {
      draws += 1
      return random.integer(below: bound, at: draws)
    }
    var samples = [Float](repeating: 0, count: Int(seconds * Double(rate)))
    let scale = [0, 2, 4, 5, 7, 9, 11]
    let key = draw(12)
    var slot = 0.22 + Double(draw(6)) * 0.02
    var (time, degree, count) = (0.0, 7 + draw(7), 0)
    while time < seconds {
      degree = min(16, max(4, degree + draw(5) - 2))
      if draw(8) > 0 { pluck(degree + draw(2) * 2, time, 0.10 + 0.02 * Double(draw(5))) }
      if count % 4 == 0 {
        let root = draw(7)
        for third in [0, 2, 4] { pluck(root + third, time + 0.01 * Double(draw(3)), 0.07) }
      }
      slot += 0.002 * Double(draw(5) - 2)
      slot = min(0.36, max(0.2, slot))
      time += slot * Double(1 + draw(2))
      count += 1
    }
    func pluck(_ degree: Int, _ start: Double, _ level: Double) {
      let note = 48 + key + 12 * (degree / 7) + scale[degree % 7]
      let step = 2 * Double.pi * 440 * pow(2, Double(note - 69) / 12) / Double(rate)
      // A tone by rotation, its overtones by the addition theorems.
      let (cosine, sine, decay) = (cos(step), sin(step), exp(-4 / Double(rate)))
      var (c, s, envelope) = (1.0, 0.0, level)
      let first = Int(start * Double(rate))
      for index in 0..<rate / 2 where first + index < samples.count {
        let tone = s * (1 + 0.8 * c + 0.15 * (3 - 4 * s * s))
        samples[first + index] += gain * Float(envelope * min(1, Double(index) / 240) * tone)
        (c, s) = (c * cosine - s * sine, s * cosine + c * sine)
        envelope *= decay
      }
    }
    return samples
  }

  static func measured(_ name: String, _ samples: [Float]) throws -> MeasuredSound {
    let meter = try StretchMeter(
      name: name, sampleRate: rate, channels: 1, stretch: stretch, engine: CPUEngine(threads: 1))
    for first in Swift.stride(from: 0, to: samples.count, by: 50_000) {
      try meter.append([Array(samples[first..<min(samples.count, first + 50_000)])])
    }
    return try meter.finish()
  }

  /// Real music that training has not seen, and what training has.
  static let reference: Result<DriftReference, any Error> = Result {
    let engine = CPUEngine(threads: 2)
    var bank = ExcerptBank()
    for seed in 500..<540 as Range<UInt64> {
      bank.add(name: "training \(seed)", frames: try measured("", music(seed)).frames)
    }
    let real = try (0..<64 as Range<UInt64>).map { try measured("real \($0)", music($0)) }
    return try DriftReference(real, training: bank, engine: engine)
  }

  static func report(_ name: String, _ sounds: [[Float]]) throws -> DriftReport {
    let system = DriftSystem(
      name: name, sounds: try sounds.enumerated().map { try measured("seed \($0)", $1) })
    return try DriftReport(system, reference: reference.get(), engine: CPUEngine(threads: 2))
  }
}

/// What could be passed off as music that does not drift: each is found out, and music is not.
@Suite(.serialized) struct DriftTests {
  private let seeds = 900..<908 as Range<UInt64>

  private func flagged(_ report: DriftReport) -> Set<DriftMeasure> {
    Set(DriftMeasure.allCases.filter { report.measures[$0]?.isInside == false })
  }

  @Test func realMusicIsLikeRealMusic() throws {
    let report = try Sounds.report("music", seeds.map { Sounds.music($0) })
    #expect(report.flags.isEmpty, "\(report.flags) \(report.measures)")
    #expect(report.stretches.count == 4 && report.stretches.allSatisfy { $0.distance.units == 8 })
    #expect(report.distanceIsInside == true && report.distanceStretchesInside >= 3)
    // No drift: the intervals hold 0.
    #expect(report.frechetSlope?.contains(0) == true, "\(String(describing: report.frechetSlope))")
    #expect(report.measures[.level]?.slope?.contains(0) == true)
    // FADacc: last less first, and no more than chance.
    let accumulation = try #require(report.accumulation)
    #expect(accumulation.firstStart == 0 && accumulation.lastStart == 30 && accumulation.sounds == 8)
    #expect(accumulation.first == report.stretches.first?.distance.frechet)
    #expect(accumulation.last == report.stretches.last?.distance.frechet)
    #expect(
      abs(accumulation.difference.value - accumulation.last.value + accumulation.first.value) < 1e-12)
    #expect(accumulation.difference.contains(0) == true, "\(accumulation)")
    let copying = try #require(report.copying)
    #expect(copying.isInside && copying.share <= 0.05 && copying.excerpts == 8 * 8, "\(copying)")
    let floor = try #require(report.floor)
    #expect(report.distance.frechet.value < 2 * floor.frechet, "\(report.distance) \(floor)")
    let reference = try Sounds.reference.get()
    #expect(reference.recordings.count == 64 && reference.stretches == 256)
    // 64 recordings, but of forty seconds.
    #expect(reference.warnings.count == 1 && reference.warnings[0].contains("less than six minutes"))
  }

  @Test func aDroneIsFoundOut() throws {
    let drones = seeds.map { seed in
      (0..<40 * Sounds.rate).map { index -> Float in
        let time = Double(index) / Double(Sounds.rate)
        return Float(
          [220.0, 277.18, 329.63].reduce(0) { $0 + 0.03 * sin(2 * .pi * $1 * time + Double(seed)) })
      }
    }
    let report = try Sounds.report("drone", drones)
    #expect(flagged(report).isSuperset(of: [.change, .onsets, .novelty, .frechet]), "\(report.flags)")
    #expect(report.distanceIsInside == false)
  }

  @Test func aLoopIsFoundOut() throws {
    // Real music by every other figure: 7.3 s of it, again and again.
    let loops = seeds.map { seed in
      let once = Array(Sounds.music(seed, seconds: 7.3))
      return (0..<40 * Sounds.rate).map { once[$0 % once.count] }
    }
    let report = try Sounds.report("loop", loops)
    #expect(flagged(report).contains(.novelty), "\(report.flags) \(report.measures)")
    #expect(report.stretches.dropFirst().allSatisfy { $0.measures[.novelty]?.isInside == false })
  }

  @Test func silenceAndNoiseAreFoundOut() throws {
    let silence = try Sounds.report(
      "silence", seeds.map { _ in [Float](repeating: 0, count: 40 * Sounds.rate) })
    #expect(flagged(silence).isSuperset(of: [.level, .silence]), "\(silence.flags)")
    #expect(silence.copying == nil || silence.copying?.excerpts == 0)
    let noise = try Sounds.report(
      "noise",
      seeds.map { RandomStream(seed: $0, stream: 1).normal(40 * Sounds.rate).map { $0 * 0.05 } })
    #expect(flagged(noise).isSuperset(of: [.salience, .entropy, .frechet]), "\(noise.flags)")
  }

  @Test func aCopyOfTrainingMusicIsFoundOut() throws {
    // At another level and a little later; one seed in four is enough.
    let sounds = seeds.map { seed -> [Float] in
      guard seed % 4 == 0 else { return Sounds.music(seed) }
      return [Float](repeating: 0, count: 31_337) + Sounds.music(seed - 400 + 10, gain: 0.8)
    }
    let report = try Sounds.report("copy", sounds.map { Array($0.prefix(40 * Sounds.rate)) })
    let copying = try #require(report.copying)
    #expect(!copying.isInside && copying.share > 0.15, "\(copying)")
    #expect(report.flags.contains { $0.contains("training") }, "\(report.flags)")
    // 31,337 samples are 0.65 s: what sounds at t was heard at t − 0.65 s.
    #expect(["training 510", "training 514"].contains(copying.closest.recording), "\(copying)")
    #expect(abs(copying.closest.time - 0.65 - copying.closest.recordingTime) < 0.09, "\(copying)")
  }

  @Test func driftHasASlope() throws {
    // Music that fades into a single tone, so that every minute is farther away.
    let sounds = seeds.map { seed -> [Float] in
      let music = Sounds.music(seed)
      return music.indices.map { index in
        let share = Float(index) / Float(music.count)
        let tone = 0.1 * sin(2 * .pi * 440 * Float(index % Sounds.rate) / Float(Sounds.rate))
        return (1 - share) * music[index] + share * tone
      }
    }
    let report = try Sounds.report("drifting", sounds)
    let slope = try #require(report.frechetSlope)
    #expect((slope.low ?? 0) > 0, "\(slope)")
    #expect(report.distanceIsInside == false)
  }

  @Test func theWorstIsNamed() throws {
    var sounds = seeds.map { Sounds.music($0) }
    sounds[5] = RandomStream(seed: 3, stream: 1).normal(40 * Sounds.rate).map { $0 * 0.05 }
    let report = try Sounds.report("one bad", sounds)
    #expect(report.worst == 5 && report.sounds[5] == "seed 5")
    let real = try Sounds.report("real recordings", seeds.map { Sounds.music($0) })
    let study = try DriftStudy(
      title: "Drift", method: "Eight.", reference: Sounds.reference.get(), source: "data/held-out",
      systems: [
        .init(
          report: report, group: "a", model: "m", weights: "0123456789abcdef01", codec: "c", settings: .init()
        ),
        .init(
          report: report, group: "a", model: "n", weights: "f", codec: "c", settings: .init()),
      ],
      real: real,
      reconstructions: [.init(codec: "c", report: real)])
    let text = study.markdown(picture: "drift.svg")
    let digest = try Sounds.reference.get().embedding.digest.prefix(16)
    #expect(
      text.contains("(data/held-out)") && text.contains("SHA-256 0123456789abcdef, codec c)")
        && text.contains("SHA-256 \(digest)"))
    #expect(text.contains("seed 5") && text.contains("(drift.svg)") && text.contains("## one bad"))
    let group = try #require(study.groups.first)
    #expect(group.models == 2 && abs(group.distance.value / report.distance.frechet.value - 1) < 1e-12)
    #expect(try #require(study.systems[0].ratio).value > 1)
    let svg = study.picture().svg()
    #expect(svg.contains("onsets a second") && svg.contains("real music through the codec"))
    let data = try JSONEncoder().encode(study)
    #expect(try JSONDecoder().decode(DriftStudy.self, from: data).systems.count == 2)
  }

  @Test func tooLittleMusicIsRefused() throws {
    let short = try Sounds.measured("short", Sounds.music(1, seconds: 5))
    #expect(throws: EvaluationError.self) {
      try DriftReference([short, short], engine: CPUEngine(threads: 1))
    }
    #expect(throws: EvaluationError.self) {
      try DriftReport(
        DriftSystem(name: "short", sounds: [short]), reference: Sounds.reference.get(),
        engine: CPUEngine(threads: 1))
    }
  }
}

@Suite struct LatentReferenceTests {
  @Test func refusesWhatCannotBeCompared() {
    let real = LatentSequence(name: "real", dimension: 8, values: normalRows(100, 8, seed: 1))
    let other = LatentSequence(name: "other", dimension: 4, values: normalRows(100, 4, seed: 1))
    #expect(throws: EvaluationError.self) { try LatentReference([real, other]) }
    #expect(throws: EvaluationError.self) { try LatentReference([]) }
  }
}

@Suite struct InstrumentTests {
  @Test func tellsTimbresApartWhateverTheyPlay() throws {
    // Three instruments of other partials and decays, each with melodies of its own.
    func tone(_ kind: Int, _ seed: UInt64) -> [Float] {
      let random = RandomStream(seed: seed, name: "melody")
      return (0..<5 * 48_000).map { index -> Float in
        let (note, age) = (index / 16_000, Float(index % 16_000) / 48_000)
        let frequency = 220 * pow(2, Float(random.integer(below: 12, at: UInt64(note))) / 12)
        let envelope = kind == 0 ? exp(-8 * age) : kind == 1 ? 1 : min(1, 5 * age)
        let partials: [Float] = [[1, 0.5, 0.1, 0.02], [1, 0, 0.4, 0, 0.3], [1, 0.9, 0.8, 0.7, 0.6]][kind]
        return 0.05 * envelope
          * partials.enumerated().reduce(0) {
            $0 + $1.element * sin(2 * .pi * frequency * Float($1.offset + 1) * age)
          }
      }
    }
    func features(_ kind: Int, _ seed: UInt64, gain: Float = 1) throws -> [Double] {
      let analyser = LogMelAnalyser(engine: CPUEngine(threads: 1))
      analyser.append(tone(kind, seed).map { $0 * gain })
      return try #require(TimbreFeatures.of(analyser.frames))
    }
    var examples: [DiscriminantClassifier.Example] = []
    for kind in 0..<3 {
      for seed in 0..<12 as Range<UInt64> {
        let own = UInt64(kind) * 100 + seed
        examples.append(
          .init(
            features: try features(kind, own), label: ["pluck", "organ", "bow"][kind], recording: Int(own)))
      }
    }
    let classifier = try DiscriminantClassifier(examples)
    #expect(classifier.classes == ["bow", "organ", "pluck"])
    for kind in 0..<3 {
      for seed in 1000..<1008 as Range<UInt64> {
        // Twice as loud is the same instrument.
        let heard = classifier.classify(try features(kind, seed, gain: 2))
        #expect(heard == ["pluck", "organ", "bow"][kind])
      }
    }
    #expect(TimbreFeatures.of([Float](repeating: log(1e-3), count: 64 * 50)) == nil)
    #expect(throws: EvaluationError.self) { try DiscriminantClassifier(Array(examples.prefix(12))) }
  }
}
