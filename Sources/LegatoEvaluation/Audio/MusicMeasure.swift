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

  /// Throws ``EvaluationError`` where the sound is shorter than two seconds.
  public init(_ sound: AudioBuffer, engine: CPUEngine) throws {
    guard sound.duration >= 2 else {
      throw EvaluationError("the sound lasts \(sound.duration) s; at least 2 s are needed to measure music")
    }
    let mono = sound.converted(toChannels: 1).channels[0]
    let rate = Double(sound.sampleRate)
    let (plain, whole) = (AudioMeasure(sound), Frames(mono, size: Self.size, hop: Self.hop, engine: engine))
    levelDBFS = plain.rmsDBFS
    silenceShare = plain.silenceShare
    spectralCentroid = plain.spectralCentroid
    // Short frames say when, long ones what.
    let short = Frames(mono, size: Self.size / 2, hop: Self.hop, engine: engine)
    onsetsPerSecond = Double(Self.onsets(short, framesPerSecond: rate / Double(Self.hop))) / sound.duration
    pitchSalience = Self.salience(mono, rate: rate, engine: engine)
    pitchClassEntropy = Self.entropy(whole, rate: rate)
    changePerSecond = Self.change(whole, rate: rate, engine: engine)
  }

  /// Magnitudes of all frames, `[count][bins]`.
  private struct Frames {
    let values: [Float]
    let bins: Int
    var count: Int { values.count / bins }

    init(_ signal: [Float], size: Int, hop: Int, engine: CPUEngine) {
      bins = size / 2 + 1
      let frames = (signal.count - size) / hop + 1
      var all: [Float] = []
      all.reserveCapacity(frames * bins)
      // In blocks, so that memory stays bounded by the result.
      for first in stride(from: 0, to: frames, by: 256) {
        let count = min(256, frames - first)
        let part = Array(signal[first * hop..<(first + count - 1) * hop + size])
        all += Spectral.magnitude(engine.tensor(part, shape: [1, part.count]), size: size, hop: hop).floats()
      }
      values = all
    }

    func row(_ index: Int) -> ArraySlice<Float> { values[index * bins..<(index + 1) * bins] }
  }

  private static func onsets(_ frames: Frames, framesPerSecond: Double) -> Int {
    var flux = [0.0]
    var before = frames.row(0).map { log1p(10 * $0) }
    for index in 1..<frames.count {
      let now = frames.row(index).map { log1p(10 * $0) }
      var (rise, total) = (0.0, 0.0)
      for bin in 0..<frames.bins {
        rise += Double(max(0, now[bin] - before[bin]))
        total += Double(now[bin])
      }
      // What rises by less than a twentieth is the ripple of a steady sound.
      flux.append(rise > 0.05 * total ? rise : 0)
      before = now
    }
    let typical = median(flux)
    let (near, apart) = (Int(0.15 * framesPerSecond), max(1, Int(0.05 * framesPerSecond)))
    var (count, last) = (0, -apart)
    for index in flux.indices.dropFirst() where flux[index] > 0 {
      let around = flux[max(0, index - near)..<min(flux.count, index + near + 1)]
      let isPeak = flux[index] >= flux[max(0, index - apart)..<min(flux.count, index + apart + 1)].max() ?? 0
      if isPeak, flux[index] > 1.5 * median(Array(around)) + 0.5 * typical, index - last >= apart {
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

  private static func entropy(_ frames: Frames, rate: Double) -> Double {
    var classes = [Double](repeating: 0, count: 12)
    let width = rate / Double(size)
    for bin in Int(65 / width)...min(frames.bins - 2, Int(2100 / width)) {
      let note = 69 + 12 * log2(Double(bin) * width / 440)
      var energy = 0.0
      for frame in 0..<frames.count {
        let value = frames.values[frame * frames.bins + bin]
        // Peaks alone: their skirts belong to no pitch.
        if value > frames.values[frame * frames.bins + bin - 1],
          value >= frames.values[frame * frames.bins + bin + 1]
        {
          energy += Double(value) * Double(value)
        }
      }
      classes[((Int(note.rounded()) % 12) + 12) % 12] += energy
    }
    let total = classes.reduce(0, +)
    return total > 0 ? -classes.reduce(0) { $1 > 0 ? $0 + $1 / total * log2($1 / total) : $0 } : 0
  }

  private static func change(_ frames: Frames, rate: Double, engine: CPUEngine) -> Double {
    // A tenth of a second apart is enough.
    let rows = Array(stride(from: 0, to: frames.count, by: max(1, Int(rate / Double(hop) / 10))))
    let filters = engine.tensor(
      Spectral.melFilters(bands: MelDistance.bands, size: size, sampleRate: Int(rate)),
      shape: [MelDistance.bands, frames.bins])
    let mels = Spectral.logMel(
      engine.tensor(rows.flatMap { frames.row($0) }, shape: [rows.count, frames.bins]), filters: filters,
      floor: MelDistance.floor
    ).floats()
    let second = 10 * MelDistance.bands
    guard mels.count > second else { return 0 }
    let changes = zip(mels.dropFirst(second), mels).map { Double(abs($0 - $1)) }
    return changes.reduce(0, +) / Double(changes.count)
  }

  private static func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
  }
}
