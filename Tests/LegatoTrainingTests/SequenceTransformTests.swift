import LegatoModels
import LegatoTensor
import Testing

@testable import LegatoTraining

@Suite struct SequenceTransformTests {
  private let length = 64
  private let dimension = 8

  /// Factors of latent and noise at each position of a clip, found from what the backbone reads.
  private func gains(_ transform: SequenceTransform, begins: Bool = false) throws
    -> [(signal: Float, noise: Float)]
  {
    func inputs(_ value: Float) -> TransformedBatch {
      let clip = [Float](repeating: value, count: (length + 1) * dimension)
      return transform.apply(
        LatentClips(latents: [clip], begins: [begins], positions: length, dimension: dimension),
        random: RandomStream(seed: 5, stream: 6))
    }
    let (zeros, ones) = (inputs(0), inputs(1))
    #expect(ones.targets.allSatisfy { $0 == 1 } && ones.noiseLevels.count == length)
    let noise = RandomStream(seed: 5, stream: 6).normal(length * dimension)
    return (0..<length).map { position in
      let range = position * dimension..<(position + 1) * dimension
      let signal = range.map { ones.inputs[$0] - zeros.inputs[$0] }
      let level = range.map { zeros.inputs[$0] / noise[$0] }
      // The backbone may be told of what it got.
      if zeros.isStart[position] == 0 {
        let own = transform.noiseLaw.gains(zeros.noiseLevels[position])
        #expect(abs(own.signal - signal[0]) < 1e-3 && abs(own.noise - level[0]) < 1e-3)
      } else {
        #expect(zeros.noiseLevels[position] == 0)
      }
      // One level a position, not one a number.
      #expect(
        signal.allSatisfy { abs($0 - signal[0]) < 1e-4 } && level.allSatisfy { abs($0 - level[0]) < 1e-4 })
      return (signal[0], level[0])
    }
  }

  @Test func lawsOfNoise() throws {
    for kind in [SequenceTransform.Kind.linearNoise, .vpNoise, .additiveNoise] {
      let transform = SequenceTransform(kind, kMax: 0.5)
      let found = try gains(transform)
      for (signal, noise) in found {
        switch kind {
        case .linearNoise: #expect(abs(signal - (1 - noise)) < 1e-4)
        case .vpNoise: #expect(abs(signal * signal + noise * noise - 1) < 1e-4)
        default: #expect(abs(signal - 1) < 1e-4)
        }
        let k = kind == .vpNoise ? noise * noise : noise
        #expect(k >= 0 && k <= 0.5)
      }
      let levels = found.map(\.noise)
      #expect((levels.max() ?? 0) > 0.4 && (levels.min() ?? 1) < 0.15 && Set(levels).count > 50)
    }
  }

  @Test func cleanSequencesAndWholeOnes() throws {
    #expect(try gains(SequenceTransform(.nextToken)).allSatisfy { $0 == (1, 0) })
    let whole = try gains(SequenceTransform(.linearNoise, kMax: 1, perSequence: true))
    #expect(whole.allSatisfy { abs($0.noise - whole[0].noise) < 1e-4 } && whole[0].noise > 0)
    let replaced = try gains(SequenceTransform(.gaussianReplacement, kMax: 1))
    #expect(replaced.allSatisfy { $0 == (1, 0) || abs($0.signal) < 1e-6 && abs($0.noise - 1) < 1e-5 })
    #expect(replaced.contains { $0.noise == 0 } && replaced.contains { $0.noise > 0.9 })
    // What stands before a piece is not noised.
    let begun = try gains(SequenceTransform(.additiveNoise, kMax: 1), begins: true)
    #expect(begun[0] == (0, 0) && begun[1].signal > 0.99)
  }

  @Test func whatIsContextOnlyDoesNotCount() {
    let clip = [Float](repeating: 1, count: (length + 1) * dimension)
    let batch = SequenceTransform(.linearNoise, kMax: 0.5).apply(
      LatentClips(
        latents: [clip, clip, clip], begins: [false, true, false], counted: [20, 20, 0], positions: length,
        dimension: dimension),
      random: RandomStream(seed: 5, stream: 6))
    // Without a start frame, position 19 is the one that predicts latent 20; with one, position 20.
    for (item, first) in [(0, 19), (1, 20), (2, 0)] {
      let mask = batch.mask[item * length..<(item + 1) * length]
      #expect(Array(mask) == (0..<length).map { $0 < first ? 0 : 1 })
    }
  }

  @Test func styleClipsAreLedToFromOtherMusic() throws {
    let fixture = try LatentFixture([(40, .train), (40, .train), (30, .validation)])
    let data = try LatentDataset(path: fixture.folder.path)
    let own = data.filtered { $0.id == "piece 0" }
    #expect(own.pieces(.train).count == 1 && own.pieces(.validation).isEmpty)
    let lead = StyleLead(others: data.filtered { $0.id != "piece 0" }, frames: 16)
    let clip = try own.crop(piece: own.pieces(.train)[0], start: 3, count: 17)
    let clips = LatentClips(
      latents: Array(repeating: clip, count: 40), begins: (0..<40).map { $0 < 4 }, positions: 16,
      dimension: LatentFixture.dimension)
    func led(_ step: UInt64, _ lead: StyleLead, _ split: LatentFolder.Split = .train) throws -> LatentClips {
      var result = clips
      try lead.apply(to: &result, split: split, random: RandomStream(seed: 3, stream: step))
      return result
    }
    let result = try led(1, lead)
    var places: Set<Int> = []
    for item in 0..<40 {
      let (latents, place) = (result.latents[item], result.counted[item] * LatentFixture.dimension)
      #expect(latents.count == clip.count && Array(latents[place...]) == Array(clip[place...]))
      if result.begins[item] { #expect(place == 0) }
      // Values of piece 1 begin at 64: what stands in front is of it.
      #expect(latents[..<place].allSatisfy { $0 >= 64 })
      if place > 0 { places.insert(result.counted[item]) }
    }
    #expect(places.count > 3 && places.allSatisfy { (4..<12).contains($0) })
    #expect((18...34).contains(result.counted.count { $0 > 0 }))
    // Where music begins does not hang on whether a clip is led to.
    let starts = Set((0..<40).filter { result.counted[$0] > 0 }.map { result.latents[$0][0] })
    #expect(starts.contains { $0 > 64 + 28 } && starts.contains { $0 < 64 + 12 })
    #expect(try led(1, lead).latents == result.latents && led(2, lead).latents != result.latents)
    #expect(try led(1, lead, .test).latents == clips.latents)
    #expect(try led(1, StyleLead(others: data.filtered { _ in false }, frames: 16)).latents == clips.latents)
  }
}
