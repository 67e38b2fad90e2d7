import LegatoAudio
import LegatoNN
import LegatoTensor

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Figures that tell music from noise, a drone or silence: how often notes begin, how clear pitches are, how they
/// are spread, how much the sound changes in a second.
///
/// All of the mono mix. They describe; none of them says how good the music is.
public struct MusicMeasure: Sendable, Hashable, Codable {
  /// Notes or chords that begin, a second: peaks of spectral flux (Bello et al., "A tutorial on onset detection in
  /// music signals", 2005) of the compressed magnitudes, above their neighbourhood's median.
  public var onsetsPerSecond: Double
  /// Median over sounding frames of the highest autocorrelation between 50 Hz and 2 kHz, divided by that at lag 0:
  /// near 1 for a pitch, near 0 for noise.
  public var pitchSalience: Double
  /// Of the energy between 65 Hz and 2.1 kHz over the twelve pitch classes, in bits: 0 is one class, 3.58 all alike.
  public var pitchClassEntropy: Double
  /// Mean absolute change of the natural logarithm of mel bands over one second: near 0 for what stands still.
  public var changePerSecond: Double
  /// Power-weighted mean frequency in Hz.
  public var spectralCentroid: Double
  /// Root mean square, dB relative to full scale.
  public var levelDBFS: Double
  /// Share of 50 ms windows under −60 dBFS.
  public var silenceShare: Double

  enum CodingKeys: String, CodingKey {
    case onsetsPerSecond = "onsets_per_second"
    case pitchSalience = "pitch_salience"
    case pitchClassEntropy = "pitch_class_entropy"
    case changePerSecond = "change_per_second"
    case spectralCentroid = "spectral_centroid"
    case levelDBFS = "level_dbfs"
    case silenceShare = "silence_share"
  }

  private static let size = 4096
  private static let hop = 512
  /// What is softer is told as this.
  static let lowestLevel = -120.0

  /// Throws ``EvaluationError`` where the sound is shorter than two seconds.
  public init(_ sound: AudioBuffer, engine: CPUEngine) throws {
    guard sound.duration >= 2 else {
      throw EvaluationError("the sound lasts \(sound.duration) s; at least 2 s are needed to measure music")
    }
    let mono = sound.converted(toChannels: 1).channels[0]
    let rate = Double(sound.sampleRate)
    levelDBFS = max(Self.lowestLevel, AudioMeasure.decibels(Double(sound.rms)))
    silenceShare = AudioMeasure.silenceShare(sound)
    // Short frames say when, long ones what.
    let short = Self.short(mono, rate: rate, engine: engine)
    spectralCentroid = short.centroid
    onsetsPerSecond = Double(short.onsets) / sound.duration
    pitchSalience = Self.salience(mono, rate: rate, engine: engine)
    (pitchClassEntropy, changePerSecond) = Self.long(mono, rate: rate, engine: engine)
  }

  /// Calls `body` with the magnitudes `[frames, size / 2 + 1]` of blocks of frames, so that memory stays bounded.
  private static func forEachBlock(
    _ signal: [Float], size: Int, engine: CPUEngine, _ body: (_ first: Int, Tensor) -> Void
  ) {
    let frames = (signal.count - size) / hop + 1
    for first in stride(from: 0, to: frames, by: 256) {
      let count = min(256, frames - first)
      let part = Array(signal[first * hop..<(first + count - 1) * hop + size])
      body(first, Spectral.magnitude(engine.tensor(part, shape: [part.count]), size: size, hop: hop))
    }
  }

  /// Notes that begin, and the power-weighted mean frequency in Hz.
  private static func short(_ mono: [Float], rate: Double, engine: CPUEngine) -> (
    onsets: Int, centroid: Double
  ) {
    let size = size / 2
    let bins = size / 2 + 1
    let frequencies = engine.tensor(
      (0..<bins).map { Float(Double($0) * rate / Double(size)) }, shape: [1, bins])
    var flux = [0.0]
    var (weighted, total) = (0.0, 0.0)
    var before: Tensor?
    forEachBlock(mono, size: size, engine: engine) { _, magnitude in
      let power = magnitude.square()
      weighted = (power * frequencies).sum(axis: -1).floats().reduce(weighted) { $0 + Double($1) }
      total = power.sum(axis: -1).floats().reduce(total) { $0 + Double($1) }
      let compressed = (magnitude * 10 + 1).log()
      // The flux of a block's first frame needs the last of the block before.
      let now = before.map { Tensor.concatenate([$0, compressed], axis: 0) } ?? compressed
      let count = now.dim(0)
      before = now.slice(axis: 0, count - 1..<count)
      guard count > 1 else { return }
      let later = now.slice(axis: 0, 1..<count)
      let rises = (later - now.slice(axis: 0, 0..<count - 1)).maximum(0).sum(axis: -1).floats()
      // What rises by less than a twentieth is the ripple of a steady sound.
      for (rise, sum) in zip(rises, later.sum(axis: -1).floats()) {
        flux.append(rise > 0.05 * sum ? Double(rise) : 0)
      }
    }
    // The transform's own floor keeps digital silence from 0/0.
    let audible = total > 2e-9 * Double(flux.count * bins)
    return (onsets(flux, framesPerSecond: rate / Double(hop)), audible ? weighted / total : 0)
  }

