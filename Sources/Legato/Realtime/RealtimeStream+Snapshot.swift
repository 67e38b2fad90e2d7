import LegatoModels

extension RealtimeStream {
  /// State of a stream, to go back to or to go on from later, with the same package.
  public struct Snapshot: Sendable {
    var source: ChunkSource.Snapshot
    var options: SavedOptions
    /// What had been made and not been heard, `[channel][frame]`.
    var waiting: [[Float]]
  }
}

/// Options as a snapshot holds them: the style by its name.
struct SavedOptions: Sendable {
  var plain: GenerationOptions
  var style: String?

  init(_ options: GenerationOptions) {
    style = options.style?.name
    plain = options
    plain.style = nil
  }

  /// Throws ``GenerationError`` where the package lacks the style, or the numbers are none.
  func options(in package: ModelPackage) throws -> GenerationOptions {
    var options = plain
    if let problem = options.problem { throw GenerationError("the saved state is damaged: \(problem)") }
    if let name = style {
      options.style = package.styles.first { $0.name == name }
      if options.style == nil {
        throw GenerationError("the saved state plays in the style '\(name)', which the package lacks")
      }
    }
    return options
  }
}

// MARK: - As bytes

extension RealtimeStream.Snapshot {
  private static let magic: UInt64 = 0x3152_5453_5447_4C31  // "1LGTSTR1"

  /// The snapshot as bytes, to be kept in a file; little-endian, with a checksum at the end.
  public var bytes: [UInt8] {
    var out = ByteWriter()
    out.put(Self.magic)
    let latents = source.session.latents
    out.put(Array(source.session.codecHash.utf8))
    out.put(latents.fingerprint)
    out.put(latents.state)
    out.put(latents.latent)
    out.put(UInt64(latents.position))
    out.put(UInt64(latents.draws))
    out.put(source.session.decoder)
    out.put(UInt64(source.session.pending))
    out.put(source.limiter)
    out.put(UInt64(source.faded))
    out.put(UInt64(source.lead))
    out.put(options.plain.seed)
    out.put([options.plain.temperature, options.plain.contextNoise, options.plain.feedbackGain])
    out.put(UInt64(options.plain.steps))
    out.put(Array(options.plain.noiseLaw.rawValue.utf8))
    out.put(Array((options.style ?? "").utf8))
    out.put(UInt64(waiting.count))
    for channel in waiting { out.put(channel) }
    out.put(ByteWriter.checksum(out.bytes[...]))
    return out.bytes
  }

  /// Throws ``GenerationError`` where the bytes are no snapshot, or damaged.
  public init(bytes: [UInt8]) throws {
    let damaged = GenerationError("the saved state is damaged, or none; save it again")
    guard bytes.count > 16 else { throw damaged }
    let body = bytes.dropLast(8)
    var end = ByteReader(bytes.suffix(8))
    var input = ByteReader(body)
    do {
      guard try end.number() == ByteWriter.checksum(body), try input.number() == Self.magic else {
        throw damaged
      }
      let codecHash = String(decoding: try input.octets(), as: UTF8.self)
      let latents = LatentStream.Snapshot(
        fingerprint: try input.number(), state: try input.octets(), latent: try input.floats(),
        position: try input.count(), draws: try input.count())
      let session = Session.Snapshot(
        codecHash: codecHash, latents: latents, decoder: try input.octets(), pending: try input.count())
      source = ChunkSource.Snapshot(
        session: session, limiter: try input.floats(), faded: try input.count(), lead: try input.count())
      var plain = GenerationOptions(seed: try input.number())
      let numbers = try input.floats()
      plain.steps = try input.count()
      guard numbers.count == 3,
        let law = NoiseLaw(rawValue: String(decoding: try input.octets(), as: UTF8.self))
      else { throw damaged }
      (plain.temperature, plain.contextNoise, plain.feedbackGain) = (numbers[0], numbers[1], numbers[2])
      plain.noiseLaw = law
      options = SavedOptions(plain)
      let style = String(decoding: try input.octets(), as: UTF8.self)
      options.style = style.isEmpty ? nil : style
      waiting = []
      let channels = try input.count()
      guard channels <= 1024 else { throw damaged }
      for _ in 0..<channels { waiting.append(try input.floats()) }
      guard input.isAtEnd, waiting.allSatisfy({ $0.count == waiting[0].count && $0.allSatisfy(\.isFinite) })
      else { throw damaged }
    } catch { throw damaged }
  }
}

/// Numbers one after the other, little-endian; lists with their length before them.
struct ByteWriter {
  private(set) var bytes: [UInt8] = []

  mutating func put(_ number: UInt64) { withUnsafeBytes(of: number.littleEndian) { bytes += $0 } }

  mutating func put(_ octets: [UInt8]) {
    put(UInt64(octets.count))
    bytes += octets
  }

  mutating func put(_ floats: [Float]) {
    put(UInt64(floats.count))
    for value in floats { withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes += $0 } }
  }

  /// FNV-1a over words of eight bytes, and the rest.
  static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.withUnsafeBytes { raw in
      var hash: UInt64 = 0xcbf2_9ce4_8422_2325
      func mix(_ word: UInt64) { hash = (hash ^ word) &* 0x100_0000_01b3 }
      let words = raw.count / 8
      for index in 0..<words {
        mix(UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self)))
      }
      for byte in raw[(8 * words)...] { mix(UInt64(byte)) }
      return hash
    }
  }
}

/// What ``ByteWriter`` wrote. Throws where there is less.
struct ByteReader {
  private struct Short: Error {}
  private var rest: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func number() throws -> UInt64 {
    let bytes = try take(8)
    return bytes.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
  }

  /// A number that counts something: far from overflow, whatever is done with it.
  mutating func count() throws -> Int {
    let value = try number()
    guard value < 1 << 40 else { throw Short() }
    return Int(value)
  }

  mutating func octets() throws -> [UInt8] { Array(try take(try count())) }

  mutating func floats() throws -> [Float] {
    let count = try count()
    let bytes = try take(4 * count)
    return bytes.withUnsafeBytes { raw in
      (0..<count).map {
        Float(bitPattern: UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)))
      }
    }
  }

  private mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
    guard count <= rest.count else { throw Short() }
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }
}