  private static func onsets(_ flux: [Double], framesPerSecond: Double) -> Int {
    let typical = median(flux)
    let (near, apart) = (Int(0.15 * framesPerSecond), max(1, Int(0.05 * framesPerSecond)))
    var (count, last) = (0, -apart)
    for index in flux.indices.dropFirst() where flux[index] > 0 && index - last >= apart {
      let isPeak = flux[index] >= flux[max(0, index - apart)..<min(flux.count, index + apart + 1)].max() ?? 0
      guard isPeak else { continue }
      let around = flux[max(0, index - near)..<min(flux.count, index + near + 1)]
      if flux[index] > 1.5 * median(Array(around)) + 0.5 * typical {
        count += 1
        last = index
      }
    }
    return count
  }

  private static func salience(_ mono: [Float], rate: Double, engine: CPUEngine) -> Double {
    let hop = size
    let (shortest, longest) = (max(2, Int(rate / 2000)), min(size / 2 - 1, Int(rate / 50)))
    // The window's own autocorrelation, to undo the taper of longer lags.
    func autocorrelation(_ framed: Tensor) -> [Float] {
      // Zeros to twice the length keep the correlation from wrapping around.
      let spectrum = framed.pad(axis: -1, after: size).rfft()
      let power = spectrum.square().sum(axis: -2).reshape([framed.dim(0), 1, size + 1])
      return power.pad(axis: -2, after: 1).irfft().floats()
    }
    let hann = engine.tensor(Spectral.hann(size), shape: [1, size])
    let taper = autocorrelation(hann)
    let frames = (mono.count - size) / hop + 1
    let used = (frames - 1) * hop + size
    let framed = engine.tensor(Array(mono[..<used]), shape: [used]).frame(size: size, hop: hop) * hann
    let values = autocorrelation(framed)
    var found: [Double] = []
    for frame in 0..<frames {
      let row = values[frame * 2 * size..<(frame + 1) * 2 * size]
      let zero = Double(row[row.startIndex])
      // −60 dBFS or less is not sound.
      guard zero / Double(taper[0]) > 1e-6 else { continue }
      var best = 0.0
      for lag in shortest...longest {
        let value = Double(row[row.startIndex + lag]) / zero * Double(taper[0] / taper[lag])
        // Only true peaks: the flank of lag 0 is high for everything.
        let (left, right) = (row[row.startIndex + lag - 1], row[row.startIndex + lag + 1])
        if row[row.startIndex + lag] >= left, row[row.startIndex + lag] >= right { best = max(best, value) }
      }
      found.append(min(1, best))
    }
    return found.isEmpty ? 0 : median(found)
  }

  /// Entropy of the pitch classes in bits, and change in a second.
  private static func long(_ mono: [Float], rate: Double, engine: CPUEngine) -> (
    entropy: Double, change: Double
  ) {
    let width = rate / Double(size)
    let bins = size / 2 + 1
    let pitched = Int(65 / width)...min(bins - 2, Int(2100 / width))
    let filters = engine.tensor(
      Spectral.melFilters(bands: MelDistance.bands, size: size, sampleRate: Int(rate)),
      shape: [MelDistance.bands, bins])
    // A tenth of a second apart is enough for change.
    let every = max(1, Int(rate / Double(hop) / 10))
    var energies = [Double](repeating: 0, count: bins)
    var mels: [Float] = []
    forEachBlock(mono, size: size, engine: engine) { first, magnitude in
      let values = magnitude.floats()
      let frames = magnitude.dim(0)
      values.withUnsafeBufferPointer { values in
        for row in stride(from: 0, to: frames * bins, by: bins) {
          for bin in pitched {
            let value = values[row + bin]
            // Peaks alone: their skirts belong to no pitch.
            if value > values[row + bin - 1], value >= values[row + bin + 1] {
              energies[bin] += Double(value) * Double(value)
            }
          }
        }
      }
      let kept = (0..<frames).filter { (first + $0) % every == 0 }
      guard !kept.isEmpty else { return }
      let rows = engine.tensor(
        kept.flatMap { values[$0 * bins..<($0 + 1) * bins] }, shape: [kept.count, bins])
      mels += Spectral.logMel(rows, filters: filters, floor: MelDistance.floor).floats()
    }
    return (entropy(energies, width: width), change(mels))
  }

  private static func entropy(_ energies: [Double], width: Double) -> Double {
    var classes = [Double](repeating: 0, count: 12)
    for (bin, energy) in energies.enumerated() where energy > 0 {
      let note = 69 + 12 * log2(Double(bin) * width / 440)
      classes[((Int(note.rounded()) % 12) + 12) % 12] += energy
    }
    let total = classes.reduce(0, +)
    return total > 0 ? -classes.reduce(0) { $1 > 0 ? $0 + $1 / total * log2($1 / total) : $0 } : 0
  }

  private static func change(_ mels: [Float]) -> Double {
    let second = 10 * MelDistance.bands
    guard mels.count > second else { return 0 }
    let sum = zip(mels.dropFirst(second), mels).reduce(0) { $0 + Double(abs($1.0 - $1.1)) }
    return sum / Double(mels.count - second)
  }

  private static func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
  }
}
